/**
 * The forecast of one indicator: every shape of growth under a plain noise, then the best shapes under every
 * noise, weighed by likelihood and prior (Bayesian model averaging; Hoeting 1999). Of each, the paths at
 * eleven quantiles are followed to where they meet the limit *first*, noise and load peaks included: maxima
 * arrive before the mean line does. The intervals are calibrated on generated traces (docs/aging-benchmark.md),
 * not guaranteed.
 */
import type { Interval } from "../model/report.ts";
import type { FloorPoint, FloorTrack } from "./floor-track.ts";
import { type GrowthShape, growthShapes, type LifeMark } from "./growth-shapes.ts";
import { type LoadAhead, type LoadProfile, loadAhead } from "./load-profile.ts";
import { type FilterInput, type FilterResult, filterTrend, type NoiseKind, noiseKinds, priorVariance } from "./trend-filter.ts";
import { quantile, type Weighted } from "./weighted.ts";

export interface Forecast {
  /** From the last reading until the limit is met; Infinity where it never is. Null without a limit. */
  readonly exhaustionMs: Interval | null;
  /** Deeper quantiles than the interval's, for decisions. */
  readonly exhaustionMsEarliest: number;
  readonly exhaustionMsLikely: number;
  /** 0..1: weight of the shapes that grow and do not end. */
  readonly growsRatio: number;
  readonly slopePerHour: Interval;
  readonly slopePerThousandRequests: Interval | null;
  /** The expected level at the last reading. */
  readonly level: number;
  readonly shape: string;
}

interface Candidate {
  readonly shape: GrowthShape;
  readonly kind: NoiseKind;
  readonly result: FilterResult;
  readonly logWeight: number;
}

/** The life in scaled units. */
interface Scaled {
  readonly inputs: readonly Omit<FilterInput, "clock">[];
  readonly marks: readonly LifeMark[];
  readonly usesLoad: boolean;
  readonly loadPeak: number;
  readonly meanLoad: number;
  readonly overloadWork: number;
  /** What a day from now on brings; null while no day is known. */
  readonly day: readonly LoadAhead[] | null;
  readonly lifeMs: number;
  readonly work: number;
  readonly offset: number;
  readonly unit: number;
  /** Work and overload that a further life will bring. */
  readonly pace: { readonly work: number; readonly overloadWork: number };
}

const shapesKept = 9;
const logWeightMin = -6;
/** Standard normal quantiles at (i + ½)/11. */
const pathQuantiles = [-1.691, -1.097, -0.748, -0.473, -0.23, 0, 0.23, 0.473, 0.748, 1.097, 1.691] as const;
/** Forecasts reach this many lives ahead; what lies beyond is called never. */
const livesMax = 60;
/** A crossing is looked for on this grid first: from a 2,000th of a life, by this factor. */
const stepFirst = 1 / 2_000;
const stepFactor = 1.2;
const stepsAhead: readonly number[] = [
  0,
  ...Array.from({ length: Math.ceil(Math.log(livesMax / stepFirst) / Math.log(stepFactor)) }, (_, at) => stepFirst * stepFactor ** at),
];

interface PathPoint {
  readonly lives: number;
  readonly above: number;
  readonly spread: number;
}
/** So many standard deviations of noise the mean climbs while maxima can still be the first to meet the limit. */
const windowNoises = 1;
/** Variance of the maximum of many normals, relative to theirs. */
const maximumVariance = 0.25;
/** Calibrated: shapes and noises are never exactly those of the mixture. */
const widening = 1.3;
/** How far the work to come may differ from what is expected of it; a third where a day is known. */
const paceDoubtRatio = 0.2;
const occamCredit = 0.5 * Math.log(priorVariance / 1e4);
export const blocksMin = 6;

export function forecast(track: FloorTrack, limit: number | null, profile: LoadProfile): Forecast | null {
  const scaled = scale(track, profile);
  if (scaled === null) return null;
  const candidates = weigh(scaled);
  const noiseRatio = track.readingNoise / scaled.unit;
  const rowsPerLife = track.count;
  const room = limit === null ? null : (limit - scaled.offset) / scaled.unit;
  const times: Weighted[] = [];
  const slopes: Weighted[] = [];
  let grows = 0;
  let expected = 0;
  for (const candidate of candidates) {
    const weight = Math.exp(candidate.logWeight);
    if (!candidate.shape.ends) grows += weight;
    expected += weight * (candidate.result.level + candidate.result.disturbance);
    const rate = ratePerLife(candidate, scaled);
    const path = room === null ? [] : pathOf(candidate, scaled, room, { noiseRatio, rowsPerLife });
    for (const z of pathQuantiles) {
      slopes.push({ value: rate.mean + z * rate.deviation, weight });
      if (room !== null) times.push({ value: crossing(path, z) * scaled.lifeMs, weight });
    }
  }
  const best = candidates[0];
  const perHour = (scaled.unit / scaled.lifeMs) * 3_600_000;
  const interval = (values: readonly Weighted[], by: number): Interval => ({
    low: quantile(values, 0.05) * by,
    mid: quantile(values, 0.5) * by,
    high: quantile(values, 0.95) * by,
  });
  const slope = interval(slopes, 1);
  return {
    exhaustionMs: room === null ? null : interval(times, 1),
    exhaustionMsEarliest: quantile(times, 0.025),
    exhaustionMsLikely: quantile(times, 0.8),
    growsRatio: grows,
    slopePerHour: multiply(slope, perHour),
    slopePerThousandRequests:
      scaled.work > 0 ? multiply(slope, (scaled.unit / scaled.work / Math.max(scaled.pace.work, 0.01)) * 1_000) : null,
    level: expected * scaled.unit + scaled.offset,
    shape: best?.shape.name ?? "not at all",
  };
}

