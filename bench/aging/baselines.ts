/**
 * What is used elsewhere, as judges beside ours: a threshold, Mann–Kendall with Sen's slope (raw, and with the
 * variance correction of Hamed and Rao 1998), CUSUM, and linear regression. Each sees the last twelve hours as
 * at most 120 block means, a hundred times in a life, and decides at a horizon of 30 minutes where it forecasts.
 */

import type { Trace } from "./generate.ts";
import type { Judge, Judged } from "./judge.ts";
import { lives } from "./judge.ts";

interface View {
  readonly times: readonly number[];
  readonly values: readonly number[];
  readonly limit: number;
  readonly nowMs: number;
  readonly value: number;
}

/** What a baseline says of one view: is there a trend, and the time until the limit. */
interface Opinion {
  readonly trend: boolean;
  readonly exhaustionMs: number;
  readonly decides: boolean;
}

const windowMs = 12 * 3_600_000;
const blocksMax = 120;
const looks = 100;
const horizonMs = 30 * 60_000;
const normalQuantile = 1.645;

function judgeBy(opinion: (view: View) => Opinion): Judge {
  return (trace: Trace): Judged => {
    const endMs = trace.rows.at(-1)?.atMs ?? 0;
    let [decidedAtMs, heldAtMs, heldMs, beforeMs, nextMs]: [number | null, number | null, number, number, number] = [null, null, 0, 0, 0];
    let said = Number.POSITIVE_INFINITY;
    const forecasts: { life: number; trueMs: number; said: { low: number; mid: number; high: number } | null }[] = [];
    for (const [at, { atMs }] of trace.rows.entries()) {
      const grid = lives[forecasts.length];
      const onGrid = grid !== undefined && trace.exhaustionMs !== null && atMs >= grid * endMs;
      if (atMs < nextMs && !onGrid) continue;
      if (atMs >= nextMs) nextMs = atMs + endMs / looks;
      const view = viewAt(trace, at);
      if (view.values.length < 10) continue;
      const { trend, exhaustionMs, decides } = opinion(view);
      said = exhaustionMs;
      if (trend) {
        heldAtMs ??= atMs;
        heldMs += atMs - beforeMs;
      }
      beforeMs = atMs;
      if (decides) decidedAtMs ??= atMs;
      if (onGrid) {
        forecasts.push({
          life: grid,
          trueMs: Math.max(endMs - atMs, 1),
          said: Number.isFinite(said) ? { low: said, mid: said, high: said } : null,
        });
      }
    }
    return { trace, decidedAtMs, heldAtMs, heldMs, forecasts };
  };
}

function viewAt({ rows, limit }: Trace, at: number): View {
  const nowMs = rows[at]?.atMs ?? 0;
  let from = at;
  while (from > 0 && (rows[from - 1]?.atMs ?? 0) >= nowMs - windowMs) from -= 1;
  const per = Math.max(Math.ceil((at - from + 1) / blocksMax), 1);
  const times: number[] = [];
  const values: number[] = [];
  for (let start = from; start + per <= at + 1; start += per) {
    const block = rows.slice(start, start + per);
    times.push(block.reduce((sum, row) => sum + row.atMs, 0) / per);
    values.push(block.reduce((sum, row) => sum + row.value, 0) / per);
  }
  return { times, values, limit, nowMs, value: rows[at]?.value ?? 0 };
}

const never: Opinion = { trend: false, exhaustionMs: Number.POSITIVE_INFINITY, decides: false };

const threshold = ({ value, limit }: View): Opinion => ({ ...never, trend: value >= 0.9 * limit, decides: value >= 0.9 * limit });

/** Ranks of the values, for Hamed and Rao's autocorrelation. */
function ranksOf(values: readonly number[]): number[] {
  const order = values.map((value, at) => ({ value, at })).sort((a, b) => a.value - b.value);
  const ranks = values.map(() => 0);
  for (const [rank, { at }] of order.entries()) ranks[at] = rank + 1;
  return ranks;
}

