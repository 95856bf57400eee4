/**
 * An analysed trace, and what of it is drawn: one indicator's readings, its limit, the moments of the trend and of the
 * regeneration, and the forecast's cone from the decision on (from the end where there was none), so that what
 * came after can be compared with it.
 */
import type { Replay } from "../aging/replay.ts";
import type { Interval, Verdict } from "../model/report.ts";
import type { TraceFile } from "./trace-file.ts";

export interface Analysis extends TraceFile {
  readonly file: string;
  readonly verdict: Verdict;
  readonly indicator: string | null;
  readonly replay: Replay;
}

/** What a person calls the trace. */
export function titleOf({ file, instance }: Pick<Analysis, "file" | "instance">): string {
  return instance === null ? file : `${file}, ${instance}`;
}

export interface Point {
  readonly atMs: number;
  readonly value: number;
}

export interface Cone {
  readonly from: Point;
  /** From `from` on, until the limit is met. */
  readonly inMs: Interval;
  readonly limit: number;
}

export interface Mark {
  readonly atMs: number;
  readonly kind: "trend" | "regeneration";
}

export interface Curve {
  readonly indicator: string;
  /** Of a long recording the lowest and the highest of each stretch, and the last. */
  readonly points: readonly Point[];
  readonly startMs: number;
  readonly endMs: number;
  /** How far the drawing reaches: the readings, or the forecast. */
  readonly lastMs: number;
  /** 0, or the lowest reading where it is below. */
  readonly lowest: number;
  /** Of the readings and the limit. */
  readonly highest: number;
  readonly limit: number | null;
  readonly marks: readonly Mark[];
  readonly cone: Cone | null;
}

/** A forecast is drawn a little beyond its middle, and over half of the recorded life at most. */
const beyondMiddle = 1.2;
const reachPerLife = 0.5;
/** More points than twice this nobody sees, and of millions of readings each would take ten times its row. */
const stretches = 2_000;

/** @returns null where there is nothing to draw. */
export function curveOf({ samples, indicator, replay }: Analysis): Curve | null {
  if (indicator === null) return null;
  const points = pointsOf(samples, indicator);
  const [first, last] = [samples.at(0), samples.at(-1)];
  const limit = replay.last?.trends.find((one) => one.indicator === indicator)?.limit ?? null;
  const lowest = points.reduce((min, { value }) => Math.min(min, value), 0);
  const highest = points.reduce((max, { value }) => Math.max(max, value), limit ?? 0);
  if (first === undefined || last === undefined || points.length === 0 || highest === lowest) return null;
  const cone = coneOf(replay, indicator);
  const reachMs = cone === null ? 0 : Math.min(cone.inMs.mid * beyondMiddle, (last.atMs - first.atMs) * reachPerLife);
  return {
    indicator,
    points,
    startMs: first.atMs,
    endMs: last.atMs,
    lastMs: Math.max(last.atMs, (cone?.from.atMs ?? last.atMs) + reachMs, first.atMs + 1),
    lowest,
    highest,
    limit,
    // The trend that was held first may have been another indicator's: on this curve nobody would see it.
    marks: [
      ...(replay.trendIndicator === indicator ? marksOf(replay.trendAtMs, "trend") : []),
      ...marksOf(replay.agingAtMs, "regeneration"),
    ],
    cone,
  };
}

function pointsOf(samples: TraceFile["samples"], indicator: string): Point[] {
  const perStretch = Math.ceil(samples.length / stretches);
  const points: Point[] = [];
  let stretch: Point[] = [];
  for (const { atMs, indicators } of samples) {
    const value = Object.hasOwn(indicators, indicator) ? indicators[indicator] : undefined;
    if (value === undefined) continue;
    if (stretch.length >= perStretch) {
      points.push(...extremesOf(stretch));
      stretch = [];
    }
    stretch.push({ atMs, value });
  }
  const last = stretch.pop();
  return last === undefined ? points : [...points, ...extremesOf(stretch), last];
}

/** Peaks are what meets a limit: none is left out. */
export function extremesOf(points: readonly Point[]): readonly Point[] {
  if (points.length <= 2) return points;
  const lowest = points.reduce((least, one) => (one.value < least.value ? one : least));
  const highest = points.reduce((most, one) => (one.value > most.value ? one : most));
  return lowest.atMs < highest.atMs ? [lowest, highest] : [highest, lowest];
}

/** Where a path that meets the limit after so many milliseconds is at a time: straight, from the level to the limit. */
export function alongCone({ from, limit }: Cone, inMs: number, atMs: number): number {
  if (!Number.isFinite(inMs)) return from.value;
  return from.value + ((limit - from.value) * (atMs - from.atMs)) / Math.max(inMs, 1);
}

function coneOf({ decisive }: Replay, indicator: string): Cone | null {
  const trend = decisive?.trends.find((one) => one.indicator === indicator);
  if (decisive === null || trend?.limit === undefined || trend.exhaustionInMs === null) return null;
  if (!Number.isFinite(trend.exhaustionInMs.mid) || trend.floor >= trend.limit) return null;
  return { from: { atMs: decisive.atMs, value: trend.floor }, inMs: trend.exhaustionInMs, limit: trend.limit };
}

function marksOf(atMs: number | null, kind: Mark["kind"]): Mark[] {
  return atMs === null ? [] : [{ atMs, kind }];
}
