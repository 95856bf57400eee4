/**
 * The aging model of one instance, online and in O(1) memory: floors of its indicators, the evidence that
 * they rise, how fast, and when they meet their limits. A trend alone is attention; aging is a trend whose
 * exhaustion lies inside the horizon in which regenerations can still be done calmly. Pure: time and work come
 * with the samples. What is done about a verdict is the monitor's.
 */
import type { AgingReport, Trend, Verdict } from "../model/report.ts";
import type { Indicator, Sample } from "../model/sample.ts";
import { describeAgainst, describeTrend } from "./explain.ts";
import { LoadProfile } from "./load-profile.ts";
import { Watch } from "./watch.ts";

export interface AgingModelOptions {
  /** A trend that exhausts the instance inside this time makes it aging. */
  readonly horizonMs: number;
}

/** They measure the load, not the age. */
const ignored: ReadonlySet<Indicator> = new Set(["cpuRatio", "eventLoopUtilisationRatio"]);
const indicatorsMax = 24;
/** A clock that was set back by more than this starts anew; by less, it is waited for. */
const clockBackMsMax = 60_000;
/** A work counter that goes back with a level under this share of the last one: a new process. */
const restartLevelRatio = 0.7;

/** Beyond this multiple of the mean rate, requests count as overload. */
const overloadRatio = 1.1;

interface Judged {
  readonly trend: Trend;
  readonly aging: boolean;
  readonly growsRatio: number;
  readonly shape: string;
}

export class AgingModel {
  readonly #options: AgingModelOptions;
  readonly #watches = new Map<Indicator, Watch>();
  readonly #profile = new LoadProfile();
  #lastAtMs: number | null = null;
  #lastRequests: number | null = null;
  #work = 0;
  #overloadWork = 0;
  #workedMs = 0;

  constructor(options: AgingModelOptions) {
    this.#options = options;
  }

  add(sample: Sample): void {
    if (!Number.isFinite(sample.atMs)) return;
    if (this.#lastAtMs !== null && sample.atMs <= this.#lastAtMs) {
      if (this.#lastAtMs - sample.atMs < clockBackMsMax) return;
      this.#forget();
    }
    const restarted = this.#countWork(sample);
    this.#lastAtMs = sample.atMs;
    const known = sample.requestsTotal !== undefined;
    const hasFloor = sample.indicators.heapAfterGcBytes !== undefined;
    for (const [indicator, value] of Object.entries(sample.indicators)) {
      if (value === undefined || !Number.isFinite(value) || ignored.has(indicator)) continue;
      if (indicator === "heapUsedBytes" && (hasFloor || this.#watches.has("heapAfterGcBytes"))) continue;
      const watch = this.#watch(indicator);
      if (watch === null) continue;
      const last = watch.track.last;
      if (restarted && last !== null && value < restartLevelRatio * last.value) watch.forget();
      const reading = {
        atMs: sample.atMs,
        value,
        work: known ? this.#work : Number.NaN,
        overloadWork: known ? this.#overloadWork : Number.NaN,
      };
      const limit = sample.limits[indicator];
      if (indicator === "heapAfterGcBytes") watch.addFloor(reading, sample.heapAfterGcAtMs, limit);
      else watch.add(reading, limit);
    }
  }

  report(nowMs: number): AgingReport {
    const judged = [...this.#watches.values()].flatMap((watch) => judge(watch, nowMs)).sort(worstFirst);
    const worst = judged.find(({ aging }) => aging) ?? judged.find(({ trend }) => trend.held) ?? null;
    const surest = judged.reduce((least, { growsRatio }) => Math.min(least, 1 - growsRatio), 1);
    const verdict: Verdict = judged.length === 0 ? "insufficient" : worst === null ? "healthy" : worst.aging ? "aging" : "attention";
    const trends = judged.map(({ trend }) => trend);
    if (worst === null) {
      const reasons = [judged.length === 0 ? "there is too little data to say anything" : "no floor rises for real"];
      return { atMs: nowMs, verdict, trends, confidenceRatio: judged.length === 0 ? 0 : surest, reasons, against: [] };
    }
    const agree = judged.filter(({ trend }) => trend.held && trend !== worst.trend).map(({ trend }) => trend.indicator);
    return {
      atMs: nowMs,
      verdict,
      indicator: worst.trend.indicator,
      trends,
      confidenceRatio: Math.min(worst.growsRatio, 1),
      reasons: [describeTrend(worst.trend, worst.shape), ...(agree.length === 0 ? [] : [`it is not alone: ${agree.join(", ")} rise too`])],
      against: verdict === "aging" ? [] : describeAgainst(worst.trend, this.#options.horizonMs),
    };
  }

  #watch(indicator: Indicator): Watch | null {
    const known = this.#watches.get(indicator);
    if (known !== undefined) return known;
    if (this.#watches.size >= indicatorsMax) return null;
    const watch = new Watch(indicator, this.#options.horizonMs, this.#profile);
    this.#watches.set(indicator, watch);
    return watch;
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
    this.#workedMs += elapsedMs;
    const usual = this.#workedMs > 0 ? (overloadRatio * this.#work * elapsedMs) / this.#workedMs : 0;
    const overload = Math.max(served - usual, 0);
    this.#overloadWork += overload;
    this.#profile.add(atMs, elapsedMs, served, overload);
    return restarted;
  }

  #forget(): void {
    for (const watch of this.#watches.values()) watch.forget();
  }
}

function judge({ indicator, limit, track, evaluation }: Watch, nowMs: number): Judged[] {
  if (evaluation === null) return [];
  const { forecast, held, aging } = evaluation;
  const sinceMs = Math.max(nowMs - (track.last?.atMs ?? nowMs), 0);
  const later = (ms: number) => Math.max(ms - sinceMs, 0);
  const at = forecast.exhaustionMs;
  const trend: Trend = {
    indicator,
    floor: forecast.level,
    ...(limit === null ? {} : { limit }),
    slopePerHour: forecast.slopePerHour,
    ...(forecast.slopePerThousandRequests === null ? {} : { slopePerThousandRequests: forecast.slopePerThousandRequests }),
    exhaustionInMs: at === null ? null : { low: later(at.low), mid: later(at.mid), high: later(at.high) },
    held,
  };
  return [{ trend, aging, growsRatio: forecast.growsRatio, shape: forecast.shape }];
}

function worstFirst(a: Judged, b: Judged): number {
  if (a.aging !== b.aging) return a.aging ? -1 : 1;
  if (a.trend.held !== b.trend.held) return a.trend.held ? -1 : 1;
  const [first, second] = [a.trend.exhaustionInMs?.mid ?? Number.MAX_VALUE, b.trend.exhaustionInMs?.mid ?? Number.MAX_VALUE];
  return first === second ? 0 : first - second;
}
