/**
 * A life in scaled units: time and work 0..1, values about 1. Bytes and descriptors, minutes and weeks become
 * the same numbers, so that one set of shapes and noises serves all. Knows too what the time ahead will bring in work.
 */
import { columnOf } from "./columns.ts";
import type { FloorPoint, FloorTrack } from "./floor-track.ts";
import type { LifeMarks } from "./growth-shapes.ts";
import { largestStepOf } from "./largest-step.ts";
import {
  dayAhead,
  highestRate,
  type LoadAhead,
  type LoadProfile,
  lengthMs,
  loadAhead,
  noOverload,
  overloadWithin,
} from "./load-profile.ts";
import { type Overhang, overhangOf } from "./overhang.ts";

export interface ScaledLife {
  readonly values: Float64Array;
  /** Load of each block less its mean; all zero where it is not looked for. */
  readonly loads: Float64Array;
  readonly weights: Float64Array;
  readonly marks: LifeMarks;
  /** Of the young blocks, on average: width in lives and weight. */
  readonly young: { readonly width: number; readonly weight: number };
  readonly usesLoad: boolean;
  /** It varies too little for that, but enough to be looked for where it explains much. */
  readonly mayUseLoad: boolean;
  /** False where work went with time throughout: its clocks say nothing that those of time do not. */
  readonly usesWork: boolean;
  /** When its largest step was, as a share of it; whether that took back what had been gained. */
  readonly stepTime: number;
  readonly stepTakesBack: boolean;
  readonly loadPeak: number;
  readonly meanLoad: number;
  /** What a day, or a week, from now on brings; null while it cannot be told. */
  readonly day: readonly LoadAhead[] | null;
  /** How far the work ahead, and the work beyond each threshold, may differ from what is expected of it, relative, so many lives from now. */
  readonly paceDoubts: { readonly work: Doubt; readonly overload: readonly Doubt[] };
  readonly lifeMs: number;
  readonly work: number;
  readonly overload: readonly number[];
  readonly offset: number;
  readonly unit: number;
  /** In units of the readings. */
  readonly overhang: Overhang;
  /** Work and overload that a further life will bring, where no day is known. */
  readonly pace: { readonly work: number; readonly overload: readonly number[] };
}

export type Doubt = (lives: number) => number;

export const blocksMin = 6;
/** The load is looked for where it varies by this share of its mean. */
const loadSpreadMin = 0.4;
const loadSpreadSmall = 0.1;
const loadBlocksMin = 12;
const blocksYoung = 8;
/** Work and time count as the same where they never differ by more than this share of the life. */
const evenRatio = 0.01;
const paceDoubtRatioMax = 0.2;
const dayMs = 86_400_000;
/** Hours of late are compared with those of other days, where there are any. */
const lateMs = dayMs / 2;
const daysToCompare = 1.5;
const levelMax = 5;
/** The rest of the difference may be gone tomorrow. */
const partBelieved = 0.6;
const paceDoubtRatioMin = 0.06;
/** One day differs from the next, most where work counts beyond a threshold; of the first nothing shows by how much. */
const dayDoubtRatio = 0.1;
/** Share of the time in which the load is beyond a threshold, roughly: what lies beyond it changes more than the load itself. */
const overloadTimeRatio = 0.4;

