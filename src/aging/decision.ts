/**
 * What a forecast means: is a trend held for real, and is it time to act. The decision is about consequence
 * (docs/aging-model.md): not that something rises, but that it meets its limit within the time in which
 * regenerations can still be done calmly. Long lives wait until little is wasted; short ones act as soon as the
 * evidence is solid. Both answers must stand for a while before they are believed.
 */
import type { Forecast } from "./forecast.ts";

export interface DecisionInput {
  readonly forecast: Forecast;
  /** The forecast's chance of growth, with what other indicators add (fusion.ts). */
  readonly growsRatio: number;
  readonly ageMs: number;
  readonly horizonMs: number;
  readonly limit: number | null;
  readonly highest: number;
  readonly lowest: number;
  /** Noise of neighbouring readings about their common growth. */
  readonly readingNoise: number;
  readonly count: number;
  /** Of the sequential test of records, 0..1. */
  readonly pValue: number;
}

/** Time that acting calmly takes, at least: a queue of nodes that each start, drain and settle. */
const leadMs = 16 * 60_000;
/** Beyond that, the share of the age at which a regeneration comes due. */
const horizonPerAge = 0.035;
/** A level this near its limit is a matter of consequence at any age ... */
const levelRatioMax = 0.85;
/** ... a younger one may act from a lower level: the one it has this many horizons before the end. */
const horizonsBeforeEnd = 1.2;
const levelRatioMinYoung = 0.8;
/** Lives younger than this many horizons are short ones: isUrgent's. */
const horizonsYoung = 3;
/** A long life is due when growth is this likely, and the middle of the forecast within so many horizons. */
const dueGrowsRatioMin = 0.8;
const dueHorizonsMax = 6;
/** A life of less than this many horizons has not yet shown how it goes on: it is due only when the end is near for sure. */
const horizonsOld = 8;
const dueHorizonsMaxYoung = 2.5;
/** Under noise of this share of the limit a vague forecast acts earlier, from a level this high. */
const vagueNoiseRatio = 0.015;
const vagueRatio = 2;
const vaguePerAge = 0.04;
const vagueLevelRatio = 0.88;
/** Peaks are no plain noise if the highest reading lies so many of its deviations above the level. */
const peakNoises = 2.2;
/** Of a stair: how high it is, and what its next steps may bring. */
const stairLevelRatio = 0.9;
const stairHorizons = 1.5;
const stairLikelyPerAge = 0.8;
/** A short life has risen by this share of its limit before it acts ... */
const riseRatioMin = 0.2;
/** ... in any case by many times its noise ... */
const riseNoiseMin = 12;
/** ... and is as near its end as a long one: what fills a cache in minutes looks the same before. */
const urgentLevelRatioMin = 0.8;
/**
 * In its first minutes there is no time for that: nodes that were started together age together, and are
 * regenerated a minute apart. From a lower level, if the end is as near as three of them take.
 */
export const veryYoungMs = 3 * 60_000;
const veryYoungLevelRatioMin = 0.25;
const veryYoungLeftMs = 3 * 60_000;
const countMin = 6;
const pValueMax = 0.01;
/** A trend is held if its end is this many ages away at most: what lies beyond cannot be told from a plateau. */
const agesAhead = 6;
const growsRatioMin = 0.97;
/** Without a limit nothing is exhausted: a rise of this share of the level is worth attention if it is likely to go on. */
const riseWithoutLimitRatio = 0.5;
const growsRatioMinFree = 0.8;

/** A decision must stand for this many new readings, or this share of the age where they are rare: a jump is two or three. */
export const decideReadings = 6;
export const decidePerAgeRare = 0.012;
const readingsLate = 1.5;

/** With the time that it takes to believe a decision, and to hear of it where readings are rare. */
export function horizonAt({ ageMs, horizonMs, count }: Pick<DecisionInput, "ageMs" | "horizonMs" | "count">): number {
  const believeMs = ageMs * Math.min(decideReadings / count, decidePerAgeRare);
  return Math.min(Math.max(ageMs * horizonPerAge, leadMs), horizonMs) + believeMs + (readingsLate * ageMs) / count;
}

