/**
 * The report's sentences: what an operator reads of a trend, and what held a regeneration back. Each is true by
 * itself: what grows for sure, what may have stopped and what only scatters up to its limit are told apart.
 */
import type { Trend } from "../model/report.ts";
import { amount, amountRange, percent, time, timeRange, withoutLabels } from "./amounts.ts";
import { agesAhead, growsRatioMin, horizonsYoung, levelRatioMin } from "./decision.ts";
import { endsLikeElders } from "./elders.ts";
import type { PeerOpinion } from "./peers.ts";
import { blocksMin } from "./scaled-life.ts";
import { warmUpMs } from "./watch.ts";

/** What the last evaluation made of one indicator. */
export interface Evidence {
  readonly trend: Trend;
  /** The likeliest shape of growth, in words. */
  readonly shape: string;
  /** 0..1, with what other indicators add. */
  readonly growsRatio: number;
  /** At the evaluation, which was some time ago. */
  readonly ageMs: number;
  readonly evaluatedMsAgo: number;
  /** The middle of the time to exhaustion, lives that never meet their limit included. */
  readonly middleMs: number;
  /** The 2.5 % quantile of the time to exhaustion, at the evaluation. */
  readonly earliestMs: number;
  /** What is met within this time is due, at this age. */
  readonly horizonMs: number;
  /** It was due then; whether that has stood for long enough is another question. */
  readonly due: boolean;
}

const names: Readonly<Record<string, string>> = {
  heapAfterGcBytes: "the heap after collection",
  externalBytes: "memory outside the heap",
  rssBytes: "resident memory",
  heapUsedBytes: "the used heap",
  openFds: "the number of open descriptors",
  activeHandles: "the number of active handles",
  latencyP99Ms: "latency at the same load",
  gcTimeRatio: "the collector's share of time at the same load",
  eventLoopDelayP99Ms: "the event loop's delay at the same load",
};

export function describeTrend({ trend, shape }: Pick<Evidence, "trend" | "shape">): string {
  return `${growth(trend, shape)}; ${level(trend)}${end(trend, "meet")}`;
}

export function describeTooLittle(readings: number, ageMs: number): string {
  if (readings === 0) return "there is too little data: no reading of an indicator";
  const enough = `${blocksMin} over ${time(warmUpMs)}`;
  return `there is too little data: ${readings} reading${readings === 1 ? "" : "s"} that count${readings === 1 ? "s" : ""} over ${time(ageMs)}, where it takes ${enough}`;
}

/** What meets its limit first; of those that never do, what is nearest to it; without limits any. */
export function nearestTrend(trends: readonly Trend[]): Trend | null {
  const endMs = ({ exhaustionInMs, exhaustionLikely }: Trend) =>
    exhaustionLikely && exhaustionInMs !== null ? exhaustionInMs.mid : Number.POSITIVE_INFINITY;
  const share = ({ floor, limit }: Trend) => (limit === undefined ? Number.NEGATIVE_INFINITY : floor / limit);
  const isNearer = (a: Trend, b: Trend) => (endMs(a) === endMs(b) ? share(a) > share(b) : endMs(a) < endMs(b));
  return trends.reduce<Trend | null>((nearest, one) => (nearest === null || isNearer(one, nearest) ? one : nearest), null);
}

/** Where no trend is held: what is nearest to its limit, and what its growth lacks. */
export function describeHealthy(all: readonly Evidence[]): string[] {
  const first = all.some(isSure) ? "no trend is held now" : "no floor is sure to go on rising";
  const trend = nearestTrend(all.map((one) => one.trend));
  const nearest = all.find((one) => one.trend === trend);
  const unlimited = all.filter((one) => one.trend.limit === undefined && isSure(one)).slice(0, 1);
  const growing = unlimited.map(
    (one) =>
      `${growth(one.trend, one.shape)}; without a limit that is a trend once it has doubled, and has stood for long enough to be held`,
  );
  if (nearest === undefined || trend?.limit === undefined) return [first, ...growing];
  return [first, `${nameOf(trend)} is at ${shareOfLimit(trend)}${end(trend, "would meet")}${lacking(nearest)}`, ...growing];
}

