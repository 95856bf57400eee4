/** Values, each with its weight, in two columns; room is made beforehand. */
export class WeightedValues {
  readonly #values: Float64Array;
  readonly #weights: Float64Array;
  #count = 0;

  constructor(countMax: number) {
    this.#values = new Float64Array(countMax);
    this.#weights = new Float64Array(countMax);
  }

  add(value: number, weight: number): void {
    this.#values[this.#count] = value;
    this.#weights[this.#count] = weight;
    this.#count += 1;
  }

  /**
   * Quantiles: the smallest value that has at least that share of the weight at or below it. NaN of nothing; Infinity is
   * a value like others.
   */
  quantiles(shares: readonly number[]): number[] {
    const sorted = this.#values.slice(0, this.#count).sort();
    const upTo = this.#weightsUpTo(sorted);
    const total = upTo[this.#count - 1] ?? 0;
    return shares.map((share) => sorted[firstAtLeast(upTo, share * total)] ?? Number.NaN);
  }

  /** The weight of all values up to each of the sorted ones; of equal ones the first has it all. */
  #weightsUpTo(sorted: Float64Array): Float64Array {
    const upTo = new Float64Array(this.#count);
    for (let at = 0; at < this.#count; at += 1) {
      const place = firstAtLeast(sorted, this.#values[at] ?? 0);
      upTo[place] = (upTo[place] ?? 0) + (this.#weights[at] ?? 0);
    }
    for (let at = 1; at < this.#count; at += 1) upTo[at] = (upTo[at] ?? 0) + (upTo[at - 1] ?? 0);
    return upTo;
  }
}

/** In an ascending column; the last place if all lie below. */
function firstAtLeast(column: Float64Array, value: number): number {
  let [from, to] = [0, column.length - 1];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((column[middle] ?? 0) >= value) to = middle;
    else from = middle + 1;
  }
  return from;
}
