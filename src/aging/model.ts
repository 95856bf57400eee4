/**
 * The aging model of one instance, online and in O(1) memory: floors of its indicators, the evidence that
 * they rise, how fast, and when they meet their limits. A trend alone is attention; aging is a trend whose
 * exhaustion lies inside the horizon in which regenerations can still be done calmly. Pure: time and work come
 * with the samples. What is done about a verdict is the monitor's.
 */
import type { AgingReport, Interval, Trend } from "../model/report.ts";
import type { Indicator, Sample } from "../model/sample.ts";
import { Collecting } from "./collecting.ts";
import { regenerationMsUsual } from "./decision.ts";
import {
  describeAgainst,
  describeAgreement,
  describeDue,
  describeHealthy,
  describePeers,
  describeRanOut,
  describeTooLittle,
  describeTrend,
  type Evidence,
} from "./explain.ts";
import { multiply } from "./forecast.ts";
import type { Support } from "./fusion.ts";
import { LoadProfile } from "./load-profile.ts";
import type { PeerMember, PeerOpinion, Turns } from "./peers.ts";
import { type Told, ToldReport } from "./told-report.ts";
import { type Evaluation, type Surroundings, Watch } from "./watch.ts";

export interface AgingModelOptions {
  /** A trend that exhausts the instance inside this time makes it aging. Read at each evaluation: it may change. */
  readonly horizonMs: number;
  /** Its place among its peers, where it has any. */
  readonly peers?: PeerMember;
  /** How long one regeneration takes, with the distance that is kept between two; where it is long, nodes that age together need more time. */
  readonly regenerationMs?: () => number;
}

/** They measure the load, not the age. */
export const loadIndicators: ReadonlySet<Indicator> = new Set(["cpuRatio", "eventLoopUtilisationRatio"]);
/** No process is without: who tells 0 could not read it. */
const neverZero: ReadonlySet<Indicator> = new Set(["heapAfterGcBytes", "heapUsedBytes", "rssBytes"]);
/** Of one instance; what comes later is not watched. */
export const indicatorsMax = 24;
/** A clock that was set back by more than this starts anew; by less, it is waited for. */
const clockBackMsMax = 60_000;
/** A silence longer than this, and than so many lives: the clock was set, and what was seen before would be a point in time. */
const silenceMsMax = 6 * 3_600_000;
const silenceLives = 3;
/** A work counter that goes back with a level under this share of the last one: a new process. */
const restartLevelRatio = 0.7;
/** A start that is told as now less the time since then moves by so much and is the same one. */
const startJitterMs = 5_000;

/** Elders that settled above this share of the limit are no comfort. */
const settledLevelRatio = 0.95;

/** What a report is made of, once somebody reads it. */
interface Seen {
  readonly indicator: Indicator;
  readonly limit: number | null;
  /** At the evaluation. */
  readonly ageMs: number;
  readonly evaluation: Evaluation;
  /** Of its peers, where a trend is held; null where there are none. */
  readonly peers: PeerOpinion | null;
  readonly aging: boolean;
}

interface Judged extends Evidence {
  readonly peers: PeerOpinion | null;
  readonly ranOutAt: number | null;
}

export class AgingModel {
  readonly #options: AgingModelOptions;
  readonly #watches = new Map<Indicator, Watch>();
  readonly #profile: LoadProfile;
  readonly #surroundings: Surroundings;
  #lastAtMs: number | null = null;
  #startMs = 0;
  #lastRequests: number | null = null;
  #startedAtMs: number | null = null;
  #work = 0;

