/**
 * Whose event loop is stuck: a probe that samples, since its server listens, and is silent. Silence is counted in ticks of
 * this process, not in time: while the host slept or this process had no turn, nobody was late.
 */
import type { InstanceId } from "../model/node.ts";
import type { Settings } from "../model/settings.ts";

/** A sample that is a little late may miss a tick, and the tick after it comes before the next: neither makes it silent. */
const ticksMin = 3;

export interface StuckWatchOptions {
  /** As they are by now: a time-out of 0 takes nobody for stuck; the interval is that of the probes, and of the ticks. */
  readonly settings: () => Pick<Settings, "stuckTimeoutMs" | "sampleIntervalMs">;
  /** Told at each tick while it stands. */
  readonly onStuck: (instance: InstanceId, silentMs: number) => void;
}

export class StuckWatch {
  readonly #options: StuckWatchOptions;
  readonly #silentTicks = new Map<InstanceId, number>();

  constructor(options: StuckWatchOptions) {
    this.#options = options;
  }

  heard(instance: InstanceId): void {
    this.#silentTicks.set(instance, 0);
  }

  end(instance: InstanceId): void {
    this.#silentTicks.delete(instance);
  }

  tick(): void {
    const { settings, onStuck } = this.#options;
    const { stuckTimeoutMs, sampleIntervalMs } = settings();
    const ticksMax = Math.max(Math.ceil(stuckTimeoutMs / sampleIntervalMs), ticksMin);
    for (const [instance, before] of this.#silentTicks) {
      const ticks = before + 1;
      this.#silentTicks.set(instance, ticks);
      if (stuckTimeoutMs > 0 && ticks >= ticksMax) onStuck(instance, ticks * sampleIntervalMs);
    }
  }
}
