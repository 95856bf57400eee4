/** Quantiles of weighted values: the smallest value that has at least that share of the weight at or below it. */

export interface Weighted {
  readonly value: number;
  readonly weight: number;
}

/** NaN of nothing. Infinity is a value like others. */
export function quantile(values: readonly Weighted[], share: number): number {
  const sorted = [...values].sort((a, b) => (a.value === b.value ? 0 : a.value - b.value));
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0);
  let below = 0;
  for (const { value, weight } of sorted) {
    below += weight;
    if (below >= share * total) return value;
  }
  return sorted.at(-1)?.value ?? Number.NaN;
}
