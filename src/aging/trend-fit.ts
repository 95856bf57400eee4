/**
 * Regression of the whitened blocks on level, load and the clocks of one shape, with a wide normal prior on the
 * clocks' slopes (conjugate; O'Hagan 1994, ch. 9). The marginal likelihood says how well shape and noise explain
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

/** Inner products of whitened columns: level first, then the load if it is looked for, then the clocks. */
export interface Products {
  readonly size: number;
  /** How many columns are no clocks. */
  readonly fixed: number;
  /** Row by row; only the lower triangle is read. */
  readonly gram: readonly number[];
  /** Of each column with the values. */
  readonly moments: readonly number[];
  /** Of the values with themselves. */
  readonly squares: number;
  readonly count: number;
}

/** Likelihood and noise of a fit; its coefficients are worked out when they are asked for. */
export class TrendFit {
  readonly logLikelihood: number;
  readonly sigma: number;
  readonly #products: Products;
  readonly #factor: readonly number[];

  /** @param sumLogs of the whitening. */
  constructor(products: Products, sumLogs: number) {
    const { size, fixed, gram, moments, squares, count } = products;
    const factor = [...gram];
    for (let i = 0; i < size; i += 1) factor[i * size + i] = (factor[i * size + i] ?? 0) + 1 / priorVariance;
    const logDeterminant = factorise(factor, size);
    const rest = squares - explained(factor, moments);
    const n = Math.max(count - 1, 1);
    const sigmaSquared = Math.max(rest / Math.max(n - 1, 1), sigmaMin ** 2);
    const charge = (size - 1) * logPriorVariance - 2 * (size - fixed) * slopeCredit;
    this.logLikelihood = -0.5 * (n * Math.log(sigmaSquared) + sumLogs + charge + logDeterminant + Math.max(rest, 0) / sigmaSquared);
    this.sigma = Math.sqrt(sigmaSquared);
    this.#products = products;
    this.#factor = factor;
  }

  /** Row by row, in units of the noise: times sigma² it is the covariance of the coefficients. */
  get inverse(): readonly number[] {
    return invert(this.#factor, this.#products.size);
  }

  get coefficients(): readonly number[] {
    const { size, moments } = this.#products;
    const { inverse } = this;
    return moments.map((_, i) => moments.reduce((sum, moment, j) => sum + (inverse[i * size + j] ?? 0) * moment, 0));
  }
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += (a[at] ?? 0) * (b[at] ?? 0);
  return sum;
}

/** What of the values' squares the columns explain: the moments' square in the metric of the inverse, by half a solution. */
function explained(factor: readonly number[], moments: readonly number[]): number {
  const size = moments.length;
  const half: number[] = [];
  let squares = 0;
  for (let i = 0; i < size; i += 1) {
    let sum = moments[i] ?? 0;
    for (let j = 0; j < i; j += 1) sum -= (factor[i * size + j] ?? 0) * (half[j] ?? 0);
    const value = sum / (factor[i * size + i] ?? 1);
    half.push(value);
    squares += value * value;
  }
  return squares;
}

/** Cholesky, in place, of the lower triangle. @returns the logarithm of the determinant. */
function factorise(matrix: number[], size: number): number {
  let log = 0;
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let sum = matrix[i * size + j] ?? 0;
      for (let k = 0; k < j; k += 1) sum -= (matrix[i * size + k] ?? 0) * (matrix[j * size + k] ?? 0);
      if (i === j) {
        // Columns that say the same leave rounding errors here; the prior keeps it above zero but for those.
        const pivot = Math.sqrt(Math.max(sum, 1e-12));
        matrix[i * size + i] = pivot;
        log += 2 * Math.log(pivot);
      } else matrix[i * size + j] = sum / (matrix[j * size + j] ?? 1);
    }
  }
  return log;
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
