/**
 * Watermarks: levels that an operator set for indicators (`rssBytes:600000000`). An instance that stays above one is taken for
 * aging, whatever the model says. One reading decides nothing: all readings of a while must be above it.
 */
import { amount, time } from "../aging/amounts.ts";
import type { InstanceId } from "../model/node.ts";
import type { Sample } from "../model/sample.ts";

const standMs = 10_000;
const standReadings = 3;

interface Above {
  readonly sinceMs: number;
  readonly readings: number;
}

export class Watermarks {
  readonly #marks: readonly { readonly name: string; readonly indicator: string; readonly level: number }[];
  /** By the mark: of one indicator there may be several. */
  readonly #above = new Map<InstanceId, Map<string, Above>>();

  /** @param settings `indicator:level`, as the settings were checked. */
  constructor(settings: readonly string[]) {
    this.#marks = settings.map((name) => {
      const [indicator = "", level = ""] = name.split(":");
      return { name, indicator, level: Number(level) };
    });
  }

  end(instance: InstanceId): void {
    this.#above.delete(instance);
  }

  /** Why the instance is to be regenerated; null while it is below all of them, or has not been above one for long. */
  add(instance: InstanceId, { atMs, indicators }: Pick<Sample, "atMs" | "indicators">): string | null {
    if (this.#marks.length === 0) return null;
    const above = this.#above.get(instance) ?? new Map<string, Above>();
    this.#above.set(instance, above);
    const reasons = this.#marks.flatMap(({ name, indicator, level }) => {
      const value = indicators[indicator];
      if (value === undefined) return [];
      if (value <= level) {
        above.delete(name);
        return [];
      }
      const before = above.get(name);
      // Else the clock was set back, and what stands is counted anew.
      const { sinceMs, readings } = before !== undefined && before.sinceMs <= atMs ? before : { sinceMs: atMs, readings: 0 };
      above.set(name, { sinceMs, readings: readings + 1 });
      if (atMs - sinceMs < standMs || readings + 1 < standReadings) return [];
      return [`${indicator} has stayed above its watermark of ${amount(indicator, level)} for ${time(standMs)}`];
    });
    return reasons.length === 0 ? null : reasons.join("; ");
  }
}
