/** Values, each with its weight, in two columns; room is made beforehand. */
export class WeightedValues {
  readonly #values: Float64Array;
  readonly #weights: Float64Array;
  #count = 0;
  #total = 0;

  constructor(countMax: number) {
    this.#values = new Float64Array(countMax);
    this.#weights = new Float64Array(countMax);
  }

  add(value: number, weight: number): void {
    this.#values[this.#count] = value;
    this.#weights[this.#count] = weight;
    this.#count += 1;
    this.#total += weight;
  }

  /**
   * Quantiles: the smallest value that has at least that share of the weight at or below it. NaN of nothing; Infinity is
   * a value like others.
   */
  quantiles(shares: readonly number[]): number[] {
    const sorted = this.#values.slice(0, this.#count).sort();
    return shares.map((share) => {
      let [from, to] = [0, this.#count - 1];
      while (from < to) {
        const middle = (from + to) >> 1;
        if (this.#weightUpTo(sorted[middle] ?? 0) >= share * this.#total) to = middle;
        else from = middle + 1;
      }
      return sorted[from] ?? Number.NaN;
    });
  }

  #weightUpTo(value: number): number {
    let sum = 0;
    for (let at = 0; at < this.#count; at += 1) if ((this.#values[at] ?? 0) <= value) sum += this.#weights[at] ?? 0;
    return sum;
  }
}
