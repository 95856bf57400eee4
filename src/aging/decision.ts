/**
 * What a forecast means: is a trend held for real, and is it time to act. The decision is about consequence
 * (docs/aging-model.md): not that something rises, but that it meets its limit within the time in which
 * regenerations can still be done calmly. Long lives wait until little is wasted; short ones act as soon as the
 * evidence is solid. Both answers must stand for a while before they are believed.
 */
import type { Indicator } from "../model/sample.ts";
import type { Forecast } from "./forecast.ts";
import { kindOf } from "./fusion.ts";
import type { Turns } from "./peers.ts";

export interface DecisionInput {
  readonly indicator: Indicator;
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
  readonly turns: Turns;
  /** Share of its time that the instance lately spends collecting; NaN where it is not told. */
  readonly collectingRatio: number;
}

const hourMs = 3_600_000;
/** How long a regeneration takes, at least, with the distance that is kept between two. */
export const regenerationMsUsual = 70_000;
/** Time that acting calmly takes, at least: a few nodes that each start, drain and settle. Where many or slow ones wait for each other it is their turns. */
const leadMs = 16 * 60_000;
/** Beyond that, the share of the age at which a regeneration comes due; of long lives it is worth waiting less, though never less than the horizon. */
const horizonPerAge = 0.035;
const horizonPerAgeLong = 0.015;
/** A level this near its limit is a matter of consequence; below it, what fills a cache looks the same. */
export const levelRatioMin = 0.85;
/** That high a reading of late has been, and the level is, but for so many deviations of its noise. */
const levelNoises = 2;
/** Lives younger than this many horizons are short ones: isUrgent's. */
export const horizonsYoung = 3;
/** A long life is due when growth is this likely, and the middle of the forecast within so many horizons. */
const dueGrowsRatioMin = 0.8;
const dueHorizonsMax = 4;
/** A life of less than this many horizons has not yet shown how it goes on: it is due only when the end is near for sure. */
const horizonsOld = 8;
const dueHorizonsMaxYoung = 2.5;
/** A reading that far above the level comes once in some hundreds. */
const noisesInReach = 2.8;
/** Highest readings beyond this may be the last; their line is believed if growth is no less likely than not. */
const atHandLevelRatio = 0.93;
/** From here on the least likely of ends counts: it has never been as high, and little is lost. */
const atLimitRatio = 0.97;
const atHandGrowsRatioMin = 0.5;
/** A line through the last blocks is believed if its slope is so many deviations above zero. */
const deviationsOfLine = 6;
/** From this level on the readings of late decide, even where growth is not likely. */
const highLevelRatio = 0.9;
/** Of a stair: what its next steps may bring. */
const stairHorizons = 1.5;
const stairLikelyPerAge = 0.8;
/** A short life has risen by this share of its limit before it acts, and so has one that may grow no longer ... */
const riseRatioMin = 0.2;
/** ... and in any case by many times its noise. */
const riseNoiseMin = 12;
/**
 * Where the end is as near as regenerating takes, a lower level will do: in the first minutes, when there is no time for
 * more; and for one that has peers, since those that were started together age together, and are regenerated one after the other.
 */
export const veryYoungMs = 3 * 60_000;
const veryYoungMsMin = 20_000;
const veryYoungLevelRatioMin = 0.25;
const queuedLevelRatioMin = 0.6;
/** Of what is alone and fills in minutes, most settles below this. */
const aloneLevelRatioMin = 0.65;
/** V8 ends a small heap that collects all the time from .8 of its limit on, within a second and without a sign: it is regenerated so long before its end. */
const smallHeapBytes = 128 * 1024 * 1024;
const smallHeapCollectingMin = 0.05;
const smallHeapLevelRatioMin = 0.7;
const smallHeapEndMs = 4 * 60_000;
const countMin = 6;
const pValueMax = 0.01;
/** A trend is held if its end is this many ages away at most: what lies beyond cannot be told from a plateau. */
export const agesAhead = 6;
export const growsRatioMin = 0.97;
/** Without a limit nothing is exhausted: a rise of this share of the level is worth attention if it is likely to go on. */
const riseWithoutLimitRatio = 0.5;
/** No end that draws near makes it surer: what is held goes on being held until this is no longer likely. */
const growsRatioKept = 0.9;
/** What is measured at matched load is noisy; at a load that nobody knows it goes up and down with that. */
const growsRatioMinPerformance = 0.8;

/** Evaluations are this share of the age apart, at most. */
export const evaluatePerAge = 1 / 32;
/** A decision must stand for this many new readings, or this share of the age where they are rare: a jump is two or three. */
export const decideReadings = 6;
/** Where the level is this near its limit there is no time for more than these. */
export const atLimitLevelRatio = 0.95;
export const decideReadingsAtLimit = 2;
export const decidePerAgeRare = 0.012;
const readingsLate = 1.5;

