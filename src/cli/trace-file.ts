/**
 * Recorded traces: CSV with a header, or Prometheus range-query JSON, into samples. What is broken is named and
 * survived: a trace comes from the field. Invariant: samples come in order of time; where the file's clock
 * jumped back, `shiftMs` says by how much a sample's time differs from the file's own.
 */
import { time } from "../aging/amounts.ts";
import type { Sample } from "../model/sample.ts";
import { cellsOf } from "./csv-cells.ts";
import { nearName } from "./near-name.ts";
import { parsePrometheus } from "./trace-prometheus.ts";
import { counted, nothing, type Parsed, type RawRow } from "./trace-rows.ts";

export interface TraceSample extends Sample {
  /** Model time minus the file's own time. */
  readonly shiftMs: number;
}

export interface TraceFile {
  readonly samples: readonly TraceSample[];
  readonly limits: Readonly<Record<string, number>>;
  /** Sentences: what was wrong with the file. */
  readonly problems: readonly string[];
}

const notIndicators: ReadonlySet<string> = new Set(["timeMs", "requestsTotal", "heapAfterGcAtMs"]);
/** A time that stays behind for more rows than this is a clock that was set back; else rows out of order. */
const strayRowsMax = 5;
/** In a shorter file nobody can tell what is far. */
const strayFileMin = 20;
/** Of more columns than these not all are named. */
const columnsNamedMax = 16;
/** 2001 and 2065 in seconds; what is larger than the last is no time in milliseconds that anyone recorded. */
const [secondsMin, secondsMax, millisecondsMax] = [1e9, 3e9, 1e14];
/** A pause of this many usual intervals is named. */
const gapIntervals = 20;

export function parseTrace(text: string, limits: Readonly<Record<string, number>>): TraceFile {
  const problems: string[] = [];
  const trimmed = text.trimStart(); // a byte-order mark too
  if (text.includes("\0")) return { samples: [], limits, problems: ["it is not UTF-8 text"] };
  if (trimmed === "") return { samples: [], limits, problems: ["the file is empty"] };
  const parsed = trimmed.startsWith("{") || trimmed.startsWith("[") ? parsePrometheus(trimmed, problems) : parseCsv(trimmed, problems);
  const all = { ...parsed.limits, ...limits };
  nameLimits(all, parsed.columns, problems);
  nameOtherUnits(parsed.rows, problems);
  const ordered = inOrder(withoutStrays(parsed.rows, problems), problems);
  nameGaps(ordered, problems);
  return { samples: ordered.map((row) => sampleOf(row, all)), limits: all, problems };
}

function sampleOf({ atMs, cells, shiftMs }: RawRow & { shiftMs: number }, limits: Readonly<Record<string, number>>): TraceSample {
  const indicators: Record<string, number> = {};
  for (const [name, value] of Object.entries(cells)) if (!notIndicators.has(name)) indicators[name] = value;
  const { requestsTotal, heapAfterGcAtMs } = cells;
  const labelled = Object.keys(indicators).flatMap((name) => {
    const limit = limits[name.replace(/\{.*\}$/, "")];
    return name.endsWith("}") && limits[name] === undefined && limit !== undefined ? [[name, limit] as const] : [];
  });
  return {
    atMs: atMs + shiftMs,
    shiftMs,
    indicators,
    limits: labelled.length === 0 ? limits : { ...Object.fromEntries(labelled), ...limits },
    ...(requestsTotal === undefined ? {} : { requestsTotal }),
    ...(heapAfterGcAtMs === undefined ? {} : { heapAfterGcAtMs: heapAfterGcAtMs + shiftMs }),
  };
}

/** A limit of a column that is not there would be met by nothing, and nobody would hear of it. */
function nameLimits(limits: Readonly<Record<string, number>>, columns: readonly string[], problems: string[]): void {
  const indicators = columns.filter((name) => !notIndicators.has(name));
  if (indicators.length === 0) return;
  const known = new Set(indicators.flatMap((name) => [name, name.replace(/\{.*\}$/, "")]));
  for (const name of Object.keys(limits)) {
    if (known.has(name)) continue;
    const near = nearName(name, indicators);
    const meant = near === null ? "" : `; did you mean ${near}?`;
    problems.push(`there is no column for the limit of ${name}${meant} (columns: ${named(indicators)})`);
  }
}

function parseCsv(text: string, problems: string[]): Parsed {
  const limits: Record<string, number> = {};
  const rows: RawRow[] = [];
  let header: string[] | null = null;
  let broken = 0;
  let firstBroken = "";
  let unreadable = 0;
  const lines = text.split(/\r?\n/);
  for (const [at, line] of lines.entries()) {
    if (line.trim() === "") continue;
    if (line.startsWith("#")) {
      const found = /^#\s*limit\s+([^=\s]+)\s*=\s*(\S*)/.exec(line);
      if (found?.[1] === undefined) continue;
      const value = Number(found[2]);
      if (Number.isFinite(value) && value > 0) limits[found[1]] = value;
      else problems.push(`line ${at + 1}: the limit of ${found[1]} is no number above 0: "${found[2]}"`);
      continue;
    }
    const cells = cellsOf(line);
    if (header === null) {
      header = cells;
      if (/^[^,]*[;\t]/.test(line) && header.length === 1) {
        problems.push(`line ${at + 1}: its cells are to be separated by commas`);
        return { ...nothing, limits };
      }
      const twice = header.find((name, column) => name !== "" && header?.indexOf(name) !== column);
      if (twice !== undefined) problems.push(`line ${at + 1}: there is more than one column ${twice}; the first was taken`);
      if (!header.includes("timeMs")) problems.push(`line ${at + 1}: the header has no column timeMs; it has ${named(header)}`);
      continue;
    }
    const row: Record<string, number> = {};
    for (const [column, name] of header.entries()) {
      const cell = cells[column] ?? "";
      if (cell === "" || header.indexOf(name) !== column) continue;
      const value = Number(cell);
      if (Number.isFinite(value)) row[name] = value;
      else unreadable += 1;
    }
    const atMs = row["timeMs"];
    if (atMs === undefined || cells.length > header.length) {
      broken += 1;
      firstBroken ||= `line ${at + 1}`;
    } else rows.push({ atMs, cells: row });
  }
  if (header === null) problems.push("there is no header line");
  else if (rows.length + broken === 0) problems.push("there are no rows below the header");
  if (broken > 0) problems.push(`left out: ${counted(broken, "broken row")}, the first in ${firstBroken}`);
  if (unreadable > 0) problems.push(`left out: ${counted(unreadable, "cell")} without a number`);
  return { rows, limits, columns: header ?? [] };
}