function mannKendall(values: readonly number[], corrected: boolean, detrended: readonly number[]): number {
  const n = values.length;
  let s = 0;
  for (let i = 0; i < n; i += 1) for (let j = i + 1; j < n; j += 1) s += Math.sign((values[j] ?? 0) - (values[i] ?? 0));
  let variance = (n * (n - 1) * (2 * n + 5)) / 18;
  if (corrected) {
    const ranks = ranksOf(detrended);
    const mean = (n + 1) / 2;
    const spread = ranks.reduce((sum, rank) => sum + (rank - mean) ** 2, 0);
    let sum = 0;
    for (let lag = 1; lag < n - 2; lag += 1) {
      let product = 0;
      for (let at = 0; at + lag < n; at += 1) product += ((ranks[at] ?? 0) - mean) * ((ranks[at + lag] ?? 0) - mean);
      const correlation = product / spread;
      if (Math.abs(correlation) > 1.96 / Math.sqrt(n)) sum += (n - lag) * (n - lag - 1) * (n - lag - 2) * correlation;
    }
    variance *= Math.max(1 + (2 / (n * (n - 1) * (n - 2))) * sum, 0.05);
  }
  return s > 0 ? (s - 1) / Math.sqrt(variance) : 0;
}

function senSlope(times: readonly number[], values: readonly number[]): number {
  const slopes: number[] = [];
  for (let i = 0; i < times.length; i += 1) {
    for (let j = i + 1; j < times.length; j += 1) slopes.push(((values[j] ?? 0) - (values[i] ?? 0)) / ((times[j] ?? 0) - (times[i] ?? 0)));
  }
  slopes.sort((a, b) => a - b);
  return slopes[Math.floor(slopes.length / 2)] ?? 0;
}

const trendTest =
  (corrected: boolean) =>
  ({ times, values, limit }: View): Opinion => {
    const slope = senSlope(times, values);
    const level = [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
    const middle = times[Math.floor(times.length / 2)] ?? 0;
    const detrended = values.map((value, at) => value - slope * (times[at] ?? 0));
    const trend = mannKendall(values, corrected, detrended) > normalQuantile;
    const nowLevel = level + slope * ((times.at(-1) ?? 0) - middle);
    const exhaustionMs = slope > 0 ? Math.max((limit - nowLevel) / slope, 0) : Number.POSITIVE_INFINITY;
    return { trend, exhaustionMs, decides: trend && exhaustionMs <= horizonMs };
  };

/** Tabular CUSUM against the window's first quarter: drift of half a deviation, alarm at five. No forecast. */
function cusum({ values }: View): Opinion {
  const base = values.slice(0, Math.ceil(values.length / 4));
  const mean = base.reduce((sum, value) => sum + value, 0) / base.length;
  const deviation = Math.sqrt(base.reduce((sum, value) => sum + (value - mean) ** 2, 0) / base.length) || 1;
  let sum = 0;
  for (const value of values.slice(base.length)) sum = Math.max(0, sum + (value - mean) / deviation - 0.5);
  return { ...never, trend: sum > 5, decides: sum > 5 };
}

function regression({ times, values, limit }: View): Opinion {
  const n = times.length;
  const meanTime = times.reduce((sum, time) => sum + time, 0) / n;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const spread = times.reduce((sum, time) => sum + (time - meanTime) ** 2, 0);
  const slope = times.reduce((sum, time, at) => sum + (time - meanTime) * ((values[at] ?? 0) - mean), 0) / spread;
  const rest = values.reduce((sum, value, at) => sum + (value - mean - slope * ((times[at] ?? 0) - meanTime)) ** 2, 0);
  const trend = slope > normalQuantile * Math.sqrt(rest / Math.max(n - 2, 1) / spread);
  const level = mean + slope * ((times.at(-1) ?? 0) - meanTime);
  const exhaustionMs = slope > 0 ? Math.max((limit - level) / slope, 0) : Number.POSITIVE_INFINITY;
  return { trend, exhaustionMs, decides: trend && exhaustionMs <= horizonMs };
}

export const baselines: Readonly<Record<string, Judge>> = {
  "threshold 90 %": judgeBy(threshold),
  "Mann–Kendall, Sen": judgeBy(trendTest(false)),
  "Hamed–Rao, Sen": judgeBy(trendTest(true)),
  CUSUM: judgeBy(cusum),
  "linear regression": judgeBy(regression),
};
