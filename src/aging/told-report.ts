/** A report whose trends and sentences are made when somebody reads them: samples come far more often than readers. */
import type { AgingReport, Trend, Verdict } from "../model/report.ts";
import type { Indicator } from "../model/sample.ts";

export type Told = Pick<AgingReport, "trends" | "reasons" | "against">;

export class ToldReport implements AgingReport {
  readonly atMs: number;
  readonly verdict: Verdict;
  readonly indicator?: Indicator;
  readonly confidenceRatio: number;
  /** What tells it, until somebody reads: it keeps its model, and reports that were read lie in events for weeks. */
  #told: Told | (() => Told);

  /** @param tell of what does not change any more. */
  constructor({ atMs, verdict, indicator, confidenceRatio }: Omit<AgingReport, keyof Told>, tell: () => Told) {
    this.atMs = atMs;
    this.verdict = verdict;
    if (indicator !== undefined) this.indicator = indicator;
    this.confidenceRatio = confidenceRatio;
    this.#told = tell;
  }

  get trends(): readonly Trend[] {
    return this.#read().trends;
  }

  get reasons(): readonly string[] {
    return this.#read().reasons;
  }

  get against(): readonly string[] {
    return this.#read().against;
  }

  toJSON(): AgingReport {
    return { ...this, ...this.#read() };
  }

  #read(): Told {
    if (typeof this.#told === "function") this.#told = this.#told();
    return this.#told;
  }
}
