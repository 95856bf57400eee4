/**
 * A Kalman filter for one shape of growth under one kind of noise (Harvey 1989, ch. 3): level, slope against
 * the shape's clock, the effect of the load, and a correlated disturbance. Noise is given in units of its own
 * variance, which is concentrated out, so that one filter serves bytes and descriptors. Its likelihood says
 * how well the shape and the noise explain the blocks; its last state is where a forecast begins.
 */
import { priorVariance, slopeCredit } from "./trend-fit.ts";

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

const wandering = (white: number, drift: number, driftTime: number, slopeWalk: number): NoiseKind => ({
  name: "a wandering slope",
  white,
  drift,
  driftTime,
  levelWalk: 0,
  slopeWalk,
});

/** Growth that follows no clock: its slope wanders, slowly or fast. */
export const slopeWalks: readonly NoiseKind[] = [
  wandering(1, 0, 1, 300),
  wandering(1, 0, 1, 5_000),
  wandering(0.5, 0.5, 0.01, 50_000),
  wandering(0.3, 1, 0.03, 5_000),
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

/** A noise smaller than this share of the scaled values is rounding. */
const sigmaMin = 1e-4;

/**
 * The state is (level, slope, load effect, disturbance); the covariance is symmetric and kept in ten numbers,
 * written out, because this is the inner loop of every evaluation. `v` is a variance or covariance.
 * @param usesLoad whether a load effect is looked for. @param grows false: the slope is held at zero.
 */
export function filterTrend(inputs: readonly FilterInput[], kind: NoiseKind, usesLoad: boolean, grows: boolean): FilterResult {
  let [level, slope, effect, wave] = [0, 0, 0, 0];
  let [vLL, vSS, vEE, vWW] = [priorVariance, grows ? priorVariance : 0, usesLoad ? priorVariance : 0, kind.drift];
  let [vLS, vLE, vLW, vSE, vSW, vEW] = [0, 0, 0, 0, 0, 0];
  let [timeBefore, clockBefore] = [0, 0];
  let [sumSquares, sumLogs, count] = [0, 0, 0];
  for (const { time, clock, load, value, weight } of inputs) {
    const dt = time - timeBefore;
    const dClock = clock - clockBefore;
    timeBefore = time;
    clockBefore = clock;
    // Time passes: the level moves along the slope, the disturbance fades, walks add their variance.
    const keep = kind.drift === 0 ? 0 : Math.exp(-dt / kind.driftTime);
    level += slope * dClock;
    wave *= keep;
    vLL += dClock * (2 * vLS + dClock * vSS) + kind.levelWalk * dt;
    vLS += dClock * vSS;
    vLE += dClock * vSE;
    vLW = (vLW + dClock * vSW) * keep;
    vSW *= keep;
    vEW *= keep;
    vWW = vWW * keep * keep + kind.drift * (1 - keep * keep);
    if (grows) vSS += kind.slopeWalk * dt;
    // A block is seen: level + load × effect + disturbance + its own error.
    const gL = vLL + vLE * load + vLW;
    const gS = vLS + vSE * load + vSW;
    const gE = vLE + vEE * load + vEW;
    const gW = vLW + vEW * load + vWW;
    const variance = gL + gE * load + gW + kind.white / weight;
    const surprise = value - level - effect * load - wave;
    count += 1;
    if (count > 1) {
      sumSquares += (surprise * surprise) / variance;
      sumLogs += Math.log(variance);
    }
    const step = surprise / variance;
    level += gL * step;
    slope += gS * step;
    effect += gE * step;
    wave += gW * step;
    vLL -= (gL * gL) / variance;
    vSS -= (gS * gS) / variance;
    vEE -= (gE * gE) / variance;
    vWW -= (gW * gW) / variance;
    vLS -= (gL * gS) / variance;
    vLE -= (gL * gE) / variance;
    vLW -= (gL * gW) / variance;
    vSE -= (gS * gE) / variance;
    vSW -= (gS * gW) / variance;
    vEW -= (gE * gW) / variance;
  }
  const n = Math.max(count - 1, 1);
  const sigmaSquared = Math.max(sumSquares / Math.max(n - 1, 1), sigmaMin ** 2);
  return {
    logLikelihood: (grows ? slopeCredit : 0) - 0.5 * (n * Math.log(sigmaSquared) + sumLogs + sumSquares / sigmaSquared),
    level,
    slope,
    loadEffect: effect,
    disturbance: wave,
    sigma: Math.sqrt(sigmaSquared),
    levelVariance: vLL * sigmaSquared,
    slopeVariance: vSS * sigmaSquared,
    covariance: vLS * sigmaSquared,
  };
}
