/** A report whose sentences are made when somebody reads them: samples come far more often than readers. */
import type { AgingReport, Trend, Verdict } from "../model/report.ts";
import type { Indicator } from "../model/sample.ts";

export interface Sentences {
  readonly reasons: readonly string[];
  readonly against: readonly string[];
}

export class ToldReport implements AgingReport {
  readonly atMs: number;
  readonly verdict: Verdict;
  readonly indicator?: Indicator;
  readonly trends: readonly Trend[];
  readonly confidenceRatio: number;
  readonly #tell: () => Sentences;
  #told: Sentences | null = null;

  /** @param tell of what does not change any more. */
  constructor(report: Omit<AgingReport, keyof Sentences>, tell: () => Sentences) {
    this.atMs = report.atMs;
    this.verdict = report.verdict;
    if (report.indicator !== undefined) this.indicator = report.indicator;
    this.trends = report.trends;
    this.confidenceRatio = report.confidenceRatio;
    this.#tell = tell;
  }

  get reasons(): readonly string[] {
    return this.#sentences.reasons;
  }

  get against(): readonly string[] {
    return this.#sentences.against;
  }

  toJSON(): AgingReport {
    return { ...this, reasons: this.reasons, against: this.against };
  }

  get #sentences(): Sentences {
    this.#told ??= this.#tell();
    return this.#told;
  }
}
