/**
 * The saved request body: what was read of it so far is kept, up to a bound of its own and one of all
 * together, so that the request can be sent again. Past a bound nothing is kept any more, and the request
 * is not sent again.
 */

/** Bytes that all requests together keep. */
export class SaveBudget {
  readonly bytesMax: number;
  bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }
}

export class SavedBody {
  readonly #budget: SaveBudget;
  readonly #bytesMax: number;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Everything that was read is kept. */
  whole = true;
  #closed = false;

  constructor(budget: SaveBudget, bytesMax: number) {
    this.#budget = budget;
    this.#bytesMax = bytesMax;
  }

  get chunks(): readonly Buffer[] {
    return this.#chunks;
  }

  add(chunk: Buffer): void {
    if (!this.whole || this.#closed) return;
    if (this.#bytes + chunk.length > this.#bytesMax || this.#budget.bytes + chunk.length > this.#budget.bytesMax) {
      this.whole = false;
      this.#free();
      return;
    }
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.#budget.bytes += chunk.length;
  }

  /** The request is answered: nothing is kept any more. */
  release(): void {
    this.#closed = true;
    this.#free();
  }

  #free(): void {
    this.#budget.bytes -= this.#bytes;
    this.#bytes = 0;
    this.#chunks = [];
  }
}