/** With the time that it takes to believe a decision, and to hear of it where readings are rare. */
export function horizonAt({ ageMs, horizonMs, count, turns }: Pick<DecisionInput, "ageMs" | "horizonMs" | "count" | "turns">): number {
  const believeMs = ageMs * Math.min(decideReadings / count, decidePerAgeRare);
  const calmMs = Math.min(Math.max(ageMs * horizonPerAge, leadMs), Math.max(horizonMs, ageMs * horizonPerAgeLong));
  return Math.max(calmMs, turnsMs({ turns, ageMs })) + believeMs + (readingsLate * ageMs) / count;
}

/** All turns, one to spare, and, for those who have to wait, what an evaluation may come late by; zero where acting calmly takes longer. */
function turnsMs({ turns: { allMs, eachMs }, ageMs }: Pick<DecisionInput, "turns" | "ageMs">): number {
  const neededMs = allMs + eachMs + Math.min(ageMs * evaluatePerAge, allMs - eachMs);
  return neededMs > leadMs ? neededMs : 0;
}

type TrendInput = Pick<DecisionInput, "indicator" | "ageMs" | "horizonMs" | "limit" | "highest" | "lowest"> & {
  readonly forecast: Pick<DecisionInput["forecast"], "growsRatio" | "slopePerHour" | "exhaustionMsMiddle" | "hoursPerThousandRequests">;
};

/** @param held there was one at the last evaluation, and it was held. */
export function isTrend({ indicator, forecast, ageMs, horizonMs, limit, highest, lowest }: TrendInput, held = false): boolean {
  const hasGrown = highest - lowest >= riseWithoutLimitRatio * Math.abs(highest);
  const isAtMatchedLoad = forecast.hoursPerThousandRequests !== null;
  if (limit === null && kindOf(indicator) === "performance" && isAtMatchedLoad)
    return forecast.growsRatio >= growsRatioMinPerformance && hasGrown;
  const growsMin = held && limit === null ? growsRatioKept : growsRatioMin;
  if (forecast.growsRatio < growsMin || forecast.slopePerHour.low <= 0) return false;
  if (limit === null) return hasGrown;
  return forecast.exhaustionMsMiddle <= Math.max(agesAhead * ageMs, horizonMs);
}

/** A long life close to its end. */
export function isDue(input: DecisionInput): boolean {
  const { forecast, ageMs, limit, readingNoise } = input;
  if (limit === null || forecast.exhaustionMs === null) return false;
  const { highest } = forecast.overhang.envelope;
  const horizon = horizonAt(input);
  if (ageMs < horizonsYoung * horizon) return false;
  const isOld = ageMs >= horizonsOld * horizon;
  // What has always been as high, and does not grow, would be as high again in a new process.
  const rise = forecast.level - forecast.overhang.lowest - levelNoises * readingNoise;
  const canHelp = input.growsRatio >= dueGrowsRatioMin || rise >= riseRatioMin * limit;
  const isQueued = mustBeginNow(input, horizon);
  if (!isQueued && !hasGained(input)) return false;
  const levelMin = (isQueued ? queuedLevelRatioMin : levelRatioMin) * limit;
  if (highest < levelMin) return false;
  if (isOld && isBegunAgain(input, horizon)) return true;
  if (forecast.level + levelNoises * readingNoise < levelMin) return false;
  if (!canHelp) return false;
  if (isOld && isStair(input, horizon)) return true;
  if (isOld && forecast.level >= highLevelRatio * limit && forecast.level + reachOf(forecast) >= limit) return true;
  if (isOld && isAtHand(input, horizon)) return true;
  if (!isLikely(input, horizon)) return false;
  const near = forecast.exhaustionMsMiddle <= (isOld ? dueHorizonsMax : dueHorizonsMaxYoung) * horizon;
  return (near && forecast.exhaustionMsEarliest <= horizon) || isWithinReach(input, horizon);
}

/** Where the turns take longer than acting calmly does, those that come last would else come too late. */
function mustBeginNow(input: DecisionInput, horizon: number): boolean {
  return turnsMs(input) > 0 && input.forecast.exhaustionMsMiddle <= horizon;
}

/**
 * What is still missing is no more than what the younger half of the life has gained over the elder. Noise, the peak of a day, a level that
 * fell and came back have been as high before and did not meet the limit; a leak this near to its limit never was.
 */
