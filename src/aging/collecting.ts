/**
 * The share of its time that an instance has lately spent collecting garbage. V8 ends a heap early, from .8 of its limit
 * on, where full collections in a row leave it little time for anything else: a heap that fills and is collected in passing is not near that.
 */

/** What was told so long ago counts for a third: a small heap that lives in peace is collected once in a minute or two. */
const memoryMs = 60_000;

export class Collecting {
  #atMs = 0;
  #ratio = Number.NaN;

  add(atMs: number, ratio: number): void {
    const kept = Number.isNaN(this.#ratio) ? 0 : Math.exp(-(atMs - this.#atMs) / memoryMs);
    this.#ratio = kept === 0 ? ratio : kept * this.#ratio + (1 - kept) * ratio;
    this.#atMs = atMs;
  }

  /** 0..1; NaN where it is not told. */
  get ratio(): number {
    return this.#ratio;
  }
}