export function scaleLife(track: FloorTrack, profile: LoadProfile): ScaledLife | null {
  const { points } = track;
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined || points.length < blocksMin) return null;
  const { startMs } = track;
  const lifeMs = last.atMs - startMs;
  let low = first.value;
  let high = first.value;
  for (const { value } of points) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const unit = Math.max(high - low, Math.abs(high) * 1e-6, 1e-300);
  if (lifeMs <= 0 || !Number.isFinite(unit)) return null;
  const knowsWork = points.every(({ work }) => Number.isFinite(work));
  const workBefore = knowsWork ? workAtStart(points, startMs) : 0;
  const work = knowsWork ? last.work - workBefore : 0;
  const time = columnOf(points, (point) => (point.atMs - startMs) / lifeMs);
  const done = columnOf(points, (point) => (work > 0 ? (point.work - workBefore) / work : 0));
  const usesWork = work > 0 && time.some((at, row) => !(Math.abs(at - (done[row] ?? 0)) < evenRatio));
  const daily = work > 0 ? (profile.ratesOfWeek({ startMs, lastMs: last.atMs, work }) ?? profile.rates()) : null;
  const usual = daily === null ? work / lifeMs : daily.reduce((sum, rate) => sum + rate, 0) / daily.length;
  const overloads = usesWork ? overloadsOf(points, daily, usual) : noOverload.map(() => new Float64Array(points.length));
  const overload = overloads.map((column) => column.at(-1) ?? 0);
  const step = largestStepOf(points);
  const stepTime = (step.atMs - startMs) / lifeMs;
  const marks = {
    time,
    work: done,
    overload: overloads.map((column, which) => shareOf(column, overload[which] ?? 0)),
    stepped: step.column,
    sinceStep: sinceStep(time, stepTime),
  };
  const rates = work > 0 ? loadOf(points, work / lifeMs) : points.map(() => 0);
  const meanLoad = rates.reduce((sum, load) => sum + load, 0) / rates.length;
  const spread = points.length >= loadBlocksMin ? Math.max(...rates) - Math.min(...rates) : 0;
  const usesLoad = spread > loadSpreadMin;
  const mayUseLoad = !usesLoad && spread > loadSpreadSmall;
  const loads = columnOf(rates, (rate) => (usesLoad || mayUseLoad ? rate - meanLoad : 0));
  const usualDay = daily === null ? null : dayAhead(daily, last.atMs, usual);
  const level = usualDay === null ? 1 : levelOfLate(points, usualDay);
  const day = usualDay?.map((ahead) => ({ ...ahead, work: level * ahead.work })) ?? null;
  const weights = columnOf(points, ({ count }) => Math.min(Math.max((count * points.length) / track.count, 0.05), 8));
  return {
    values: columnOf(points, ({ value }) => (value - first.value) / unit),
    loads,
    weights,
    marks,
    young: youngOf(time, weights),
    usesLoad,
    mayUseLoad,
    usesWork,
    stepTime,
    stepTakesBack: step.takesBack,
    loadPeak: Math.max(...loads),
    meanLoad,
    day,
    paceDoubts: paceDoubts(marks, usualDay, { lifeMs, work, overload }, day === null ? 1 : profile.unseenRatio),
    lifeMs,
    work,
    overload,
    offset: first.value,
    unit,
    overhang: overhangOf(points),
    pace: paceOf(marks),
  };
}

/** A block knows the mean of its readings only: back to the first of them at the pace of the first two blocks. */
function workAtStart([first, second]: readonly FloorPoint[], startMs: number): number {
  if (first === undefined || second === undefined) return 0;
  return first.work - (Math.max(second.work - first.work, 0) * (first.atMs - startMs)) / (second.atMs - first.atMs);
}

/** The newest block may still be gathering. */
function youngOf(time: Float64Array, weights: Float64Array): ScaledLife["young"] {
  const [from, to] = [Math.max(time.length - 1 - blocksYoung, 0), time.length - 1];
  const weight = weights.subarray(from, to).reduce((sum, one) => sum + one, 0) / (to - from);
  return { width: ((time[to] ?? 0) - (time[from] ?? 0)) / (to - from), weight };
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

/**
 * The load of the last hours over what these hours of the day usually bring: where days differ (a weekend, a load that was moved
 * here), the next is more like the last than like their mean.
 * @param day usual, from the last block on.
 */
function levelOfLate(points: readonly FloorPoint[], day: readonly LoadAhead[]): number {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || last.atMs - first.atMs < daysToCompare * dayMs) return 1;
  const from = points.find(({ atMs }) => atMs >= last.atMs - lateMs) ?? last;
  const expected = loadAhead(day, lengthMs(day)).work - loadAhead(day, lengthMs(day) - (last.atMs - from.atMs)).work;
  const level = expected > 0 ? (last.work - from.work) / expected : 1;
  return Math.min(Math.max(level, 1 / levelMax), levelMax) ** partBelieved;
}

/** Work beyond each threshold from the first block until each of them, a column each. */
function overloadsOf(points: readonly FloorPoint[], daily: Float64Array | null, usual: number): Float64Array[] {
  const columns = noOverload.map(() => new Float64Array(points.length));
  for (let at = 1; at < points.length; at += 1) {
    const [before, now] = [points[at - 1], points[at]];
    if (before === undefined || now === undefined) continue;
    const more = overloadWithin(daily, before.atMs, now.atMs, now.work - before.work, usual);
    for (const [which, column] of columns.entries()) column[at] = (column[at - 1] ?? 0) + (more[which] ?? 0);
  }
  return columns;
}

function shareOf(column: Float64Array, whole: number): Float64Array {
  return whole > 0 ? columnOf(column, (part) => part / whole) : column;
}

/** What a further life brings in work: half what this one did, half what its last quarter did. */
function paceOf({ time, work, overload }: LifeMarks): { work: number; overload: readonly number[] } {
  const from = time.findIndex((at) => at >= 0.75);
  const elapsed = (time.at(-1) ?? 0) - (time[from] ?? 0);
  if (from < 0 || elapsed <= 0) return { work: 1, overload: noOverload.map(() => 1) };
  const recent = (done: Float64Array) => 0.5 + (0.5 * ((done.at(-1) ?? 0) - (done[from] ?? 0))) / elapsed;
  return { work: recent(work), overload: overload.map(recent) };
}

/** Times ahead for which it is measured how far the work of the past was from what its own profile says. */
const doubtLags = [0.02, 0.05, 0.1, 0.2, 0.4] as const;

