/**
 * The aging model of one instance, online and in O(1) memory: floors of its indicators, the evidence that
 * they rise, how fast, and when they meet their limits. A trend alone is attention; aging is a trend for
 * real whose exhaustion lies inside the horizon, with a floor that has risen by something that matters,
 * and that does not flatten (a warm-up and a cache that fills do).
 */
import type { AgingReport, Interval, Trend, Verdict } from "../model/report.ts";
import type { Indicator, Sample } from "../model/sample.ts";
import { describeAgainst, describeTrend } from "./explain.ts";
import { type FloorPoint, FloorTrack } from "./floor-track.ts";
import { RecordEvidence } from "./record-evidence.ts";
import { theilSen } from "./theil-sen.ts";

export interface AgingModelOptions {
  /** A trend that exhausts the instance inside this time makes it aging. */
  readonly horizonMs: number;
}

/** At this chance of a false alarm a trend is held for real; see record-evidence.ts for what that means. */
const alpha = 0.001;
const pointsMin = 6;
/** Younger than this nothing is said: warm-up. */
const warmUpMs = 10_000;
/** Indicators without floor points of their own: the lowest reading of each such time. */
const blockMs = 10_000;
/** The floor must have risen by this share of its limit, or by this much, whichever is less. */
const riseRatioMin = 0.2;
const riseBytesMin = 64 * 1024 * 1024;
/** The later half must rise at least at this share of the whole slope. */
const steadyRatioMin = 0.5;

interface Watch {
  readonly track: FloorTrack;
  readonly evidence: RecordEvidence;
  limit: number | null;
  lastFloorAtMs: number | null;
  block: { startMs: number; lowest: FloorPoint } | null;
}

interface Judged extends Trend {
  readonly pValue: number;
  readonly matters: boolean;
  readonly steady: boolean;
}

const watched: readonly Indicator[] = ["heapAfterGcBytes", "externalBytes", "rssBytes", "openFds"];

export class AgingModel {
  readonly #options: AgingModelOptions;
  readonly #watches = new Map<Indicator, Watch>();
  #firstAtMs: number | null = null;
  #lastAtMs = 0;

  constructor(options: AgingModelOptions) {
    this.#options = options;
  }

  add(sample: Sample): void {
    if (sample.atMs < this.#lastAtMs) return; // the clock was set back: wait until it has caught up
    this.#firstAtMs ??= sample.atMs;
    this.#lastAtMs = sample.atMs;
    for (const indicator of watched) {
      const value = sample.indicators[indicator];
      if (value === undefined || !Number.isFinite(value)) continue;
      const watch = this.#watch(indicator);
      watch.limit = sample.limits[indicator] ?? watch.limit;
      const point: FloorPoint = { atMs: sample.atMs, value, work: sample.requestsTotal ?? Number.NaN };
      if (indicator === "heapAfterGcBytes") this.#addFloor(watch, point, sample.heapAfterGcAtMs);
      else this.#addReading(watch, point);
    }
  }

  report(nowMs: number): AgingReport {
    const trends = [...this.#watches].flatMap(([indicator, watch]) => this.#judge(indicator, watch, nowMs)).sort(byExhaustion);
    const ageMs = this.#firstAtMs === null ? 0 : nowMs - this.#firstAtMs;
    if (trends.length === 0 || ageMs < warmUpMs) {
      return {
        atMs: nowMs,
        verdict: "insufficient",
        trends: [],
        confidenceRatio: 0,
        reasons: ["there is too little data to say anything"],
        against: [],
      };
    }
    const worst = trends.find(({ held }) => held) ?? null;
    const verdict = this.#verdict(worst);
    return {
      atMs: nowMs,
      verdict,
      ...(worst === null ? {} : { indicator: worst.indicator }),
      trends: trends.map(({ pValue: _, matters: __, steady: ___, ...trend }) => trend),
      confidenceRatio: worst === null ? 1 - Math.min(...trends.map(({ held }) => (held ? 1 : 0))) : 1 - worst.pValue,
      reasons: worst === null ? ["no floor rises for real"] : [describeTrend(worst)],
      against: worst === null || verdict === "aging" ? [] : describeAgainst(worst, this.#options.horizonMs, worst.matters, worst.steady),
    };
  }

  #verdict(worst: Judged | null): Verdict {
    if (worst === null) return "healthy";
    const inside = worst.exhaustionInMs !== null && worst.exhaustionInMs.mid <= this.#options.horizonMs;
    return inside && worst.matters && worst.steady ? "aging" : "attention";
  }

  #watch(indicator: Indicator): Watch {
    const known = this.#watches.get(indicator);
    if (known !== undefined) return known;
    const watch: Watch = { track: new FloorTrack(), evidence: new RecordEvidence(), limit: null, lastFloorAtMs: null, block: null };
    this.#watches.set(indicator, watch);
    return watch;
  }

  /** A floor point is new when a major collection ended since the last one. */
  #addFloor(watch: Watch, point: FloorPoint, floorAtMs: number | undefined): void {
    if (floorAtMs === undefined || floorAtMs === watch.lastFloorAtMs) return;
    watch.lastFloorAtMs = floorAtMs;
    this.#take(watch, { ...point, atMs: floorAtMs });
  }

