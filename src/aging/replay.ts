/**
 * Replays a recorded trace through the model, as the monitor would have seen it live, and keeps what it said:
 * when it first held a trend, when it first would have regenerated, how long trends were held, and forecasts
 * on a grid. Reading files is left to the caller.
 */
import type { AgingReport, Interval } from "../model/report.ts";
import type { Sample } from "../model/sample.ts";
import { AgingModel, type AgingModelOptions } from "./model.ts";
import { livesMax } from "./times-ahead.ts";

export interface RecordedForecast {
  readonly atMs: number;
  /** Absolute times, 90 % interval; null where no exhaustion is foreseen. A bound that is never reached is the forecast's own reach. */
  readonly exhaustionMs: Interval | null;
}

export interface Replay {
  readonly trendAtMs: number | null;
  /** Of which the trend was that was held first. */
  readonly trendIndicator: string | null;
  readonly agingAtMs: number | null;
  /** Time in which a trend was held. */
  readonly attentionMs: number;
  readonly forecasts: readonly RecordedForecast[];
  /** What the model says at the end; at the decision, where one was made. */
  readonly decisive: AgingReport | null;
  readonly last: AgingReport | null;
}

export interface ReplayOptions extends AgingModelOptions {
  /** Grid of forecasts, from the first sample on; null for none. */
  readonly forecastEveryMs: number | null;
}

export function replay(samples: Iterable<Sample>, options: ReplayOptions): Replay {
  const model = new AgingModel(options);
  let trendAtMs: number | null = null;
  let trendIndicator: string | null = null;
  let agingAtMs: number | null = null;
  let attentionMs = 0;
  let before: AgingReport | null = null;
  let decisive: AgingReport | null = null;
  let nextAtMs: number | null = null;
  const forecasts: RecordedForecast[] = [];
  let startMs: number | null = null;
  for (const sample of samples) {
    startMs ??= sample.atMs;
    model.add(sample);
    const report = model.report(sample.atMs);
    const held = report.verdict === "attention" || report.verdict === "aging";
    if (held && trendAtMs === null) {
      trendAtMs = sample.atMs;
      trendIndicator = report.indicator ?? null;
    }
    if (held && before !== null) attentionMs += Math.max(sample.atMs - before.atMs, 0);
    if (report.verdict === "aging" && agingAtMs === null) {
      agingAtMs = sample.atMs;
      decisive = report;
    }
    if (options.forecastEveryMs !== null) {
      nextAtMs ??= sample.atMs;
      if (sample.atMs >= nextAtMs) {
        forecasts.push({ atMs: sample.atMs, exhaustionMs: absolute(report, sample.atMs, startMs) });
        const passed = Math.floor((sample.atMs - nextAtMs) / options.forecastEveryMs) + 1;
        nextAtMs += passed * options.forecastEveryMs;
      }
    }
    before = report;
  }
  return { trendAtMs, trendIndicator, agingAtMs, attentionMs, forecasts, decisive: decisive ?? before, last: before };
}

/** Of the trend that ends first; a mid that is never reached is no forecast. */
function absolute({ trends }: AgingReport, atMs: number, startMs: number): Interval | null {
  let first: Interval | null = null;
  for (const { exhaustionInMs } of trends) {
    if (exhaustionInMs !== null && Number.isFinite(exhaustionInMs.mid) && exhaustionInMs.mid < (first?.mid ?? Number.POSITIVE_INFINITY)) {
      first = exhaustionInMs;
    }
  }
  if (first === null) return null;
  const reachMs = Math.max(livesMax * (atMs - startMs), first.mid);
  return { low: atMs + first.low, mid: atMs + first.mid, high: atMs + Math.min(first.high, reachMs) };
}
