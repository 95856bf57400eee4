/** Parking: requests that no node can take now wait here, first come first served, bounded in number and time. */

export interface ParkOptions {
  /** Whether a node could take it now. */
  readonly fits: () => boolean;
  /** Tries again. */
  readonly go: () => void;
  readonly tooLong: () => void;
  /** How long no node could take it before. */
  readonly waitedMs: number;
}

interface Parked {
  readonly fits: () => boolean;
  readonly go: () => void;
  readonly timer: NodeJS.Timeout;
}

export class ParkingLot {
  #max: number;
  #timeoutMs: number;
  readonly #parked = new Set<Parked>();

  constructor(max: number, timeoutMs: number) {
    this.#max = max;
    this.#timeoutMs = timeoutMs;
  }

  /** Who is parked already keeps its place and its time, until it is released. */
  bound(max: number, timeoutMs: number): void {
    this.#max = max;
    this.#timeoutMs = timeoutMs;
  }

  get size(): number {
    return this.#parked.size;
  }

  /** Null if there is no room. The returned function takes the request out (its client went away). */
  park({ fits, go, tooLong, waitedMs }: ParkOptions): (() => void) | null {
    if (this.#parked.size >= this.#max) return null;
    const parked: Parked = {
      fits,
      go,
      timer: setTimeout(
        () => {
          this.#parked.delete(parked);
          tooLong();
        },
        Math.max(this.#timeoutMs - waitedMs, 0),
      ),
    };
    this.#parked.add(parked);
    return () => {
      clearTimeout(parked.timer);
      this.#parked.delete(parked);
    };
  }

  /** There is room: the one that has waited longest has it, of those that a node could take. */
  releaseOne(): void {
    for (const first of this.#parked) {
      if (!first.fits()) continue;
      this.#parked.delete(first);
      clearTimeout(first.timer);
      first.go();
      return;
    }
  }

  /** Lets everybody try again; who finds no node parks again at the end. */
  release(): void {
    const waiting = [...this.#parked];
    this.#parked.clear();
    for (const { go, timer } of waiting) {
      clearTimeout(timer);
      go();
    }
  }
}