function isSure({ trend, growsRatio }: Evidence): boolean {
  return growsRatio >= growsRatioMin && trend.slopePerHour.low > 0;
}

function lacking(evidence: Evidence): string {
  const { shape, growsRatio, ageMs, middleMs, horizonMs } = evidence;
  if (shape === endsLikeElders) return "; older ones of the same release rose like it and then settled";
  if (growsRatio < growsRatioMin) return `; that it goes on growing is not sure enough (${percent(growsRatio)})`;
  if (!isSure(evidence)) return "; it does not grow for sure";
  const isFar = middleMs > Math.max(agesAhead * ageMs, horizonMs);
  return isFar ? `; its end is more than ${agesAhead} times its age away` : "; its rise has not stood for long enough to be held";
}

/** Why the regeneration is due although the limit is probably met later. */
export function describeDue({ middleMs, earliestMs, horizonMs }: Evidence): string[] {
  if (middleMs <= horizonMs) return [];
  if (earliestMs > horizonMs)
    return ["its readings of late would meet the limit, if the highest came once more or the last went on as they do"];
  return [`the limit may be met ${earliestMs < 1_000 ? "at any moment" : `as early as in ${time(earliestMs)}`} (1 chance in 40)`];
}

/** Why a trend that is held is not called aging. */
export function describeAgainst(evidence: Evidence): string[] {
  const { exhaustionInMs, limit } = evidence.trend;
  if (exhaustionInMs === null || limit === undefined) return ["it has no limit to meet"];
  if (evidence.due) return ["that a regeneration is due has not stood for long enough to be believed"];
  const settles = exhaustionInMs.high === Number.POSITIVE_INFINITY ? ["it may settle before, as a warm-up or a cache that fills does"] : [];
  return [...heldBack(evidence, limit), ...settles];
}

/** What decision.ts asks for and the evaluation did not find; the nearest cause where nothing plain is missing. */
function heldBack({ trend, ageMs, evaluatedMsAgo, middleMs, earliestMs, horizonMs }: Evidence, limit: number): string[] {
  const missing: string[] = [];
  if (trend.floor < levelRatioMin * limit) missing.push(`below ${percent(levelRatioMin)} of the limit a cache that fills looks the same`);
  if (earliestMs > horizonMs) {
    const judged = earliestMs - evaluatedMsAgo > horizonMs ? "" : `when it was last judged, ${time(evaluatedMsAgo)} ago, `;
    missing.push(
      `${judged}its limit was at least ${time(earliestMs)} away (39 chances in 40); a regeneration is due once that may be less than ${time(horizonMs)}`,
    );
  }
  if (missing.length > 0) return missing;
  if (ageMs < horizonsYoung * horizonMs && middleMs + evaluatedMsAgo <= horizonMs) {
    return [`in its first ${time(horizonsYoung * horizonMs)} the rise must be large, clear of its noise and record after record`];
  }
  return [`its limit is probably met later than the ${time(horizonMs)} within which a regeneration is due`];
}

/** One that stands this share of its level above its peers rises alone. */
const aloneRatio = 0.15;

/** What a control group of the same release and age says. */
export function describePeers({ indicator, floor }: Trend, peers: PeerOpinion | null): { for: string[]; against: string[] } {
  if (peers === null || peers.median === null) return { for: [], against: [] };
  const { peers: count, median, settledAt } = peers;
  const who = count === 1 ? "the one peer of the same release" : `${count} peers of the same release`;
  if (settledAt !== null) {
    return { for: [], against: [`${who} rose like it to this age and then settled, at ${amount(indicator, settledAt)} at most`] };
  }
  const stood = `at this age ${who} stood at ${amount(indicator, median)}`;
  return { for: [floor - median > aloneRatio * floor ? `it rises alone: ${stood}` : `its peers rise like it: ${stood}`], against: [] };
}

/** What else of the instance rises for real. */
export function describeAgreement(others: readonly Evidence[]): string[] {
  const names = others.map(({ trend }) => nameOf(trend));
  return names.length === 0 ? [] : [`it is not alone: ${names.join(", ")} rise${names.length === 1 ? "s" : ""} too`];
}

