/**
 * The kinds of noise that a floor can have about its mean, each a scalar Gauss–Markov disturbance under
 * independent errors (Harvey 1989, ch. 3). Its Kalman gains do not depend on the data, so one pass of
 * `Whitening` turns any series (readings, clocks, the load) into one of independent errors, and every shape of
 * growth becomes a small regression (Whittle 1953; the exact form of pre-whitening). Noise is in units of its
 * own variance, which the regression estimates.
 */

export interface NoiseKernel {
  readonly name: string;
  /** Variance of a block's own error. */
  readonly white: number;
  /** Variance and correlation time (share of life) of a disturbance that returns to zero (Ornstein–Uhlenbeck). */
  readonly drift: number;
  readonly driftTime: number;
  /** Variance that the level gains by wandering, over one life; excludes a drift. */
  readonly walk: number;
  readonly prior: number;
}

const kernel = (name: string, prior: number, white: number, drift: number, driftTime: number, walk: number): NoiseKernel => ({
  name,
  white,
  drift,
  driftTime,
  walk,
  prior,
});

/** The first is the plain one, under which every shape is tried. */
export const noiseKernels: readonly NoiseKernel[] = [
  kernel("correlated", 1, 0.3, 1, 0.015, 0),
  kernel("independent", 1, 1, 0, 1, 0),
  kernel("briefly correlated", 1, 0.3, 1, 0.004, 0),
  kernel("long correlated", 1, 0.15, 1, 0.06, 0),
  kernel("very long correlated", 0.5, 0.1, 1, 0.2, 0),
  kernel("a wandering level", 0.5, 1, 0, 1, 15),
  kernel("a level of steps", 0.5, 0.05, 0, 1, 64),
];

/** The gains for the times of one life; `whiten` may be asked for as many series as wanted. */
export class Whitening {
  readonly kernel: NoiseKernel;
  readonly count: number;
  /** Of each block three: the scale, and what is left at the next block of the wave before and of the value. */
  readonly #steps: Float64Array;
  /** Sum of the logarithms of the one-step variances: half of it goes into the likelihood. */
  readonly sumLogs: number;
  /** Variance of the disturbance after the last block, in units of the noise. */
  readonly lastVariance: number;

  /** @param weights how much surer than the mean block each is. */
  constructor(noise: NoiseKernel, times: ArrayLike<number>, weights: ArrayLike<number>) {
    this.kernel = noise;
    this.count = times.length;
    this.#steps = new Float64Array(3 * times.length);
    let variance = noise.drift;
    // Of some 64 numbers between a hundredth and a hundred: one logarithm will do.
    let product = 1;
    for (let at = 0; at < times.length; at += 1) {
      const time = times[at] ?? 0;
      const until = (times[at + 1] ?? time) - time;
      const seen = variance + noise.white / (weights[at] ?? 1);
      const gain = variance / seen;
      const keep = keepOver(noise, until);
      this.#steps[3 * at] = 1 / Math.sqrt(seen);
      this.#steps[3 * at + 1] = keep * (1 - gain);
      this.#steps[3 * at + 2] = keep * gain;
      product *= seen;
      variance = (variance - variance * gain) * keep * keep + noise.drift * (1 - keep * keep) + noise.walk * until;
    }
    this.sumLogs = Math.log(product);
    this.lastVariance = variance;
  }

  /** Writes the whitened series into `into`, from a place on. @returns the disturbance that the series would leave after the last block. */
  whiten(series: Float64Array, into: Float64Array, from = 0): number {
    const steps = this.#steps;
    let wave = 0;
    for (let at = 0; at < this.count; at += 1) {
      const value = series[at] ?? 0;
      into[from + at] = (value - wave) * (steps[3 * at] ?? 1);
      wave = wave * (steps[3 * at + 1] ?? 0) + value * (steps[3 * at + 2] ?? 0);
    }
    return wave;
  }
}

/** What is left of a disturbance after a time. */
export function keepOver({ drift, driftTime }: Pick<NoiseKernel, "drift" | "driftTime">, time: number): number {
  return drift === 0 ? 1 : Math.exp(-time / driftTime);
}