/** The clock of a trace may begin anywhere, but hardly eleven days after 1970 began, where the seconds of our years lie. */
function nameOtherUnits(rows: readonly RawRow[], problems: string[]): void {
  const looksLike = (unit: string) => problems.push(`its times look like ${unit}; they were taken for milliseconds, as timeMs says`);
  if (rows.length === 0) return;
  if (rows.every(({ atMs }) => atMs >= secondsMin && atMs < secondsMax)) looksLike("seconds");
  if (rows.every(({ atMs }) => atMs > millisecondsMax)) looksLike("micro- or nanoseconds");
}

/** A time ahead of both its neighbours by more than the whole rest of the file is long: a clock that was wrong for a moment. */
function withoutStrays(rows: readonly RawRow[], problems: string[]): readonly RawRow[] {
  const times = rows.map(({ atMs }) => atMs).sort((a, b) => a - b);
  const lengthMs = (times[Math.floor(times.length * 0.95)] ?? 0) - (times[Math.floor(times.length * 0.05)] ?? 0);
  const latestMs = (times[Math.floor(times.length * 0.95)] ?? 0) + Math.max(lengthMs, 1) * 2;
  const kept = rows.filter(({ atMs }, at) => atMs <= latestMs || (rows[at + 1]?.atMs ?? atMs) > latestMs);
  if (rows.length < strayFileMin || kept.length === rows.length) return rows;
  problems.push(`left out: ${counted(rows.length - kept.length, "row")} from far in the future`);
  return kept;
}

/** Rows out of order are sorted; behind a clock that was set back, time goes on. */
function inOrder(rows: readonly RawRow[], problems: string[]): (RawRow & { shiftMs: number })[] {
  const jumps: number[] = [];
  let descents = 0;
  let highestMs = Number.NEGATIVE_INFINITY;
  for (const [at, { atMs }] of rows.entries()) {
    if (atMs < highestMs && atMs < (rows[at - 1]?.atMs ?? Number.NEGATIVE_INFINITY)) {
      descents += 1;
      const later = rows[at + strayRowsMax]?.atMs ?? Number.POSITIVE_INFINITY;
      if (later < highestMs && isRising(rows.slice(at, at + strayRowsMax))) jumps.push(at);
    }
    highestMs = Math.max(highestMs, atMs);
  }
  if (descents === 0) return rows.map((row) => ({ ...row, shiftMs: 0 }));
  if (jumps.length === 0 || jumps.length < descents / 2) {
    problems.push(`times are not in order (${counted(descents, "step")} back); the rows were sorted`);
    return [...rows].sort((a, b) => a.atMs - b.atMs).map((row) => ({ ...row, shiftMs: 0 }));
  }
  problems.push(`the clock was set back ${jumps.length === 1 ? "once" : `${jumps.length} times`}; time was taken to go on`);
  const ordered: (RawRow & { shiftMs: number })[] = [];
  let shiftMs = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  for (const [at, row] of rows.entries()) {
    if (jumps.includes(at)) shiftMs = lastMs + usualIntervalMs(rows) - row.atMs;
    if (row.atMs + shiftMs <= lastMs) continue;
    lastMs = row.atMs + shiftMs;
    ordered.push({ ...row, shiftMs });
  }
  return ordered;
}

function isRising(rows: readonly RawRow[]): boolean {
  return rows.every(({ atMs }, at) => at === 0 || atMs >= (rows[at - 1]?.atMs ?? atMs));
}

function usualIntervalMs(rows: readonly RawRow[]): number {
  const intervals = rows.slice(1).map(({ atMs }, at) => atMs - (rows[at]?.atMs ?? atMs));
  const positive = intervals.filter((interval) => interval > 0).sort((a, b) => a - b);
  return positive[Math.floor(positive.length / 2)] ?? 1;
}

function nameGaps(rows: readonly (RawRow & { shiftMs: number })[], problems: string[]): void {
  const usualMs = usualIntervalMs(rows);
  let gaps = 0;
  let longestMs = 0;
  for (let at = 1; at < rows.length; at += 1) {
    const waitMs = (rows[at]?.atMs ?? 0) + (rows[at]?.shiftMs ?? 0) - (rows[at - 1]?.atMs ?? 0) - (rows[at - 1]?.shiftMs ?? 0);
    if (waitMs <= gapIntervals * usualMs) continue;
    gaps += 1;
    longestMs = Math.max(longestMs, waitMs);
  }
  if (gaps > 0) problems.push(`${counted(gaps, "gap")} without rows, the longest of ${time(longestMs)}`);
}

function named(columns: readonly string[]): string {
  return `${columns.slice(0, columnsNamedMax).join(", ")}${columns.length > columnsNamedMax ? ", …" : ""}`;
}
