/**
 * What a person reads of an analysed trace: verdict, reasons, and a plot in the terminal of readings, level
 * and limit with the forecast's cone. Plain text; the page (`--html`) shows the same as SVG.
 */
import type { Replay } from "../aging/replay.ts";
import { duration, quantity } from "./format.ts";
import type { TraceSample } from "./trace-file.ts";

export interface Analysis {
  readonly file: string;
  readonly verdict: string;
  readonly indicator: string | null;
  readonly replay: Replay;
  readonly samples: readonly TraceSample[];
  readonly problems: readonly string[];
}

const width = 72;
const height = 14;

export function describeAnalysis(analysis: Analysis): string {
  const { file, verdict, indicator, replay, samples, problems } = analysis;
  const startMs = samples[0]?.atMs ?? 0;
  const since = (ms: number | null) => (ms === null ? "never" : `after ${duration(ms - startMs)}`);
  const lines = [`${file}: ${verdict}`];
  for (const reason of replay.decisive?.reasons ?? []) lines.push(`  ${reason}`);
  for (const against of replay.decisive?.against ?? []) lines.push(`  but ${against}`);
  lines.push(`  trend first held: ${since(replay.trendAtMs)}; would have been regenerated: ${since(replay.agingAtMs)}`);
  for (const problem of problems) lines.push(`  note: ${problem}`);
  if (indicator !== null) lines.push("", ...plot(analysis, indicator));
  return `${lines.join("\n")}\n`;
}

/** The points to draw: the indicator's readings, its limit, and how far the plot reaches. */
export function curveOf({ samples, replay }: Analysis, indicator: string) {
  const points = samples.flatMap(({ atMs, indicators }) => {
    const value = indicators[indicator];
    return value === undefined || !Number.isFinite(value) ? [] : [{ atMs, value }];
  });
  const startMs = points[0]?.atMs ?? 0;
  const endMs = points.at(-1)?.atMs ?? 1;
  const trend = replay.last?.trends.find((one) => one.indicator === indicator) ?? null;
  const limit = trend?.limit ?? null;
  const exhaustion = trend?.exhaustionInMs ?? null;
  const reachMs = exhaustion !== null && Number.isFinite(exhaustion.mid) ? Math.min(exhaustion.mid * 1.2, (endMs - startMs) * 0.5) : 0;
  const highest = points.reduce((max, { value }) => Math.max(max, value), limit ?? 0);
  return {
    points,
    startMs,
    endMs,
    lastMs: Math.max(endMs + reachMs, startMs + 1),
    limit,
    exhaustion,
    highest,
    level: trend?.floor ?? null,
  };
}

function plot(analysis: Analysis, indicator: string): string[] {
  const { points, startMs, endMs, lastMs, limit, exhaustion, highest, level } = curveOf(analysis, indicator);
  if (points.length === 0 || highest <= 0) return [];
  const grid = Array.from({ length: height }, () => Array.from({ length: width }, () => " "));
  const rowOf = (value: number) => height - 1 - Math.round((Math.max(value, 0) / (highest * 1.02)) * (height - 1));
  const columnOf = (atMs: number) => Math.min(Math.max(Math.round(((atMs - startMs) / (lastMs - startMs)) * (width - 1)), 0), width - 1);
  const put = (atMs: number, value: number, sign: string) => {
    const row = grid[Math.min(Math.max(rowOf(value), 0), height - 1)];
    const column = columnOf(atMs);
    if (row !== undefined && (row[column] === " " || sign === "·")) row[column] = sign;
  };
  for (const { atMs, value } of points) put(atMs, value, "·");
  if (exhaustion !== null && level !== null && limit !== null && lastMs > endMs) {
    for (let column = columnOf(endMs) + 1; column < width; column += 1) {
      const atMs = startMs + (column / (width - 1)) * (lastMs - startMs);
      const along = (inMs: number) => (Number.isFinite(inMs) && inMs > 0 ? level + ((limit - level) * (atMs - endMs)) / inMs : level);
      for (const [inMs, sign] of [
        [exhaustion.mid, "*"],
        [exhaustion.low, "'"],
        [exhaustion.high, ","],
      ] as const) {
        if (along(inMs) <= highest * 1.02) put(atMs, along(inMs), sign);
      }
    }
  }
  if (limit !== null)
    for (let column = 0; column < width; column += 1) put(startMs + (column / (width - 1)) * (lastMs - startMs), limit, "-");
  const label = (value: number) => quantity(indicator, value).padStart(10);
  const left = grid.map((_, at) => (at === 0 ? label(highest) : at === height - 1 ? label(0) : " ".repeat(10)));
  const legend = `· ${indicator}${limit === null ? "" : "   - limit"}${lastMs > endMs ? "   * forecast, ' and , its 90 % interval" : ""}`;
  return [
    ...grid.map((row, at) => `${left[at] ?? ""} │${row.join("").trimEnd()}`),
    `${" ".repeat(11)}└${"─".repeat(width)}`,
    `${" ".repeat(12)}${legend}`,
  ];
}
