/**
 * The clock of a trace: rows out of order are sorted, behind a clock that was set back time goes on, and rows from another
 * time altogether are left out. Each of these is named.
 */
import { time } from "../aging/amounts.ts";
import { secondsMax, secondsMin } from "./csv-cells.ts";
import { counted } from "./trace-rows.ts";

/** Rows in order of time. */
export interface Order {
  /** Which row of the file each is. */
  readonly rows: Uint32Array;
  /** Model time of each. */
  readonly atMs: Float64Array;
  /** Model time minus the file's own; null where it is the file's own throughout. */
  readonly shiftsMs: Float64Array | null;
}

/** A time that stays behind for more rows than this is a clock that was set back; else rows out of order. */
const strayRowsMax = 5;
/** In a shorter file nobody can tell what is far. */
const strayFileMin = 20;
/** What is larger is no time in milliseconds that anyone recorded. */
const millisecondsMax = 1e14;
/** A pause of this many usual intervals is named. */
const gapIntervals = 20;

export function orderOf(timesMs: Float64Array, problems: string[]): Order {
  nameOtherUnits(timesMs, problems);
  const order = inOrder(timesMs, withoutStrays(timesMs, problems), problems);
  nameTwins(order.atMs, problems);
  nameGaps(order.atMs, problems);
  return order;
}

/** The clock of a trace may begin anywhere, but hardly eleven days after 1970 began, where the seconds of our years lie. */
function nameOtherUnits(timesMs: Float64Array, problems: string[]): void {
  const looksLike = (unit: string) => problems.push(`its times look like ${unit}; they were taken for milliseconds, as timeMs says`);
  if (timesMs.length === 0) return;
  if (timesMs.every((atMs) => atMs >= secondsMin && atMs < secondsMax)) looksLike("seconds");
  if (timesMs.every((atMs) => atMs > millisecondsMax)) looksLike("micro- or nanoseconds");
}

/** A time away from both its neighbours by more than the whole rest of the file is long: a clock that was wrong for a moment. */
function withoutStrays(timesMs: Float64Array, problems: string[]): Uint32Array {
  const all = new Uint32Array(timesMs.length).map((_, row) => row);
  if (timesMs.length < strayFileMin) return all;
  const sorted = timesMs.toSorted();
  const quantile = (share: number) => sorted[Math.floor(sorted.length * share)] ?? 0;
  const [earlyMs, lateMs] = [quantile(0.05), quantile(0.95)];
  const awayMs = Math.max(lateMs - earlyMs, 1) * 2;
  const sideOf = (row: number) => {
    const atMs = timesMs[row] ?? earlyMs;
    return atMs > lateMs + awayMs ? "future" : atMs < earlyMs - awayMs ? "past" : null;
  };
  const isStray = (row: number) => {
    const side = sideOf(row);
    return side !== null && sideOf(row - 1) !== side && sideOf(row + 1) !== side;
  };
  const strays = all.filter(isStray);
  for (const side of ["future", "past"] as const) {
    const rows = strays.filter((row) => sideOf(row) === side).length;
    if (rows > 0) problems.push(`left out: ${counted(rows, "row")} from far in the ${side}`);
  }
  return strays.length === 0 ? all : all.filter((row) => !isStray(row));
}

/** Rows out of order are sorted; behind a clock that was set back, time goes on. */
function inOrder(timesMs: Float64Array, rows: Uint32Array, problems: string[]): Order {
  const told = rows.length === timesMs.length ? timesMs : Float64Array.from(rows, (row) => timesMs[row] ?? 0);
  const { descents, jumps } = stepsBack(told);
  if (descents === 0) return { rows, atMs: told, shiftsMs: null };
  if (jumps.size === 0 || jumps.size < descents / 2) {
    problems.push(`times are not in order (${counted(descents, "step")} back); the rows were sorted`);
    const sorted = rows.toSorted((a, b) => (timesMs[a] ?? 0) - (timesMs[b] ?? 0) || a - b);
    return { rows: sorted, atMs: Float64Array.from(sorted, (row) => timesMs[row] ?? 0), shiftsMs: null };
  }
  problems.push(`the clock was set back ${jumps.size === 1 ? "once" : `${jumps.size} times`}; time was taken to go on`);
  return goingOn(told, rows, jumps);
}

/** Where times go back, and at which of these the clock stays back. */
function stepsBack(timesMs: Float64Array): { descents: number; jumps: ReadonlySet<number> } {
  const jumps = new Set<number>();
  let descents = 0;
  let highestMs = Number.NEGATIVE_INFINITY;
  for (const [at, atMs] of timesMs.entries()) {
    if (atMs < highestMs && atMs < (timesMs[at - 1] ?? Number.NEGATIVE_INFINITY)) {
      descents += 1;
      const later = timesMs[at + strayRowsMax] ?? Number.POSITIVE_INFINITY;
      if (later < highestMs && isRising(timesMs.subarray(at, at + strayRowsMax))) jumps.add(at);
    }
    highestMs = Math.max(highestMs, atMs);
  }
  return { descents, jumps };
}

function goingOn(timesMs: Float64Array, rows: Uint32Array, jumps: ReadonlySet<number>): Order {
  const intervalMs = usualIntervalMs(timesMs);
  const shifts = new Float64Array(timesMs.length);
  let shiftMs = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  const kept = new Uint32Array(rows.length)
    .map((_, at) => at)
    .filter((at) => {
      const atMs = timesMs[at] ?? 0;
      if (jumps.has(at)) shiftMs = lastMs + intervalMs - atMs;
      if (atMs + shiftMs <= lastMs) return false;
      lastMs = atMs + shiftMs;
      shifts[at] = shiftMs;
      return true;
    });
  return {
    rows: kept.map((at) => rows[at] ?? 0),
    atMs: Float64Array.from(kept, (at) => (timesMs[at] ?? 0) + (shifts[at] ?? 0)),
    shiftsMs: Float64Array.from(kept, (at) => shifts[at] ?? 0),
  };
}

function isRising(timesMs: Float64Array): boolean {
  return timesMs.every((atMs, at) => at === 0 || atMs >= (timesMs[at - 1] ?? atMs));
}

function usualIntervalMs(timesMs: Float64Array): number {
  const intervals = timesMs.subarray(1).map((atMs, at) => atMs - (timesMs[at] ?? atMs));
  const positive = intervals.filter((interval) => interval > 0).sort();
  return positive[Math.floor(positive.length / 2)] ?? 1;
}

/** Several processes in one table, mostly: their readings would be one that goes up and down. */
function nameTwins(timesMs: Float64Array, problems: string[]): void {
  const twins = timesMs.reduce((count, atMs, at) => (at > 0 && atMs === timesMs[at - 1] ? count + 1 : count), 0);
  if (twins > 0) problems.push(`${counted(twins, "row")} of the same time as the one before; a trace is of one process`);
}

function nameGaps(timesMs: Float64Array, problems: string[]): void {
  const usualMs = usualIntervalMs(timesMs);
  let gaps = 0;
  let longestMs = 0;
  for (let at = 1; at < timesMs.length; at += 1) {
    const waitMs = (timesMs[at] ?? 0) - (timesMs[at - 1] ?? 0);
    if (waitMs <= gapIntervals * usualMs) continue;
    gaps += 1;
    longestMs = Math.max(longestMs, waitMs);
  }
  if (gaps > 0) problems.push(`${counted(gaps, "gap")} without rows, the longest of ${time(longestMs)}`);
}