  constructor(options: AgingModelOptions) {
    this.#options = options;
    this.#profile = new LoadProfile(options.peers?.day);
    this.#surroundings = {
      horizonMs: () => options.horizonMs,
      profile: this.#profile,
      turns: () => turnsOf(options),
      elders: (indicator, ageMs, floor) => options.peers?.elders(indicator, ageMs, floor) ?? null,
      support: () => this.#support(),
      collecting: new Collecting(),
    };
  }

  add(sample: Sample): void {
    if (!Number.isFinite(sample.atMs)) return;
    if (this.#lastAtMs !== null && sample.atMs <= this.#lastAtMs) {
      if (this.#lastAtMs - sample.atMs < clockBackMsMax) return;
      this.#forget();
    } else if (
      this.#lastAtMs !== null &&
      sample.atMs - this.#lastAtMs > Math.max(silenceMsMax, silenceLives * (this.#lastAtMs - this.#startMs))
    ) {
      this.#forget();
    }
    if (this.#isNewProcess(sample)) this.#forget();
    if (this.#lastAtMs === null) this.#begin(sample.atMs);
    const restarted = this.#countWork(sample);
    this.#lastAtMs = sample.atMs;
    const { gcTimeRatio = Number.NaN } = sample.indicators;
    if (Number.isFinite(gcTimeRatio)) this.#surroundings.collecting.add(sample.atMs, gcTimeRatio);
    const known = sample.requestsTotal !== undefined;
    const hasFloor = sample.indicators.heapAfterGcBytes !== undefined;
    for (const indicator of Object.keys(sample.indicators)) {
      const value = sample.indicators[indicator];
      if (value === undefined || !Number.isFinite(value) || loadIndicators.has(indicator)) continue;
      if (value <= 0 && neverZero.has(indicator)) continue;
      if (indicator === "heapUsedBytes" && (hasFloor || this.#watches.has("heapAfterGcBytes"))) {
        // The floor itself is known now; what was made of the saw-tooth before is of no use any more.
        this.#watches.delete(indicator);
        continue;
      }
      const watch = this.#watch(indicator);
      if (watch === null) continue;
      if (restarted && value < restartLevelRatio * watch.track.lastValue) watch.forget();
      const reading = {
        atMs: sample.atMs,
        value,
        work: known ? this.#work : Number.NaN,
      };
      const limit = this.#limitOf(indicator, sample.limits);
      if (indicator === "heapAfterGcBytes") watch.addFloor(reading, sample.heapAfterGcAtMs, limit);
      else watch.add(reading, limit);
      const { track } = watch;
      if (track.count > 0) this.#options.peers?.add(indicator, track.lastMs - track.startMs, track.lastValue);
    }
  }

  report(nowMs: number): AgingReport {
    const seen: Seen[] = [];
    let surest = 0;
    for (const watch of this.#watches.values()) {
      const { evaluation } = watch;
      if (evaluation === null) continue;
      insert(seen, seenOf(watch, evaluation, nowMs, this.#options.peers), nowMs);
      surest = Math.max(surest, evaluation.growsRatio);
    }
    const [worst] = seen;
    if (worst === undefined) {
      return { atMs: nowMs, verdict: "insufficient", trends: [], confidenceRatio: 0, reasons: [this.#tooLittle(nowMs)], against: [] };
    }
    const { standing, growsRatio } = worst.evaluation;
    const judged = () => seen.map((one) => judge(one, nowMs, this.#options.peers));
    if (!standing.held)
      return new ToldReport({ atMs: nowMs, verdict: "healthy", confidenceRatio: 1 - surest }, () => toldHealthy(judged()));
    const { indicator } = worst;
    const verdict = worst.aging ? "aging" : "attention";
    const confidenceRatio = Math.min(growsRatio, 1);
    return new ToldReport({ atMs: nowMs, verdict, indicator, confidenceRatio }, () => toldWorst(judged(), worst.aging));
  }

  /** What it is given, or where one of its release ran out before. */
  #limitOf(indicator: Indicator, limits: Sample["limits"]): number | undefined {
    // A gauge may be called `constructor`.
    const given = Object.hasOwn(limits, indicator) ? limits[indicator] : undefined;
    const ranOutAt = this.#options.peers?.ranOutAt(indicator) ?? null;
    return given === undefined || ranOutAt === null ? given : Math.min(given, ranOutAt);
  }

  #tooLittle(nowMs: number): string {
    const [longest] = [...this.#watches.values()].map(({ track }) => track).sort((a, b) => b.count - a.count);
    return describeTooLittle(longest?.count ?? 0, longest === undefined ? 0 : nowMs - longest.startMs);
  }

  #watch(indicator: Indicator): Watch | null {
    const known = this.#watches.get(indicator);
    if (known !== undefined) return known;
    if (this.#watches.size >= indicatorsMax) return null;
    const watch = new Watch(indicator, this.#surroundings);
    this.#watches.set(indicator, watch);
    return watch;
  }

  #support(): Support[] {
    return [...this.#watches.values()].flatMap(({ indicator, evaluation }) =>
      evaluation?.standing.held === true ? [{ indicator, growsRatio: evaluation.forecast.growsRatio }] : [],
    );
  }

  /** @returns true if the counter went back: a restart, of the process or of the counter. */
  #countWork({ atMs, requestsTotal }: Sample): boolean {
    if (requestsTotal === undefined || !Number.isFinite(requestsTotal)) return false;
    const before = this.#lastRequests;
    this.#lastRequests = requestsTotal;
    const restarted = before !== null && requestsTotal < before;
    const served = before === null ? 0 : restarted ? requestsTotal : requestsTotal - before;
    const elapsedMs = this.#lastAtMs === null ? 0 : atMs - this.#lastAtMs;
    this.#work += served;
    this.#profile.add(atMs, elapsedMs, served);
    this.#options.peers?.served(atMs, elapsedMs, served);
    return restarted;
  }

  #isNewProcess({ startedAtMs }: Sample): boolean {
    if (startedAtMs === undefined || !Number.isFinite(startedAtMs)) return false;
    const before = this.#startedAtMs;
    this.#startedAtMs = startedAtMs;
    return before !== null && startedAtMs - before > startJitterMs;
  }

  #begin(atMs: number): void {
    this.#startMs = atMs;
    if (this.#options.peers !== undefined) this.#options.peers.bornAtMs = atMs;
  }

  #forget(): void {
    this.#lastAtMs = null;
    this.#options.peers?.forget();
    for (const watch of this.#watches.values()) watch.forget();
  }
}

const trendsOf = (judged: readonly Judged[]) => judged.map(({ trend }) => trend);

function toldHealthy(judged: readonly Judged[]): Told {
  return { trends: trendsOf(judged), reasons: describeHealthy(judged), against: [] };
}

function toldWorst(judged: readonly Judged[], aging: boolean): Told {
  const [worst, ...others] = judged;
  if (worst === undefined) return toldHealthy(judged);
  const reasons = [
    describeTrend(worst),
    ...(aging ? describeDue(worst) : []),
    ...describeAgreement(others.filter(({ trend }) => trend.held)),
    ...describePeers(worst.trend, worst.peers).for,
    ...describeRanOut(worst.trend, worst.ranOutAt),
  ];
  return { trends: trendsOf(judged), reasons, against: aging ? [] : againstOf(worst) };
}

function againstOf(worst: Judged): string[] {
  const { against } = describePeers(worst.trend, worst.peers);
  // What would be due but for its elders has no other reason.
  return worst.due && against.length > 0 ? against : [...against, ...describeAgainst(worst)];
}

function turnsOf({ peers, regenerationMs }: AgingModelOptions): Turns {
  const eachMs = Math.max(regenerationMsUsual, regenerationMs?.() ?? 0);
  return peers?.turns(eachMs) ?? { instances: 1, eachMs, allMs: eachMs };
}

function seenOf({ indicator, limit, track }: Watch, evaluation: Evaluation, nowMs: number, member: PeerMember | undefined): Seen {
  const { atMs, forecast, standing } = evaluation;
  const { startMs } = track;
  const peers = standing.held ? (member?.opinion(indicator, nowMs - startMs, forecast.levelNow) ?? null) : null;
  // Elders that settled well below the limit are believed, until this one passes their level.
  const willSettle = peers !== null && peers.settledAt !== null && limit !== null && peers.settledAt < settledLevelRatio * limit;
  return { indicator, limit, ageMs: atMs - startMs, evaluation, peers, aging: standing.aging && !willSettle };
}

function judge(seen: Seen, nowMs: number, member: PeerMember | undefined): Judged {
  const { indicator, evaluation, peers, ageMs } = seen;
  const { forecast, growsRatio, horizonMs, standing } = evaluation;
  // The forecast was made at its evaluation, and time has passed since.
  const sinceMs = sinceMsOf(evaluation, nowMs);
  return {
    trend: trendOf(seen, sinceMs),
    shape: forecast.shape,
    growsRatio,
    ageMs,
    evaluatedMsAgo: sinceMs,
    middleMs: middleMsOf(evaluation, nowMs),
    earliestMs: forecast.exhaustionMsEarliest,
    horizonMs,
    due: standing.due,
    peers,
    ranOutAt: member?.ranOutAt(indicator) ?? null,
  };
}

function sinceMsOf({ atMs }: Evaluation, nowMs: number): number {
  return Math.max(nowMs - atMs, 0);
}

function middleMsOf(evaluation: Evaluation, nowMs: number): number {
  return Math.max(evaluation.forecast.exhaustionMsMiddle - sinceMsOf(evaluation, nowMs), 0);
}

function trendOf({ indicator, limit, evaluation: { forecast, standing } }: Seen, sinceMs: number): Trend {
  const { levelNow, slopePerHour, hoursPerThousandRequests, exhaustionMs, exhaustionMsMiddle } = forecast;
  const trend: { -readonly [field in keyof Trend]: Trend[field] } = {
    indicator,
    floor: levelNow,
    slopePerHour,
    exhaustionInMs: exhaustionMs === null ? null : later(exhaustionMs, sinceMs),
    exhaustionLikely: Number.isFinite(exhaustionMsMiddle),
    held: standing.held,
  };
  if (limit !== null) trend.limit = limit;
  if (hoursPerThousandRequests !== null) trend.slopePerThousandRequests = multiply(slopePerHour, hoursPerThousandRequests);
  return trend;
}

function later({ low, mid, high }: Interval, byMs: number): Interval {
  return { low: Math.max(low - byMs, 0), mid: Math.max(mid - byMs, 0), high: Math.max(high - byMs, 0) };
}

/** The worst first; of equals the one that came first. */
function insert(seen: Seen[], one: Seen, nowMs: number): void {
  seen.push(one);
  for (let at = seen.length - 1; at > 0; at -= 1) {
    const before = seen[at - 1];
    if (before === undefined || !isWorse(one, before, nowMs)) return;
    seen[at] = before;
    seen[at - 1] = one;
  }
}

function isWorse(a: Seen, b: Seen, nowMs: number): boolean {
  if (a.aging !== b.aging) return a.aging;
  const [one, other] = [a.evaluation, b.evaluation];
  if (one.standing.held !== other.standing.held) return one.standing.held;
  return middleMsOf(one, nowMs) < middleMsOf(other, nowMs);
}
