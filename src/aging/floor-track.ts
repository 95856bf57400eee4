/**
 * The floor of one indicator over the life of an instance, in O(1) memory: at most `pointsMax` blocks, narrow
 * where they are young and wide where they are old. A full track merges the two neighbours that are the
 * narrowest for their age; sums are kept, so a merged block is exactly the block of all its readings.
 * What a reading means (a floor, a gauge) and what follows from it is left to others.
 */

export interface FloorReading {
  readonly atMs: number;
  readonly value: number;
  /** Requests served until then; NaN where the work is not known. */
  readonly work: number;
  /** Requests served beyond the usual rate until then; NaN where not known. */
  readonly overloadWork: number;
}

/** A block of readings: means, and what it spans. */
export interface FloorPoint extends FloorReading {
  readonly count: number;
  readonly fromMs: number;
  readonly toMs: number;
}

export const pointsMax = 64;
/** Width allowed to a block: this share of the life for the youngest, and more by this share of its age. */
const youngestShare = 1 / 220;
const widthPerAge = 1 / 20;
/** Of row noise, this many readings are remembered, so that a spike leaves it again. */
const noiseMemory = 400;

export class FloorTrack {
  readonly #points: FloorPoint[] = [];
  #pending: FloorPoint | null = null;
  #startMs: number | null = null;
  #last: FloorReading | null = null;
  #noise = 0;
  #noiseCount = 0;
  #growth = 0;
  #count = 0;
  #highest = Number.NEGATIVE_INFINITY;
  #lowest = Number.POSITIVE_INFINITY;

  /** Oldest first; the last may still be gathering. */
  get points(): readonly FloorPoint[] {
    return this.#pending === null ? this.#points : [...this.#points, this.#pending];
  }

  get last(): FloorReading | null {
    return this.#last;
  }

  get count(): number {
    return this.#count;
  }

  get startMs(): number {
    return this.#startMs ?? 0;
  }

  get highest(): number {
    return this.#highest;
  }

  get lowest(): number {
    return this.#lowest;
  }

  /** Standard deviation of one reading against its neighbours: the noise that no block shows. */
  get readingNoise(): number {
    return this.changeNoise;
  }

  add(reading: FloorReading): void {
    this.#startMs ??= reading.atMs;
    this.#count += 1;
    this.#measureNoise(reading);
    this.#last = reading;
    if (reading.value > this.#highest) this.#highest = reading.value;
    if (reading.value < this.#lowest) this.#lowest = reading.value;
    const single: FloorPoint = { ...reading, count: 1, fromMs: reading.atMs, toMs: reading.atMs };
    const pending = this.#pending;
    if (pending === null) this.#pending = single;
    else if (reading.atMs - pending.fromMs < (reading.atMs - this.#startMs) * youngestShare) this.#pending = merge(pending, single);
    else {
      this.#points.push(pending);
      this.#pending = single;
      if (this.#points.length >= pointsMax) this.#mergeNarrowest(reading.atMs);
    }
  }

  /**
   * Standard deviation of one reading against its neighbours with their mean growth taken out; far above zero only
   * where readings go up and down.
   */
  get changeNoise(): number {
    return Math.sqrt(Math.max(this.#noise - this.#growth ** 2 / 2, 0));
  }

  /** From differences of neighbours (von Neumann 1941): slow movements are the blocks' to show. */
  #measureNoise(reading: FloorReading): void {
    if (this.#last === null) return;
    const change = reading.value - this.#last.value;
    const square = change ** 2 / 2;
    this.#noiseCount = Math.min(this.#noiseCount + 1, noiseMemory);
    this.#growth += (change - this.#growth) / this.#noiseCount;
    this.#noise += (square - this.#noise) / this.#noiseCount;
  }

  #mergeNarrowest(nowMs: number): void {
    const lifeMs = nowMs - this.startMs;
    let narrowestAt = 0;
    let narrowest = Number.POSITIVE_INFINITY;
    for (let at = 0; at + 1 < this.#points.length; at += 1) {
      const first = this.#points[at];
      const second = this.#points[at + 1];
      if (first === undefined || second === undefined) break;
      const widthMs = second.toMs - first.fromMs;
      const allowedMs = lifeMs * youngestShare + (nowMs - second.toMs) * widthPerAge;
      const narrowness = widthMs / (allowedMs + 1);
      if (narrowness < narrowest) {
        narrowest = narrowness;
        narrowestAt = at;
      }
    }
    const first = this.#points[narrowestAt];
    const second = this.#points[narrowestAt + 1];
    if (first !== undefined && second !== undefined) this.#points.splice(narrowestAt, 2, merge(first, second));
  }
}

function merge(a: FloorPoint, b: FloorPoint): FloorPoint {
  const count = a.count + b.count;
  const share = b.count / count;
  const mean = (x: number, y: number) => x + (y - x) * share;
  return {
    atMs: mean(a.atMs, b.atMs),
    value: mean(a.value, b.value),
    work: mean(a.work, b.work),
    overloadWork: mean(a.overloadWork, b.overloadWork),
    count,
    fromMs: a.fromMs,
    toMs: b.toMs,
  };
}
