/**
 * One output of the log. Who prints faster than it takes waits, as at any full pipe. But an output that takes nothing at all (its
 * reader hangs, its disk does) holds up nobody for longer than a moment and does not fill init's memory: from then on until it
 * takes again, lines are counted instead of kept.
 */
import type { Writable } from "node:stream";

const queuedBytesMax = 1024 * 1024;
const stallMs = 1_000;

export class LogSink {
  readonly #to: Writable;
  readonly #onLost: (lines: number) => void;
  #room: Promise<void> | null = null;
  #stalled = false;
  #lostLines = 0;

  constructor(to: Writable, onLost: (lines: number) => void) {
    this.#to = to;
    this.#onLost = onLost;
  }

  /** Null where more may come; else resolves when it may. */
  get room(): Promise<void> | null {
    return this.#room;
  }

  write(text: string, lines: number): void {
    if (this.#stalled) {
      this.#lostLines += lines;
      return;
    }
    this.#to.write(text);
    if (this.#to.writableLength > queuedBytesMax) this.#room ??= this.#untilRoom();
  }

  #untilRoom(): Promise<void> {
    return new Promise((resolve) => {
      let queuedBytes = this.#to.writableLength;
      const look = setInterval(() => {
        const isMoving = this.#to.writableLength < queuedBytes;
        queuedBytes = this.#to.writableLength;
        if (isMoving) return;
        this.#stalled = true;
        goOn();
      }, stallMs);
      const goOn = () => {
        clearInterval(look);
        this.#room = null;
        resolve();
      };
      this.#to.once("drain", () => {
        this.#stalled = false;
        goOn();
        const lines = this.#lostLines;
        this.#lostLines = 0;
        if (lines > 0) this.#onLost(lines);
      });
    });
  }
}
