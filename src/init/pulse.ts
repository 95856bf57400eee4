/**
 * Whether a process still turns its loop. It is asked now and then, and hangs if it leaves some of these unanswered in a row:
 * counted, so that a host that slept, or left init itself no time, ends nobody. It counts from its first answer on: until
 * then it starts, and takes the time that it takes. Who is silent because it waits for the processor (a container of a tenth of a
 * core, a host that is full) hangs no more than init does: to end it would only cost what there is too little of.
 */
const askMs = 3_000;
/** So that what waits for it (`sessionStoreTimeoutMs`) lives to see the next one. */
const unansweredMax = 5;
/** Who had as much of the processor and answered nothing does not lack it. */
const processorMsMax = 5_000;

export interface PulseOptions {
  readonly ask: () => void;
  /** What it had of the processor so far; null where nobody knows. */
  readonly processorMs: () => number | null;
  readonly wantsProcessor: () => boolean;
  readonly onHang: (silentMs: number) => void;
}

export class Pulse {
  readonly #options: PulseOptions;
  readonly #timer: NodeJS.Timeout;
  #unanswered: number | null = null;
  /** At the first of those unanswered. */
  #processorMs: number | null = null;

  constructor(options: PulseOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), askMs);
    this.#timer.unref();
    options.ask();
  }

  answered(): void {
    this.#unanswered = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const { ask, processorMs, onHang } = this.#options;
    if (this.#unanswered !== null) {
      if (this.#unanswered >= unansweredMax && !this.#isStarved()) {
        this.stop();
        return onHang(this.#unanswered * askMs);
      }
      if (this.#unanswered === 0) this.#processorMs = processorMs();
      this.#unanswered += 1;
    }
    ask();
  }

  #isStarved(): boolean {
    const { processorMs, wantsProcessor } = this.#options;
    const nowMs = processorMs();
    return nowMs !== null && this.#processorMs !== null && nowMs - this.#processorMs < processorMsMax && wantsProcessor();
  }
}