/** A limit that is none of its own. */
export function describeRanOut({ indicator, limit }: Trend, ranOutAt: number | null): string[] {
  return limit === undefined || limit !== ranOutAt
    ? []
    : [`one of the same release ran out of memory at ${amount(indicator, limit)}, below its limit`];
}

/** What has a limit, or a load that is not known, is judged as it is read. */
export function nameOf({
  indicator,
  limit,
  slopePerThousandRequests,
}: Pick<Trend, "indicator" | "limit" | "slopePerThousandRequests">): string {
  const base = withoutLabels(indicator);
  const known = Object.hasOwn(names, base) ? names[base] : undefined;
  const said = limit === undefined && slopePerThousandRequests !== undefined ? known : known?.replace(" at the same load", "");
  return said === undefined ? indicator : base === indicator ? said : `${said} ${indicator.slice(base.length)}`;
}

function growth(trend: Trend, shape: string): string {
  const { indicator, slopePerHour, slopePerThousandRequests } = trend;
  const { low, mid, high } = slopePerHour;
  const scale = trend.limit ?? (trend.floor > 0 ? trend.floor : undefined);
  const show = (value: number) => amount(indicator, value, scale);
  const both = amountRange(indicator, low, high, scale);
  const interval = both === null ? "" : ` (90 %: ${both})`;
  if (mid <= 0 || show(mid) === show(0)) {
    if (both === null) return `${nameOf(trend)} does not grow`;
    return high > 0 ? `${nameOf(trend)} does not grow for sure (90 %: ${both} an hour)` : `${nameOf(trend)} falls (90 %: ${both} an hour)`;
  }
  const work = /requests|load/.test(shape) ? slopePerThousandRequests : undefined;
  const pace = `by ${show(mid)} an hour${interval}${work === undefined ? "" : `, ${show(work.mid)} per 1,000 requests`}`;
  if (low <= 0) return `${nameOf(trend)} grows ${pace}, but that is not sure`;
  const stops = stopping.find(([start]) => shape.startsWith(start))?.[1];
  return `${nameOf(trend)} grows ${stops === undefined ? `${shape.replace(/^in time/, "steadily")}${shape.includes(",") ? "," : ""} ` : ""}${pace}${stops ?? ""}`;
}

/** Shapes whose growth ends, where the others still say that it goes on. */
const stopping: readonly (readonly [string, string])[] = [
  [endsLikeElders, ", and will probably settle, as older ones of its release did"],
  ["not at all", ", or not at all"],
  ["and settles", ", and may settle"],
  ["and stopped", ", or has just stopped"],
  ["in one step", ", or was one step"],
  ["in waves", ", or comes and goes in waves"],
  ["by jumps, and", ", by jumps, or has just stopped"],
];

function level(trend: Trend): string {
  return `it is at ${trend.limit === undefined ? amount(trend.indicator, trend.floor, Math.abs(trend.floor)) : shareOfLimit(trend)}`;
}

function shareOfLimit({ indicator, floor, limit }: Trend): string {
  return limit === undefined ? amount(indicator, floor) : `${percent(floor / limit)} of its limit of ${amount(indicator, limit, limit)}`;
}

/** The limit is met by the first reading that reaches it, whether the floor grows or not. */
function end(trend: Trend, meet: "meet" | "would meet"): string {
  const { floor, limit, slopePerHour, exhaustionInMs } = trend;
  if (limit === undefined || exhaustionInMs === null || floor >= limit) return "";
  const { low, mid, high } = exhaustionInMs;
  if (!Number.isFinite(mid)) {
    return Number.isFinite(low) ? ` and will probably not meet it, but may in ${time(low)} (1 chance in 20)` : " and will not meet it";
  }
  if (mid < 1_000) return ` and may meet it at any moment (90 %: ${Number.isFinite(high) ? `within ${time(high)}` : "or never"})`;
  const both = timeRange(low, high);
  const interval = both === null ? "" : ` (90 %: ${both})`;
  if (!trend.exhaustionLikely) return ` and will probably not meet it, but if it does, in ${time(mid)}${interval}`;
  const who = slopePerHour.mid > 0 ? "" : "its highest readings ";
  return ` and ${who}${meet === "meet" && who === "" ? "meets" : meet} it in ${time(mid)}${interval}`;
}
