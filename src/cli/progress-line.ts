/** Where a long run is: one line of the terminal that is written over, while what is printed goes elsewhere. */

const everyMs = 500;
const eraseLine = "\r\u001b[K";

interface Terminal {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export class ProgressLine {
  readonly #terminal: Terminal | null;
  readonly #total: number;
  #saidAtMs: number;
  #isThere = false;

  /** @param result where what is worked out goes: in a terminal that is progress enough. */
  constructor(
    total: number,
    terminal: Terminal = process.stderr,
    result: Pick<Terminal, "isTTY"> = process.stdout,
    nowMs = performance.now(),
  ) {
    this.#terminal = terminal.isTTY === true && result.isTTY !== true && total > 1 ? terminal : null;
    this.#total = total;
    this.#saidAtMs = nowMs;
  }

  done(count: number, nowMs = performance.now()): void {
    if (this.#terminal === null || nowMs - this.#saidAtMs < everyMs) return;
    this.#saidAtMs = nowMs;
    this.#isThere = true;
    this.#terminal.write(`${eraseLine}${count} of ${this.#total} files judged`);
  }

  /** It leaves nothing behind. */
  end(): void {
    if (this.#isThere) this.#terminal?.write(eraseLine);
    this.#isThere = false;
  }
}
