/**
 * The aging report: verdict, evidence, forecast and confidence for one instance at one time.
 * It explains itself in words that an operator understands.
 */
import type { Indicator } from "./sample.ts";

/**
 * insufficient: too little data to say anything. healthy: no trend held. attention: a trend is held,
 * without consequence inside the horizon. aging: a trend that exhausts the instance inside the horizon.
 */
export type Verdict = "insufficient" | "healthy" | "attention" | "aging";

/** An interval with its middle; `high` may be Infinity in memory and is null in JSON. */
export interface Interval {
  readonly low: number;
  readonly mid: number;
  readonly high: number;
}

export interface Trend {
  readonly indicator: Indicator;
  /** Floor now, in the indicator's unit. */
  readonly floor: number;
  /** What it exhausts at; absent where the indicator has no limit. */
  readonly limit?: number;
  /** Growth of the floor per hour, 90 % interval. */
  readonly slopePerHour: Interval;
  /** Growth per thousand requests, where the work is known. */
  readonly slopePerThousandRequests?: Interval;
  /**
   * Milliseconds from the report's time until the floor meets its limit, 90 % interval; null without a limit. Infinity where it may
   * never be, but for the middle: that is of the cases in which it is, unless they are less likely than one in ten.
   */
  readonly exhaustionInMs: Interval | null;
  /** That it meets its limit at all is likelier than not. */
  readonly exhaustionLikely: boolean;
  /** True if the sequential test holds the trend for real. */
  readonly held: boolean;
}

export interface AgingReport {
  readonly atMs: number;
  readonly verdict: Verdict;
  /** The indicator that decided; absent while none did. */
  readonly indicator?: Indicator;
  /** The trends of all indicators that have enough data, the worst first. */
  readonly trends: readonly Trend[];
  /** 0..1: how sure the model is of the verdict; 1 − the test's p-value where a trend is held. */
  readonly confidenceRatio: number;
  /** Sentences: what speaks for the verdict. */
  readonly reasons: readonly string[];
  /** Sentences: what spoke against a worse one. */
  readonly against: readonly string[];
}

/** At the earliest, of what grows for real: any indicator may meet its limit by chance. Infinite where nothing does. */
export function earliestEndInMs({ trends }: Pick<AgingReport, "trends">): number {
  return Math.min(
    ...trends.map(({ held, exhaustionInMs }) => (held && exhaustionInMs !== null ? exhaustionInMs.low : Number.POSITIVE_INFINITY)),
  );
}