function hasGained({ forecast: { overhang }, limit }: DecisionInput): boolean {
  const { before, tops } = overhang;
  const highest = tops.reduce((most, { value }) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  return limit !== null && limit - highest <= highest - before;
}

/**
 * One whose highest readings are at the limit by all that is known, whether its mean still grows or not:
 * where noise is great nobody can tell, and it makes no difference.
 */
function isAtHand({ forecast, growsRatio, limit }: DecisionInput, horizon: number): boolean {
  const { now, perMs, highest } = forecast.overhang.envelope;
  if (limit === null || highest < atHandLevelRatio * limit) return false;
  if (highest >= atLimitRatio * limit && forecast.exhaustionMsEarliest <= horizon) return true;
  return forecast.exhaustionMsSoon <= horizon || (growsRatio >= atHandGrowsRatioMin && now + perMs * horizon >= limit);
}

/** After a rest the whole life says that growth has ended, when the last blocks already go straight to the limit. */
function isBegunAgain({ forecast, limit, readingNoise }: DecisionInput, horizon: number): boolean {
  const { now, perMs, deviations } = forecast.overhang.recent;
  if (limit === null || now < highLevelRatio * limit || deviations < deviationsOfLine) return false;
  return now + perMs * horizon + noisesInReach * readingNoise >= limit;
}

/** What the readings of late have done would be enough, if it came once more within the horizon: the limit is met by the highest reading. */
function isWithinReach({ forecast, limit, readingNoise }: DecisionInput, horizon: number): boolean {
  const { level, slopePerHour, overhang } = forecast;
  // One step of hours ago stands out as a large overhang for half a life; the forecast knows better.
  if (limit === null || forecast.exhaustionMsEarliest > dueHorizonsMax * horizon) return false;
  const noise = Math.max(reachOf(forecast), noisesInReach * readingNoise);
  return level + Math.max((slopePerHour.mid / hourMs) * horizon + noise, overhang.jump) >= limit;
}

/** A large overhang, but no further than any highest reading of late would be by now: where a level fell and came back, or took a step, the curve lies too low. */
function reachOf({ level, slopePerHour, overhang }: Forecast): number {
  const perMs = Math.max(slopePerHour.mid, 0) / hourMs;
  const furthest = overhang.tops.reduce((most, { value, msAgo }) => Math.max(most, value + perMs * msAgo - level), 0);
  return Math.min(overhang.large, furthest);
}

/** A stair that has come near: nobody can tell its next step, but one of its usual steps would be enough. */
function isStair(input: DecisionInput, horizon: number): boolean {
  const { forecast, growsRatio, ageMs, limit } = input;
  if (limit === null || growsRatio >= dueGrowsRatioMin || forecast.level < highLevelRatio * limit) return false;
  if (forecast.exhaustionMsLikely > stairLikelyPerAge * ageMs) return false;
  return forecast.exhaustionMsEarliest <= stairHorizons * horizon || forecast.level + forecast.overhang.jump >= limit;
}

/** Growth, or an end of growth that comes too late: a floor that rises ever more slowly meets its limit too. */
function isLikely({ forecast, growsRatio }: DecisionInput, horizon: number): boolean {
  return growsRatio >= dueGrowsRatioMin || (forecast.slopePerHour.mid > 0 && forecast.exhaustionMsLikely <= (dueHorizonsMax + 1) * horizon);
}

/** A fast leak: the whole life is short, so that waiting for its end would be too late. */
export function isUrgent(input: DecisionInput): boolean {
  const { forecast, ageMs, horizonMs, limit, highest, lowest, readingNoise, count, pValue, turns } = input;
  if (limit === null || forecast.exhaustionMs === null || !isTrend(input) || count < countMin || pValue > pValueMax) return false;
  const lead = Math.max(Math.min(leadMs, horizonMs), turnsMs(input));
  if (ageMs > horizonsYoung * horizonAt(input) || forecast.exhaustionMsMiddle > lead) return false;
  const rise = highest - lowest;
  if (rise < riseNoiseMin * readingNoise || rise < riseRatioMin * limit) return false;
  if (forecast.level >= levelRatioMin * limit) return true;
  const collects = !(input.collectingRatio < smallHeapCollectingMin);
  const isSmallHeap = input.indicator === "heapAfterGcBytes" && limit <= smallHeapBytes && collects;
  if (isSmallHeap && forecast.level >= smallHeapLevelRatioMin * limit && forecast.exhaustionMsMiddle <= smallHeapEndMs) return true;
  if (ageMs < veryYoungMsMin || (ageMs > veryYoungMs && turns.instances < 2)) return false;
  const levelMin = turns.instances < 2 ? aloneLevelRatioMin : ageMs > veryYoungMs ? queuedLevelRatioMin : veryYoungLevelRatioMin;
  return forecast.level >= levelMin * limit && forecast.exhaustionMsMiddle <= turns.instances * regenerationMsUsual;
}
