/**
 * Regression of the whitened blocks on level, load and the clocks of one shape, with a wide normal prior on all
 * coefficients (conjugate; O'Hagan 1994, ch. 9). The marginal likelihood says how well shape and noise explain
 * the blocks and charges each further slope for its freedom. Where the noise is of a wandering slope, which is
 * no scalar disturbance, trend-filter.ts gives the same kind of result.
 */

/** Of every coefficient, in units of the noise: as good as none, so that it bends nothing. */
export const priorVariance = 1e8;
const logPriorVariance = Math.log(priorVariance);
/** But a slope is charged for its freedom as if it came from this variance: what is worth a slope is a hundred deviations. */
export const slopeCredit = 0.5 * Math.log(priorVariance / 1e4);
/** A noise smaller than this share of the scaled values is rounding. */
const sigmaMin = 1e-4;
/** Columns that say the same leave rounding errors on the diagonal; the prior keeps it above zero but for those. */
const pivotMin = 1e-12;

/** What a regression leaves unexplained, and what its freedom costs. */
export interface Rest {
  readonly count: number;
  readonly squares: number;
  /** How many columns are level or load, and how many are clocks. */
  readonly fixed: number;
  readonly clocks: number;
  /** Of the products of the columns, priors included. */
  readonly logDeterminant: number;
}

/** @param sumLogs of the whitening. */
export function logLikelihoodOf(rest: Rest, sumLogs: number): number {
  const { count, squares, fixed, clocks, logDeterminant } = rest;
  const variance = varianceOf(rest);
  const charge = (fixed + clocks - 1) * logPriorVariance - 2 * clocks * slopeCredit;
  return -0.5 * (Math.max(count - 1, 1) * Math.log(variance) + sumLogs + charge + logDeterminant + Math.max(squares, 0) / variance);
}

/** Of the noise. */
export function varianceOf({ squares, count }: Pick<Rest, "squares" | "count">): number {
  return Math.max(squares / Math.max(count - 2, 1), sigmaMin ** 2);
}

/** One step of the factorisation: what is left of a diagonal. */
export function pivotOf(square: number): number {
  return Math.max(square, pivotMin);
}

export interface Solution {
  readonly coefficients: readonly number[];
  /** Row by row, in units of the noise: times its variance it is the covariance of the coefficients. */
  readonly inverse: readonly number[];
}

/** @param gram products of the columns without priors, row by row, of which the lower triangle is read. @param moments theirs with the values. */
export function solve(gram: readonly number[], moments: readonly number[]): Solution {
  const size = moments.length;
  const factor = [...gram];
  for (let i = 0; i < size; i += 1) factor[i * size + i] = (factor[i * size + i] ?? 0) + 1 / priorVariance;
  factorise(factor, size);
  const inverse = invert(factor, size);
  const coefficients = moments.map((_, i) => moments.reduce((sum, moment, j) => sum + (inverse[i * size + j] ?? 0) * moment, 0));
  return { coefficients, inverse };
}

/** Cholesky, in place, of the lower triangle. */
function factorise(matrix: number[], size: number): void {
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let sum = matrix[i * size + j] ?? 0;
      for (let k = 0; k < j; k += 1) sum -= (matrix[i * size + k] ?? 0) * (matrix[j * size + k] ?? 0);
      matrix[i * size + j] = i === j ? Math.sqrt(pivotOf(sum)) : sum / (matrix[j * size + j] ?? 1);
    }
  }
}

/** Of the factorised matrix: column by column, forward and back. */
function invert(factor: readonly number[], size: number): number[] {
  const inverse: number[] = new Array(size * size).fill(0);
  for (let column = 0; column < size; column += 1) {
    const x: number[] = new Array(size).fill(0);
    for (let i = column; i < size; i += 1) {
      let sum = i === column ? 1 : 0;
      for (let k = column; k < i; k += 1) sum -= (factor[i * size + k] ?? 0) * (x[k] ?? 0);
      x[i] = sum / (factor[i * size + i] ?? 1);
    }
    for (let i = size - 1; i >= 0; i -= 1) {
      let sum = x[i] ?? 0;
      for (let k = i + 1; k < size; k += 1) sum -= (factor[k * size + i] ?? 0) * (x[k] ?? 0);
      x[i] = sum / (factor[i * size + i] ?? 1);
      inverse[i * size + column] = x[i] ?? 0;
    }
  }
  return inverse;
}
