/** Quantiles of weighted values: the smallest value that has at least that share of the weight at or below it. */

export interface Weighted {
  readonly value: number;
  readonly weight: number;
}

/** At each of the shares, which ascend. NaN of nothing; Infinity is a value like others. */
export function quantiles(values: readonly Weighted[], shares: readonly number[]): number[] {
  const sorted = [...values].sort((a, b) => (a.value === b.value ? 0 : a.value - b.value));
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0);
  let at = 0;
  let below = sorted[0]?.weight ?? 0;
  return shares.map((share) => {
    while (below < share * total && at + 1 < sorted.length) {
      at += 1;
      below += sorted[at]?.weight ?? 0;
    }
    return sorted[at]?.value ?? Number.NaN;
  });
}
