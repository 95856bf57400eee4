/**
 * Runs the model over one trace, exactly as the monitor would: row by row, a report at each. What it decided
 * and forecast is compared with the truth by score.ts.
 */
import { AgingModel, type AgingModelOptions } from "../../src/aging/model.ts";
import { PeerGroup } from "../../src/aging/peers.ts";
import type { Interval } from "../../src/model/report.ts";
import type { Trace } from "./generate.ts";

export interface Judged {
  readonly trace: Trace;
  readonly decidedAtMs: number | null;
  readonly heldAtMs: number | null;
  /** Time in which a trend was held. */
  readonly heldMs: number;
  /** At .4, .5 … .9 of life, from that time on; null where the model is silent. */
  readonly forecasts: readonly { readonly life: number; readonly trueMs: number; readonly said: Interval | null }[];
}

export type Judge = (trace: Trace) => Judged;

const minuteMs = 60_000;
export const horizonMs = 30 * minuteMs;
export const lives = [0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/** How long before the end a decision is sought at the latest, minutes: less by a nearer horizon, more for slow nodes, two turns each. */
export const leads: ReadonlyMap<string, AgingModelOptions> = new Map(
  [4, 8, 12, 24, 40].map((minutes) => [
    `${minutes}`,
    minutes < 16 ? { horizonMs: minutes * minuteMs } : { horizonMs, regenerationMs: () => (minutes / 2) * minuteMs },
  ]),
);

/** How a second life is judged: without what the first has taught, and with it. */
export const secondLives = ["as the first", "after another"] as const;

/** @param until the life ends where the model decides, or goes on to its own end. */
export function judgeByModel(trace: Trace, options: AgingModelOptions = { horizonMs }, until: "decision" | "end" = "end"): Judged {
  const model = new AgingModel(options);
  const limits = { [trace.indicator]: trace.limit };
  let decidedAtMs: number | null = null;
  let heldAtMs: number | null = null;
  let heldMs = 0;
  let beforeMs = 0;
  const forecasts: { life: number; trueMs: number; said: Interval | null }[] = [];
  const endMs = trace.exhaustionMs ?? trace.rows.at(-1)?.atMs ?? 0;
  for (const { atMs, requestsTotal, value } of trace.rows) {
    model.add({ atMs, requestsTotal, indicators: { [trace.indicator]: value }, limits });
    const report = model.report(atMs);
    const held = report.verdict === "attention" || report.verdict === "aging";
    if (report.verdict === "aging") decidedAtMs ??= atMs;
    if (decidedAtMs !== null && until === "decision") break;
    if (held) {
      heldAtMs ??= atMs;
      heldMs += atMs - beforeMs;
    }
    beforeMs = atMs;
    const next = lives[forecasts.length];
    if (next !== undefined && trace.exhaustionMs !== null && atMs >= next * endMs && atMs < endMs) {
      forecasts.push({ life: next, trueMs: endMs - atMs, said: report.trends[0]?.exhaustionInMs ?? null });
    }
  }
  return { trace, decidedAtMs, heldAtMs, heldMs, forecasts };
}

/** As the life after another one of its release, which was regenerated when the model said so, or went on to its end. */
export function judgeAfter(elder: Trace, trace: Trace): Judged {
  const group = new PeerGroup();
  const before = group.join();
  judgeByModel(elder, { horizonMs, peers: before }, "decision");
  group.leave(before);
  return judgeByModel(trace, { horizonMs, peers: group.join() });
}
