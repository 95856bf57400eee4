/** Values, each with its weight, in two columns; room is made beforehand. */
export class WeightedValues {
  readonly #values: Float64Array;
  readonly #weights: Float64Array;
  #count = 0;
  #total = 0;
  #finite = 0;
  #highest = Number.NaN;

  constructor(countMax: number) {
    this.#values = new Float64Array(countMax);
    this.#weights = new Float64Array(countMax);
  }

  add(value: number, weight: number): void {
    this.#values[this.#count] = value;
    this.#weights[this.#count] = weight;
    this.#count += 1;
    this.#total += weight;
    if (value < Number.POSITIVE_INFINITY) this.#finite += weight;
    if (!(value <= this.#highest)) this.#highest = value;
  }

  /** Share of the weight whose value is not Infinity; 0 of nothing. */
  get finiteRatio(): number {
    return this.#total > 0 ? this.#finite / this.#total : 0;
  }

  /**
   * Quantiles: the smallest value that has at least that share of the weight at or below it. NaN of nothing; Infinity is
   * a value like others. @param shares ascending, above 0.
   */
  quantiles(shares: readonly number[]): number[] {
    const found: number[] = shares.map(() => this.#highest);
    const weights = shares.map((share) => share * this.#total);
    this.#find(weights, found, { from: 0, to: this.#count, below: 0, first: 0, last: shares.length });
    return found;
  }

  /** Quicksort (Hoare 1961) that leaves alone what no quantile lies in. */
  #find(weights: readonly number[], found: number[], { from, to, below, first, last }: Part): void {
    if (first === last || from === to) return;
    const values = this.#values;
    const pivot = values[(from + to) >> 1] ?? 0;
    let lower = from;
    let at = from;
    let higher = to;
    let lighter = below;
    let upTo = below;
    while (at < higher) {
      const value = values[at] ?? 0;
      const weight = this.#weights[at] ?? 0;
      if (value > pivot) {
        higher -= 1;
        this.#swap(at, higher);
        continue;
      }
      upTo += weight;
      if (value < pivot) {
        lighter += weight;
        this.#swap(at, lower);
        lower += 1;
      }
      at += 1;
    }
    let left = first;
    let right = last;
    while (left < last && lower > from && (weights[left] ?? 0) <= lighter) left += 1;
    while (right > left && (weights[right - 1] ?? 0) > upTo) right -= 1;
    for (let which = left; which < right; which += 1) found[which] = pivot;
    this.#find(weights, found, { from, to: lower, below, first, last: left });
    this.#find(weights, found, { from: higher, to, below: upTo, first: right, last });
  }

  #swap(one: number, other: number): void {
    swap(this.#values, one, other);
    swap(this.#weights, one, other);
  }
}

function swap(column: Float64Array, one: number, other: number): void {
  const before = column[one] ?? 0;
  column[one] = column[other] ?? 0;
  column[other] = before;
}

/** Values from one place to another, all of them above what weighs `below`, and which quantiles lie there. */
interface Part {
  readonly from: number;
  readonly to: number;
  readonly below: number;
  readonly first: number;
  readonly last: number;
}