function multiply({ low, mid, high }: Interval, by: number): Interval {
  return { low: low * by, mid: mid * by, high: high * by };
}

/** Subtracts the first block, divides by the range: bytes and descriptors become numbers of about 1. */
function scale(track: FloorTrack, profile: LoadProfile): Scaled | null {
  const { points } = track;
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined || points.length < blocksMin) return null;
  const lifeMs = last.atMs - first.atMs;
  let low = first.value;
  let high = first.value;
  for (const { value } of points) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const unit = Math.max(high - low, Math.abs(high) * 1e-6, Number.MIN_VALUE * 1e20);
  if (lifeMs <= 0 || !Number.isFinite(unit)) return null;
  const knowsWork = points.every(({ work }) => Number.isFinite(work));
  const work = knowsWork ? last.work - first.work : 0;
  const overloadWork = knowsWork ? last.overloadWork - first.overloadWork : 0;
  const loads = work > 0 ? loadOf(points, (work / lifeMs) * 1) : points.map(() => 0);
  const mean = loads.reduce((sum, load) => sum + load, 0) / loads.length;
  const spread = Math.max(...loads) - Math.min(...loads);
  const usesLoad = spread > 0.4 && points.length >= 12;
  const marks = points.map((point) => ({
    time: (point.atMs - first.atMs) / lifeMs,
    work: work > 0 ? (point.work - first.work) / work : 0,
    overloadWork: overloadWork > 0 ? (point.overloadWork - first.overloadWork) / overloadWork : 0,
  }));
  const inputs = points.map((point, at) => ({
    time: (point.atMs - first.atMs) / lifeMs,
    load: usesLoad ? (loads[at] ?? mean) - mean : 0,
    value: (point.value - first.value) / unit,
    weight: Math.min(Math.max((point.count * points.length) / track.count, 0.05), 8),
  }));
  return {
    inputs,
    marks,
    usesLoad,
    loadPeak: usesLoad ? Math.max(...inputs.map(({ load }) => load)) : 0,
    lifeMs,
    work,
    offset: first.value,
    unit,
    pace: paceOf(marks),
    overloadWork,
    day: work > 0 && profile.isKnown ? profile.day(last.atMs) : null,
    meanLoad: mean,
  };
}

/** Request rate of each block relative to the life's mean. */
function loadOf(points: readonly FloorPoint[], mean: number): number[] {
  return points.map((point, at) => {
    const before = points[at - 1] ?? point;
    const after = points[at + 1] ?? point;
    const dt = after.atMs - before.atMs;
    return dt > 0 ? (after.work - before.work) / dt / mean : 1;
  });
}

/** What a further life brings in work: half what this one did, half what its last quarter did. */
function paceOf(marks: readonly LifeMark[]): { work: number; overloadWork: number } {
  const last = marks.at(-1);
  const then = marks.find(({ time }) => time >= 0.75);
  if (last === undefined || then === undefined || last.time <= then.time) return { work: 1, overloadWork: 1 };
  const recent = (now: number, before: number) => (now - before) / (last.time - then.time);
  return { work: 0.5 + 0.5 * recent(last.work, then.work), overloadWork: 0.5 + 0.5 * recent(last.overloadWork, then.overloadWork) };
}

/** Shapes under a plain noise; the best of them under every noise; normalised weights, best first. */
function weigh(scaled: Scaled): Candidate[] {
  const plain = noiseKinds[0];
  if (plain === undefined) return [];
  const shapes = growthShapes.filter(({ needsWork }) => !needsWork || scaled.work > 0);
  const first = shapes.map((shape) => fit(scaled, shape, plain)).sort((a, b) => b.logWeight - a.logWeight);
  const kept = first.slice(0, shapesKept);
  for (const must of [first.find(({ shape }) => !shape.ends), first.find(({ shape }) => shape.ends)]) {
    if (must !== undefined && !kept.includes(must)) kept.push(must);
  }
  const all = [...first, ...kept.flatMap(({ shape }) => noiseKinds.slice(1).map((kind) => fit(scaled, shape, kind)))];
  const highest = all.reduce((max, { logWeight }) => Math.max(max, logWeight), Number.NEGATIVE_INFINITY);
  const heavy = all.filter(({ logWeight }) => logWeight - highest > logWeightMin).sort((a, b) => b.logWeight - a.logWeight);
  const total = Math.log(heavy.reduce((sum, { logWeight }) => sum + Math.exp(logWeight - highest), 0)) + highest;
  return heavy.map((candidate) => ({ ...candidate, logWeight: candidate.logWeight - total }));
}

