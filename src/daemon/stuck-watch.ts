/**
 * Whose event loop is stuck: a probe that samples, since its server listens, and is silent. Silence is counted in ticks of
 * this process, not in time: while the host slept or this process had no turn, nobody was late.
 */
import type { InstanceId } from "../model/node.ts";

export interface StuckWatchOptions {
  /** So many ticks without a sample; 0: nobody is ever taken for stuck. */
  readonly ticksMax: number;
  /** Told at each tick while it stands. */
  readonly onStuck: (instance: InstanceId, ticks: number) => void;
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
    const { ticksMax, onStuck } = this.#options;
    for (const [instance, before] of this.#silentTicks) {
      const ticks = before + 1;
      this.#silentTicks.set(instance, ticks);
      if (ticksMax > 0 && ticks >= ticksMax) onStuck(instance, ticks);
    }
  }
}
