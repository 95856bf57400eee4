/**
 * A Kalman filter for one shape of growth under one kind of noise (Harvey 1989, ch. 3): level, slope against
 * the shape's clock, the effect of the load, and a correlated disturbance. Noise is given in units of its own
 * variance, which is concentrated out, so that one filter serves bytes and descriptors. Its likelihood says
 * how well the shape and the noise explain the blocks; its last state is where a forecast begins.
 */

export interface NoiseKind {
  readonly name: string;
  /** Variance of a block's own error. */
  readonly white: number;
  /** Variance and correlation time (share of life) of a disturbance that returns to zero. */
  readonly drift: number;
  readonly driftTime: number;
  /** Variance that the level gains by wandering, over one life. */
  readonly levelWalk: number;
  /** Variance that the slope gains by wandering, over one life. */
  readonly slopeWalk: number;
}

const noise = (name: string, white: number, drift: number, driftTime: number, levelWalk: number, slopeWalk: number): NoiseKind => ({
  name,
  white,
  drift,
  driftTime,
  levelWalk,
  slopeWalk,
});

export const noiseKinds: readonly NoiseKind[] = [
  noise("correlated", 0.3, 1, 0.015, 0, 0),
  noise("independent", 1, 0, 1, 0, 0),
  noise("long correlated", 0.15, 1, 0.06, 0, 0),
  noise("a wandering level", 0.2, 0, 1, 64, 0),
  noise("a wandering slope", 1, 0, 1, 0, 3_000),
  noise("a fast wandering slope", 0.5, 0.5, 0.01, 0, 200_000),
];

/** What the filter sees of a block. */
export interface FilterInput {
  readonly time: number;
  readonly clock: number;
  readonly load: number;
  readonly value: number;
  /** How much surer than the mean block it is: its width, relative. */
  readonly weight: number;
}

export interface FilterResult {
  readonly logLikelihood: number;
  readonly level: number;
  readonly slope: number;
  readonly loadEffect: number;
  readonly disturbance: number;
  readonly sigma: number;
  /** Variances and covariance of level + disturbance and slope. */
  readonly levelVariance: number;
  readonly slopeVariance: number;
  readonly covariance: number;
}

const size = 4;
const level = 0;
const slope = 1;
const loadEffect = 2;
const disturbance = 3;
/** Before the first block anything is possible; values are scaled to about 1, noise to its own variance. */
export const priorVariance = 1e8;
/** A noise smaller than this share of the scaled values is rounding. */
const sigmaMin = 1e-4;

/** @param usesLoad whether a load effect is looked for. @param grows false: the slope is held at zero. */
export function filterTrend(inputs: readonly FilterInput[], kind: NoiseKind, usesLoad: boolean, grows: boolean): FilterResult {
  const state = new Float64Array(size);
  const cov = new Float64Array(size * size);
  cov[level * size + level] = priorVariance;
  cov[slope * size + slope] = grows ? priorVariance : 0;
  cov[loadEffect * size + loadEffect] = usesLoad ? priorVariance : 0;
  cov[disturbance * size + disturbance] = kind.drift;
  const gain = new Float64Array(size);
  let before: FilterInput | null = null;
  let sumSquares = 0;
  let sumLogs = 0;
  let anchored = 0;
  for (const input of inputs) {
    if (before !== null) advance(state, cov, kind, input.time - before.time, input.clock - before.clock, grows);
    else advance(state, cov, kind, 0, input.clock, grows);
    before = input;
    // Observation: level + load × effect + disturbance + white.
    let variance = kind.white / input.weight;
    for (let row = 0; row < size; row += 1) {
      const at = row * size;
      gain[row] = (cov[at + level] ?? 0) + (cov[at + loadEffect] ?? 0) * input.load + (cov[at + disturbance] ?? 0);
    }
    variance += (gain[level] ?? 0) + (gain[loadEffect] ?? 0) * input.load + (gain[disturbance] ?? 0);
    const expected = (state[level] ?? 0) + (state[loadEffect] ?? 0) * input.load + (state[disturbance] ?? 0);
    const surprise = input.value - expected;
    if (anchored > 0) {
      sumSquares += (surprise * surprise) / variance;
      sumLogs += Math.log(variance);
    }
    anchored += 1;
    for (let row = 0; row < size; row += 1) {
      const share = (gain[row] ?? 0) / variance;
      state[row] = (state[row] ?? 0) + share * surprise;
      for (let column = 0; column < size; column += 1) {
        const at = row * size + column;
        cov[at] = (cov[at] ?? 0) - share * (gain[column] ?? 0);
      }
    }
  }
  const n = Math.max(inputs.length - 1, 1);
  const sigmaSquared = Math.max(sumSquares / Math.max(n - 1, 1), sigmaMin ** 2);
  const at = (row: number, column: number) => (cov[row * size + column] ?? 0) * sigmaSquared;
  return {
    logLikelihood: -0.5 * (n * Math.log(sigmaSquared) + sumLogs + sumSquares / sigmaSquared),
    level: state[level] ?? 0,
    slope: state[slope] ?? 0,
    loadEffect: state[loadEffect] ?? 0,
    disturbance: state[disturbance] ?? 0,
    sigma: Math.sqrt(sigmaSquared),
    levelVariance: at(level, level),
    slopeVariance: at(slope, slope),
    covariance: at(level, slope),
  };
}

function advance(state: Float64Array, cov: Float64Array, kind: NoiseKind, dt: number, dClock: number, grows: boolean): void {
  const keep = kind.drift === 0 ? 0 : Math.exp(-dt / kind.driftTime);
  state[level] = (state[level] ?? 0) + (state[slope] ?? 0) * dClock;
  state[disturbance] = (state[disturbance] ?? 0) * keep;
  if (dClock !== 0 && grows) {
    for (let column = 0; column < size; column += 1) {
      cov[level * size + column] = (cov[level * size + column] ?? 0) + dClock * (cov[slope * size + column] ?? 0);
    }
    for (let row = 0; row < size; row += 1) {
      cov[row * size + level] = (cov[row * size + level] ?? 0) + dClock * (cov[row * size + slope] ?? 0);
    }
  }
  for (let other = 0; other < size; other += 1) {
    cov[disturbance * size + other] = (cov[disturbance * size + other] ?? 0) * keep;
    cov[other * size + disturbance] = (cov[other * size + disturbance] ?? 0) * keep;
  }
  const add = (which: number, variance: number) => {
    cov[which * size + which] = (cov[which * size + which] ?? 0) + variance;
  };
  add(level, kind.levelWalk * dt);
  if (grows) add(slope, kind.slopeWalk * dt);
  add(disturbance, kind.drift * (1 - keep * keep));
}