function fit(scaled: Scaled, shape: GrowthShape, kind: NoiseKind): Candidate {
  const grows = shape.name !== "not at all";
  const inputs = scaled.inputs.map((input, at) => ({
    ...input,
    clock: shape.clock(scaled.marks[at] ?? { time: 0, work: 0, overloadWork: 0 }),
  }));
  const result = filterTrend(inputs, kind, scaled.usesLoad, grows);
  return { shape, kind, result, logWeight: result.logLikelihood + Math.log(shape.prior) + (grows ? occamCredit : 0) };
}

function markAhead({ pace, day, lifeMs, work, overloadWork }: Scaled, lives: number): LifeMark {
  if (day === null) return { time: 1 + lives, work: 1 + lives * pace.work, overloadWork: 1 + lives * pace.overloadWork };
  const ahead = loadAhead(day, lives * lifeMs);
  return { time: 1 + lives, work: 1 + ahead.work / work, overloadWork: overloadWork > 0 ? 1 + ahead.overloadWork / overloadWork : 1 };
}

/** The highest load on the way, relative to the life's mean, as the filter sees it. */
function peakAhead({ day, lifeMs, work, loadPeak, meanLoad, usesLoad }: Scaled, lives: number): number {
  if (!usesLoad) return 0;
  if (day === null) return loadPeak * Math.min(1, lives * 4);
  return loadAhead(day, lives * lifeMs).highestRate / (work / lifeMs) - meanLoad;
}

/** Growth over the last tenth of a life ahead, in units of one life. */
function ratePerLife({ shape, result }: Candidate, scaled: Scaled): { mean: number; deviation: number } {
  const ahead = 0.1;
  const per = (shape.clock(markAhead(scaled, ahead)) - shape.clock(markAhead(scaled, 0))) / ahead;
  return { mean: result.slope * per, deviation: Math.sqrt(Math.max(result.slopeVariance, 0)) * Math.abs(per) };
}

/** On the grid of times ahead: where the path's middle lies above the room's end, and its spread there. */
function pathOf(candidate: Candidate, scaled: Scaled, room: number, rows: { noiseRatio: number; rowsPerLife: number }): PathPoint[] {
  const { shape, kind, result } = candidate;
  const now = shape.clock(markAhead(scaled, 0));
  const variance = result.sigma ** 2;
  return stepsAhead.map((lives) => {
    const dClock = shape.clock(markAhead(scaled, lives)) - now;
    const parameters = Math.max(result.levelVariance + 2 * dClock * result.covariance + dClock * dClock * result.slopeVariance, 0);
    const walks = variance * (kind.levelWalk * lives + (kind.slopeWalk * lives ** 3) / 3);
    const fades = kind.drift === 0 ? 0 : Math.exp(-lives / kind.driftTime);
    const mean = result.level + result.slope * dClock + result.disturbance * fades;
    const driftVariance = variance * kind.drift * (1 - fades * fades);
    // Maxima count where the mean is near enough: in the time in which it climbs about as much as they reach.
    const climb = Math.max(result.slope * dClock, 0) / Math.max(lives, stepFirst);
    const window = Math.min(lives, (windowNoises * Math.sqrt(rows.noiseRatio ** 2 + driftVariance)) / Math.max(climb, 1e-9));
    const highestRow = rows.noiseRatio * maximumOf(window * rows.rowsPerLife);
    const highestDrift = Math.sqrt(driftVariance) * maximumOf(window / kind.driftTime);
    const pace = shape.needsWork ? (result.slope * dClock * (scaled.day === null ? paceDoubtRatio : paceDoubtRatio / 3)) ** 2 : 0;
    const maxima = maximumVariance * (rows.noiseRatio ** 2 + driftVariance);
    const peak = Math.max(result.loadEffect, 0) * peakAhead(scaled, lives);
    return {
      lives,
      above: mean + peak + Math.hypot(highestRow, highestDrift) - room,
      spread: widening * Math.sqrt(parameters + walks + maxima + pace),
    };
  });
}

/** Lives until the path at quantile z first meets the room's end; between two points of the grid it is straight. */
function crossing(path: readonly PathPoint[], z: number): number {
  let before = Number.NEGATIVE_INFINITY;
  let beforeLives = 0;
  for (const { lives, above, spread } of path) {
    const height = above + z * spread;
    if (height >= 0) return before === Number.NEGATIVE_INFINITY ? 0 : beforeLives + ((lives - beforeLives) * before) / (before - height);
    before = height;
    beforeLives = lives;
  }
  return Number.POSITIVE_INFINITY;
}

/** Expected maximum of n independent standard normals, roughly (0 for less than two). */
function maximumOf(n: number): number {
  return n <= 2 ? 0 : Math.sqrt(2 * Math.log(n)) - (Math.log(Math.log(n)) + 1.38) / (2 * Math.sqrt(2 * Math.log(n)));
}