  #addReading(watch: Watch, point: FloorPoint): void {
    const { block } = watch;
    if (block === null) watch.block = { startMs: point.atMs, lowest: point };
    else if (point.atMs - block.startMs >= blockMs) {
      this.#take(watch, block.lowest);
      watch.block = { startMs: point.atMs, lowest: point };
    } else if (point.value <= block.lowest.value) block.lowest = point;
  }

  #take(watch: Watch, point: FloorPoint): void {
    watch.track.add(point);
    watch.evidence.add(point.value);
  }

  #judge(indicator: Indicator, { track, evidence, limit }: Watch, nowMs: number): Judged[] {
    const { points } = track;
    const first = points[0];
    const last = points.at(-1);
    if (first === undefined || last === undefined || points.length < pointsMin) return [];
    const values = points.map(({ value }) => value);
    const times = points.map(({ atMs }) => atMs - first.atMs);
    const slope = theilSen(times, values);
    if (slope === null) return [];
    const half = Math.floor(points.length / 2);
    const recent = theilSen(times.slice(half), values.slice(half)) ?? slope;
    const perRequest = theilSen(
      points.map(({ work }) => work - first.work),
      values,
    );
    const pValue = evidence.pValue;
    const held = pValue <= alpha && slope.low > 0;
    const rise = last.value - Math.min(...values);
    return [
      {
        indicator,
        floor: last.value,
        ...(limit === null ? {} : { limit }),
        slopePerHour: scale(slope, 3_600_000),
        ...(perRequest === null || Number.isNaN(perRequest.mid) ? {} : { slopePerThousandRequests: scale(perRequest, 1_000) }),
        exhaustionInMs: limit === null ? null : exhaustion(limit - last.value, held ? slope : recent, nowMs - last.atMs),
        held,
        pValue,
        matters:
          limit !== null && rise >= Math.min(riseRatioMin * limit, indicator.endsWith("Bytes") ? riseBytesMin : Number.POSITIVE_INFINITY),
        steady: recent.mid >= steadyRatioMin * slope.mid,
      },
    ];
  }
}

function scale({ low, mid, high }: Interval, by: number): Interval {
  return { low: low * by, mid: mid * by, high: high * by };
}

/** Time until `room` is used up; a fast slope is the low end. Null if even the fast one does not rise. */
function exhaustion(room: number, slope: Interval, sinceMs: number): Interval | null {
  if (slope.high <= 0) return null;
  const after = (rate: number) => (rate <= 0 ? Number.POSITIVE_INFINITY : Math.max(room / rate - sinceMs, 0));
  return { low: after(slope.high), mid: after(slope.mid), high: after(slope.low) };
}

function byExhaustion(a: Judged, b: Judged): number {
  return (a.exhaustionInMs?.mid ?? Number.MAX_VALUE) - (b.exhaustionInMs?.mid ?? Number.MAX_VALUE);
}
