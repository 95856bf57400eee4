/** A report whose trends and sentences are made when somebody reads them: samples come far more often than readers. */
import type { AgingReport, Trend, Verdict } from "../model/report.ts";
import type { Indicator } from "../model/sample.ts";

export type Told = Pick<AgingReport, "trends" | "reasons" | "against">;

export class ToldReport implements AgingReport {
  readonly atMs: number;
  readonly verdict: Verdict;
  readonly indicator?: Indicator;
  readonly confidenceRatio: number;
  readonly #tell: () => Told;
  #known: Told | null = null;

  /** @param tell of what does not change any more. */
  constructor({ atMs, verdict, indicator, confidenceRatio }: Omit<AgingReport, keyof Told>, tell: () => Told) {
    this.atMs = atMs;
    this.verdict = verdict;
    if (indicator !== undefined) this.indicator = indicator;
    this.confidenceRatio = confidenceRatio;
    this.#tell = tell;
  }

  get trends(): readonly Trend[] {
    return this.#told.trends;
  }

  get reasons(): readonly string[] {
    return this.#told.reasons;
  }

  get against(): readonly string[] {
    return this.#told.against;
  }

  toJSON(): AgingReport {
    return { ...this, ...this.#told };
  }

  get #told(): Told {
    this.#known ??= this.#tell();
    return this.#known;
  }
}