function paceDoubts(
  marks: LifeMarks,
  day: readonly LoadAhead[] | null,
  { lifeMs, work, overload }: Pick<ScaledLife, "lifeMs" | "work" | "overload">,
  unseenRatio: number,
): ScaledLife["paceDoubts"] {
  const turnsMs = day === null ? 0 : Math.ceil(lifeMs / lengthMs(day)) * lengthMs(day);
  const since = (of: (ahead: LoadAhead) => number, whole: number) => (time: number) =>
    day === null ? time : of(loadAhead(day, turnsMs + (time - 1) * lifeMs)) / whole;
  const least = dayDoubtRatio / Math.sqrt(Math.max(lifeMs / dayMs, 1));
  const unseen = (leverage: number) =>
    Math.max((leverage - 1) * least, paceDoubtRatioMin) * (1 - unseenRatio) + leverage * paceDoubtRatioMax * unseenRatio;
  const doubt = (done: Float64Array | undefined, whole: number, of: (ahead: LoadAhead) => number, leverage: number): Doubt =>
    done === undefined || whole <= 0 ? () => unseen(leverage) : paceDoubt(marks.time, done, since(of, whole), unseen(leverage));
  return {
    work: doubt(marks.work, work, (ahead) => ahead.work, 1),
    overload: overload.map((whole, which) => {
      const leverage = whole > 0 ? 1 + (overloadTimeRatio * work) / whole : 1;
      return doubt(marks.overload[which], whole, (ahead) => ahead.overload[which] ?? 0, leverage);
    }),
  };
}

/**
 * What is known of the load's regularity: the root mean square of the work that came over a time, less what the profile expects of
 * that time, relative; and a part for the hours that nobody has seen. Beyond the longest lag, deviations add up like a walk's.
 * @param expected work from the life's begin until a time (scaled), but for a constant.
 */
function paceDoubt(times: Float64Array, done: Float64Array, expected: (time: number) => number, unseen: number): Doubt {
  let measured: readonly number[] | null = null;
  return (lives) => {
    measured ??= doubtsMeasured(
      times,
      times.map((time, at) => (done[at] ?? 0) - expected(time)),
    );
    const at = doubtLags.findIndex((lag) => lag >= lives);
    const longest = doubtLags.length - 1;
    const own = at < 0 ? (measured[longest] ?? 0) * Math.sqrt((doubtLags[longest] ?? 1) / lives) : (measured[at] ?? 0);
    return Math.hypot(unseen, own);
  };
}

/** At each lag; asked for only where a shape that goes by work is heavy. */
function doubtsMeasured(times: Float64Array, rests: Float64Array): number[] {
  return doubtLags.map((lag) => {
    let squares = 0;
    let pairs = 0;
    let to = 0;
    for (let from = 0; from < times.length; from += 1) {
      const time = times[from] ?? 0;
      while (to < times.length && (times[to] ?? 0) < time + lag) to += 1;
      if (to === times.length) break;
      squares += ((rests[to] ?? 0) - (rests[from] ?? 0)) ** 2 * (lag / ((times[to] ?? 0) - time));
      pairs += 1;
    }
    return pairs === 0 ? 0 : Math.sqrt(squares / pairs) / lag;
  });
}

/** Where the life will be, so many lives from now. */
export function marksAhead({ pace, day, lifeMs, work, overload, stepTime }: ScaledLife, lives: readonly number[]): LifeMarks {
  const column = (of: (ahead: number, at: number) => number) => columnOf(lives, of);
  const time = column((ahead) => 1 + ahead);
  const steps = { stepped: column(() => 1), sinceStep: sinceStep(time, stepTime) };
  if (day === null) {
    return {
      time,
      work: column((ahead) => 1 + ahead * pace.work),
      overload: pace.overload.map((more) => column((ahead) => 1 + ahead * more)),
      ...steps,
    };
  }
  const brought = lives.map((ahead) => loadAhead(day, ahead * lifeMs));
  return {
    time,
    work: column((_, at) => 1 + (brought[at]?.work ?? 0) / work),
    overload: overload.map((whole, which) => column((_, at) => (whole > 0 ? 1 + (brought[at]?.overload[which] ?? 0) / whole : 1))),
    ...steps,
  };
}

function sinceStep(time: Float64Array, stepTime: number): Float64Array {
  return columnOf(time, (at) => Math.max(at - stepTime, 0));
}

/** The highest load within a while ahead, relative to the life's mean load. */
export function peakWithin({ day, lifeMs, work, loadPeak, meanLoad, usesLoad, mayUseLoad }: ScaledLife, from: number, to: number): number {
  if (!usesLoad && !mayUseLoad) return 0;
  if (day === null) return loadPeak * Math.min(1, to * 4);
  return highestRate(day, from * lifeMs, to * lifeMs) / (work / lifeMs) - meanLoad;
}
