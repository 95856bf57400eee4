/**
 * Whose event loop is stuck: a probe that samples, since its server listens, and is silent. Silence is counted in ticks of
 * this process, not in time: while the host slept or this process had no turn, nobody was late. Who is silent because it
 * waits for the processor is not stuck either (a host that is full, a container of a tenth of a core): to end it would cost
 * what there is too little of, and requests besides.
 */
import type { InstanceId } from "../model/node.ts";
import type { Settings } from "../model/settings.ts";

/** A sample that is a little late may miss a tick, and the tick after it comes before the next: neither makes it silent. */
const ticksMin = 3;
/** Of its silence: who had so much of the processor and said nothing does not lack it. */
const processorShare = 1 / 3;

export interface StuckWatchOptions {
  /** As they are by now: a time-out of 0 takes nobody for stuck; the interval is that of the probes, and of the ticks. */
  readonly settings: () => Pick<Settings, "stuckTimeoutMs" | "sampleIntervalMs">;
  /** What it had of the processor so far; null where nobody knows. */
  readonly processorMs: (instance: InstanceId) => number | null;
  readonly wantsProcessor: (instance: InstanceId) => boolean;
  /** Told at each tick while it stands. */
  readonly onStuck: (instance: InstanceId, silentMs: number) => void;
}

interface Silence {
  ticks: number;
  /** What it had of the processor at the first of them. */
  processorMs: number | null;
}

export class StuckWatch {
  readonly #options: StuckWatchOptions;
  readonly #silences = new Map<InstanceId, Silence>();

  constructor(options: StuckWatchOptions) {
    this.#options = options;
  }

  heard(instance: InstanceId): void {
    this.#silences.set(instance, { ticks: 0, processorMs: null });
  }

  end(instance: InstanceId): void {
    this.#silences.delete(instance);
  }

  tick(): void {
    const { settings, processorMs, onStuck } = this.#options;
    const { stuckTimeoutMs, sampleIntervalMs } = settings();
    const ticksMax = Math.max(Math.ceil(stuckTimeoutMs / sampleIntervalMs), ticksMin);
    for (const [instance, silence] of this.#silences) {
      silence.ticks += 1;
      if (silence.ticks === 1) silence.processorMs = processorMs(instance);
      if (stuckTimeoutMs === 0 || silence.ticks < ticksMax || this.#isStarved(instance, silence, ticksMax * sampleIntervalMs)) continue;
      onStuck(instance, silence.ticks * sampleIntervalMs);
    }
  }

  #isStarved(instance: InstanceId, { processorMs: beforeMs }: Silence, silentMs: number): boolean {
    const { processorMs, wantsProcessor } = this.#options;
    const nowMs = processorMs(instance);
    return nowMs !== null && beforeMs !== null && nowMs - beforeMs < silentMs * processorShare && wantsProcessor(instance);
  }
}
