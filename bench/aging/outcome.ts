/** What one judge made of one trace, small enough to be sent between processes. */
import type { Trace } from "./generate.ts";
import type { Judged } from "./judge.ts";

export interface Outcome {
  readonly family: string;
  readonly ages: boolean;
  readonly set: "tuned" | "unseen" | "independent" | "calm";
  readonly seed: number;
  readonly onsetMs: number;
  readonly exhaustionMs: number | null;
  readonly endMs: number;
  /** The highest reading as a share of the limit: look-alikes that live above 85 % are counted apart. */
  readonly highestRatio: number;
  readonly decidedAtMs: number | null;
  readonly heldAtMs: number | null;
  readonly heldMs: number;
  /** Infinity does not survive JSON: a bound that is never reached is null. */
  readonly forecasts: readonly {
    readonly life: number;
    readonly trueMs: number;
    readonly said: { readonly low: number; readonly mid: number | null; readonly high: number | null } | null;
  }[];
}

export function outcomeOf({ trace, decidedAtMs, heldAtMs, heldMs, forecasts }: Judged): Outcome {
  const finite = (ms: number) => (Number.isFinite(ms) ? ms : null);
  return {
    family: trace.family.name,
    ages: trace.family.ages,
    set: setOf(trace),
    seed: trace.seed,
    onsetMs: trace.onsetMs,
    exhaustionMs: trace.exhaustionMs,
    endMs: trace.rows.at(-1)?.atMs ?? 1,
    highestRatio: trace.rows.reduce((highest, { value }) => Math.max(highest, value), 0) / trace.limit,
    decidedAtMs,
    heldAtMs,
    heldMs,
    forecasts: forecasts.map(({ life, trueMs, said }) => ({
      life,
      trueMs,
      said: said === null || !Number.isFinite(said.low) ? null : { low: said.low, mid: finite(said.mid), high: finite(said.high) },
    })),
  };
}

function setOf({ family: { independent, calm, unseen } }: Trace): Outcome["set"] {
  if (independent === true) return "independent";
  if (calm === true) return "calm";
  return unseen === true ? "unseen" : "tuned";
}
