/**
 * The Theil–Sen slope: the median of the slopes between all pairs (Theil 1950, Sen 1968). Robust against
 * up to 29 % of outliers. The interval is that of Gilbert (1987, §16.4.2): ranks around the median, from
 * the variance of Kendall's S without ties; it takes the points for independent, so it is calibrated, not
 * guaranteed.
 */

export interface SlopeEstimate {
  readonly low: number;
  readonly mid: number;
  readonly high: number;
}

/** One-sided 5 % on each side: a 90 % interval. */
const normalQuantile = 1.6448536269514722;

/** Change of y per unit of x; null with fewer than three points or no spread in x. */
export function theilSen(xs: readonly number[], ys: readonly number[]): SlopeEstimate | null {
  const n = xs.length;
  if (n < 3) return null;
  const slopes: number[] = [];
  for (let i = 0; i < n; i += 1) {
    for (let j = i + 1; j < n; j += 1) {
      const dx = (xs[j] ?? 0) - (xs[i] ?? 0);
      if (dx !== 0) slopes.push(((ys[j] ?? 0) - (ys[i] ?? 0)) / dx);
    }
  }
  if (slopes.length === 0) return null;
  slopes.sort((a, b) => a - b);
  const half = (normalQuantile * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18)) / 2;
  const middle = (slopes.length - 1) / 2;
  return { low: atRank(slopes, middle - half), mid: atRank(slopes, middle), high: atRank(slopes, middle + half) };
}

/** Between two ranks: their weighted mean. */
function atRank(sorted: readonly number[], rank: number): number {
  const clamped = Math.min(Math.max(rank, 0), sorted.length - 1);
  const below = Math.floor(clamped);
  const low = sorted[below] ?? 0;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? low;
  return low + (high - low) * (clamped - below);
}
