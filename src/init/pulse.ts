/**
 * Whether a process still turns its loop. It is asked now and then, and hangs if it leaves some of these unanswered in a row:
 * counted, so that a host that slept, or left init itself no time, ends nobody. It counts from its first answer on: until
 * then it starts, and takes the time that it takes.
 */
const askMs = 3_000;
/** So that what waits for it (`sessionStoreTimeoutMs`) lives to see the next one. */
const unansweredMax = 5;
export const hangsAfterMs = askMs * unansweredMax;

export class Pulse {
  readonly #timer: NodeJS.Timeout;
  #unanswered: number | null = null;

  constructor(ask: () => void, onHang: () => void) {
    this.#timer = setInterval(() => {
      if (this.#unanswered !== null && this.#unanswered >= unansweredMax) {
        this.stop();
        return onHang();
      }
      if (this.#unanswered !== null) this.#unanswered += 1;
      ask();
    }, askMs);
    this.#timer.unref();
    ask();
  }

  answered(): void {
    this.#unanswered = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