export function isTrend({ forecast, ageMs, horizonMs, limit, highest, lowest }: DecisionInput): boolean {
  if (limit === null) return forecast.growsRatio >= growsRatioMinFree && highest - lowest >= riseWithoutLimitRatio * Math.abs(highest);
  if (forecast.growsRatio < growsRatioMin || forecast.slopePerHour.low <= 0) return false;
  const { mid } = forecast.exhaustionMs ?? { mid: Number.POSITIVE_INFINITY };
  return mid <= Math.max(agesAhead * ageMs, horizonMs);
}

/** A long life close to its end. */
export function isDue(input: DecisionInput): boolean {
  const { forecast, ageMs, limit, readingNoise, highest } = input;
  if (limit === null || forecast.exhaustionMs === null) return false;
  const horizon = horizonAt(input);
  if (ageMs < horizonsYoung * horizon) return false;
  const isOld = ageMs >= horizonsOld * horizon;
  if (isOld && isStair(input, horizon)) return true;
  const levelRatioMin = Math.min(Math.max(1 - (horizonsBeforeEnd * horizon) / (ageMs + horizon), levelRatioMinYoung), levelRatioMax);
  if (!isLikely(input, horizon) || Math.min(forecast.level, highest) + 2 * readingNoise < levelRatioMin * limit) return false;
  const { exhaustionMsEarliest: earliestMs, exhaustionMs } = forecast;
  const near = exhaustionMs.mid <= (isOld ? dueHorizonsMax : dueHorizonsMaxYoung) * horizon;
  return (near && (earliestMs <= horizon || isTouching(input, horizon))) || (isOld && isVague(input));
}

/** Under big noise the limit may be met at any moment. */
function isVague(input: DecisionInput): boolean {
  const { forecast, ageMs, limit, readingNoise, highest, lowest } = input;
  if (limit === null || forecast.exhaustionMs === null || readingNoise < vagueNoiseRatio * limit) return false;
  if (!isTrend(input) || highest - lowest < riseRatioMin * limit || forecast.level < vagueLevelRatio * limit) return false;
  return forecast.exhaustionMs.mid >= vagueRatio * forecast.exhaustionMsEarliest && forecast.exhaustionMsEarliest <= vaguePerAge * ageMs;
}

/** The limit is met by the highest reading, not by the mean: where the spread grows with the level, peaks say more than noise does. */
function isTouching(input: DecisionInput, horizon: number): boolean {
  const { forecast, limit, highest, readingNoise } = input;
  if (limit === null || !isTrend(input) || highest - forecast.level < peakNoises * readingNoise) return false;
  return highest + forecast.slopePerHour.mid * (horizon / 3_600_000) + readingNoise >= limit;
}

/** A stair that has come near: nobody can tell its next step, but one of its usual steps would be enough. */
function isStair(input: DecisionInput, horizon: number): boolean {
  const { forecast, growsRatio, ageMs, limit, highest, lowest } = input;
  if (
    limit === null ||
    growsRatio >= dueGrowsRatioMin ||
    forecast.level < stairLevelRatio * limit ||
    highest - lowest < riseRatioMin * limit
  )
    return false;
  return forecast.exhaustionMsEarliest <= stairHorizons * horizon && forecast.exhaustionMsLikely <= stairLikelyPerAge * ageMs;
}

/** Growth, or an end of growth that comes too late: a floor that rises ever more slowly meets its limit too. */
function isLikely({ forecast, growsRatio }: DecisionInput, horizon: number): boolean {
  return growsRatio >= dueGrowsRatioMin || forecast.exhaustionMsLikely <= (dueHorizonsMax + 1) * horizon;
}

/** A fast leak: the whole life is short, so that waiting for its end would be too late. */
export function isUrgent(input: DecisionInput): boolean {
  const { forecast, ageMs, horizonMs, limit, highest, lowest, readingNoise, count, pValue } = input;
  if (limit === null || forecast.exhaustionMs === null || !isTrend(input) || count < countMin || pValue > pValueMax) return false;
  const lead = Math.min(leadMs, horizonMs);
  if (ageMs > horizonsYoung * horizonAt(input) || forecast.exhaustionMsLikely > lead) return false;
  const rise = highest - lowest;
  if (rise < riseNoiseMin * readingNoise || rise < riseRatioMin * limit) return false;
  if (ageMs > veryYoungMs) return forecast.level >= urgentLevelRatioMin * limit;
  return forecast.level >= veryYoungLevelRatioMin * limit && forecast.exhaustionMs.mid <= veryYoungLeftMs;
}
