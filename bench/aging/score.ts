/**
 * Scores by family. In time: decided at least ten minutes before exhaustion and after the onset. Waste: the share of
 * life left at the decision. Forecasts: relative error of the middle, coverage and width of the 90 % interval,
 * one vote a trace and grid point, for points at which the leak has run for a tenth of its life.
 */
import type { Judged } from "./judge.ts";

const leadMs = 10 * 60_000;

export interface Score {
  readonly traces: number;
  readonly inTime: number;
  readonly decided: number;
  readonly wasteMean: number;
  readonly lifeUsedP5: number;
  readonly issued: number;
  readonly errorMedian: number;
  readonly errorP90: number;
  readonly coverage: number;
  /** Median of (high − low) / true. */
  readonly width: number;
  readonly heldShare: number;
  /** Share of life since onset at which a trend was held. */
  readonly heldAtMedian: number;
  readonly heldAtP95: number;
}

export function score(judged: readonly Judged[]): Score {
  const inTime = judged.filter(
    ({ trace, decidedAtMs }) =>
      decidedAtMs !== null && trace.exhaustionMs !== null && decidedAtMs >= trace.onsetMs && decidedAtMs <= trace.exhaustionMs - leadMs,
  );
  const used = judged.flatMap(({ trace, decidedAtMs }) =>
    trace.exhaustionMs === null || decidedAtMs === null ? [] : [Math.min(decidedAtMs / trace.exhaustionMs, 1)],
  );
  const points = judged.flatMap(({ trace, forecasts }) => {
    const end = trace.exhaustionMs ?? 0;
    return forecasts.filter(({ life }) => life * end >= trace.onsetMs + 0.1 * (end - trace.onsetMs) || trace.onsetMs === 0);
  });
  const issued = points.flatMap(({ said, trueMs }) => (said === null || !Number.isFinite(said.mid) ? [] : [{ ...said, trueMs }]));
  const errors = issued.map(({ mid, trueMs }) => Math.abs(mid - trueMs) / trueMs);
  const covered = points.filter(({ said, trueMs }) => said !== null && said.low <= trueMs && trueMs <= said.high);
  const heldAt = judged.flatMap(({ trace, heldAtMs }) =>
    trace.exhaustionMs === null
      ? []
      : [heldAtMs === null ? 1 : Math.max((heldAtMs - trace.onsetMs) / (trace.exhaustionMs - trace.onsetMs), 0)],
  );
  return {
    traces: judged.length,
    inTime: inTime.length / judged.length,
    decided: judged.filter(({ decidedAtMs }) => decidedAtMs !== null).length,
    wasteMean: mean(used.map((share) => 1 - share)),
    lifeUsedP5: at(used, 0.05),
    issued: issued.length / Math.max(points.length, 1),
    errorMedian: at(errors, 0.5),
    errorP90: at(errors, 0.9),
    coverage: covered.length / Math.max(points.length, 1),
    width: at(
      issued.map(({ low, high, trueMs }) => (high - low) / trueMs),
      0.5,
    ),
    heldShare: mean(judged.map(({ trace, heldMs }) => heldMs / Math.max(trace.rows.at(-1)?.atMs ?? 1, 1))),
    heldAtMedian: at(heldAt, 0.5),
    heldAtP95: at(heldAt, 0.95),
  };
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function at(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => (a === b ? 0 : a - b));
  return sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)] ?? Number.NaN;
}
