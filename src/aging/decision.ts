/**
 * What a forecast means: is a trend held for real, and is it time to act. The decision is about consequence
 * (docs/aging-model.md): not that something rises, but that it meets its limit within the time in which
 * regenerations can still be done calmly. Long lives wait until little is wasted; short ones act as soon as the
 * evidence is solid. Both answers must stand for a while before they are believed.
 */
import type { Forecast } from "./forecast.ts";

export interface DecisionInput {
  readonly forecast: Forecast;
  readonly ageMs: number;
  readonly horizonMs: number;
  readonly limit: number | null;
  readonly highest: number;
  readonly lowest: number;
  readonly readingNoise: number;
  /** Noise of neighbouring readings about their common growth. */
  readonly changeNoise: number;
  readonly count: number;
  /** Of the sequential test of records, 0..1. */
  readonly pValue: number;
  readonly isBytes: boolean;
}

/** Time that acting calmly takes, at least: a queue of nodes that each start, drain and settle. */
const leadMs = 14 * 60_000;
/** Beyond that, the share of the age at which a regeneration comes due. */
const horizonPerAge = 0.035;
/** A level this near its limit is a matter of consequence at any age ... */
const levelRatioMax = 0.85;
/** ... a younger one may act from a lower level: the one it has this many horizons before the end. */
const horizonsBeforeEnd = 2;
/** Lives younger than this many horizons are short ones: isUrgent's. */
const horizonsYoung = 3;
/** A long life is due when growth is this likely, and the middle of the forecast within so many horizons. */
const dueGrowsRatioMin = 0.8;
const dueHorizonsMax = 6;
/** Under big noise the limit may be met at any moment: a vague forecast acts earlier, from a level this high. */
const vagueRatio = 2;
const vaguePerAge = 0.04;
const vagueLevelRatio = 0.88;
/** A short life has risen by this share of its limit, or this much, before it acts. */
const riseRatioMin = 0.2;
/** Minutes into a life there is time to see whether it settles: more of the limit must be used. */
export const veryYoungMs = 3 * 60_000;
const urgentLevelRatioMin = 0.6;
const riseBytesMin = 64 * 1024 * 1024;
/** ... and in any case by many times its noise. */
const riseNoiseMin = 12;
const countMin = 6;
const pValueMax = 0.01;
/** A trend is held if its end is this many ages away at most: what lies beyond cannot be told from a plateau. */
const agesAhead = 12;
const growsRatioMin = 0.97;
/** Without a limit, a rise must be this share of the level to be worth attention. */
const riseWithoutLimitRatio = 0.5;

/** A decision must stand for this many new readings, or this share of the age where they are rare: a jump is two or three. */
export const decideReadings = 6;
export const decidePerAgeRare = 0.012;

/** With the time that it takes to believe a decision. */
export function horizonAt({ ageMs, horizonMs, count }: Pick<DecisionInput, "ageMs" | "horizonMs" | "count">): number {
  return Math.min(Math.max(ageMs * horizonPerAge, leadMs), horizonMs) + ageMs * Math.min(decideReadings / count, decidePerAgeRare);
}

export function isTrend({ forecast, ageMs, horizonMs, limit, highest, lowest }: DecisionInput): boolean {
  if (forecast.growsRatio < growsRatioMin || forecast.slopePerHour.low <= 0) return false;
  if (limit === null) return highest - lowest >= riseWithoutLimitRatio * Math.abs(highest);
  const { mid } = forecast.exhaustionMs ?? { mid: Number.POSITIVE_INFINITY };
  return mid <= Math.max(agesAhead * ageMs, horizonMs);
}

/** A long life close to its end. */
export function isDue(input: DecisionInput): boolean {
  const { forecast, ageMs, limit, readingNoise, highest } = input;
  if (limit === null || forecast.exhaustionMs === null) return false;
  const horizon = horizonAt(input);
  const levelRatioMin = Math.min(levelRatioMax, 1 - (horizonsBeforeEnd * horizon) / (ageMs + horizon));
  if (ageMs < horizonsYoung * horizon || !isLikely(forecast, horizon)) return false;
  if (Math.min(forecast.level, highest) + 2 * readingNoise < levelRatioMin * limit) return false;
  const { exhaustionMsEarliest: earliestMs, exhaustionMs } = forecast;
  if (earliestMs <= horizon && exhaustionMs.mid <= dueHorizonsMax * horizon) return true;
  const isVague = exhaustionMs.mid >= vagueRatio * earliestMs && isTrend(input) && highest - input.lowest >= riseRatioMin * limit;
  return isVague && earliestMs <= vaguePerAge * ageMs && forecast.level >= vagueLevelRatio * limit;
}

/** Growth, or an end of growth that comes too late: a floor that rises ever more slowly meets its limit too. */
function isLikely(forecast: Forecast, horizon: number): boolean {
  return forecast.growsRatio >= dueGrowsRatioMin || forecast.exhaustionMsLikely <= (dueHorizonsMax + 1) * horizon;
}

/** A fast leak: the whole life is short, so that waiting for its end would be too late. */
export function isUrgent(input: DecisionInput): boolean {
  const { forecast, ageMs, horizonMs, limit, highest, lowest, count, pValue, isBytes, changeNoise } = input;
  if (limit === null || !isTrend(input) || count < countMin || pValue > pValueMax) return false;
  const horizon = Math.min(leadMs, horizonMs);
  if (ageMs > horizonsYoung * horizon || forecast.exhaustionMsLikely > horizon) return false;
  const rise = highest - lowest;
  if (rise < riseNoiseMin * changeNoise) return false;
  if (ageMs > veryYoungMs) return rise >= riseRatioMin * limit && forecast.level >= urgentLevelRatioMin * limit;
  return rise >= Math.min(riseRatioMin * limit, isBytes ? riseBytesMin : Number.POSITIVE_INFINITY);
}
