/**
 * The floor of one indicator over the life of an instance, in O(1) memory: at most `pointsMax` blocks, narrow
 * where they are young and wide where they are old. A full track merges the two neighbours that are the
 * narrowest for their age; means are weighed, so a merged block is exactly the block of all its readings.
 * Blocks lie in columns of numbers, some 1.8 KiB an indicator. What a reading means (a floor, a gauge) and what
 * follows from it is left to others.
 */

export interface FloorReading {
  readonly atMs: number;
  readonly value: number;
  /** Requests served until then; NaN where the work is not known. */
  readonly work: number;
}

/** A block of readings: their means, how many, and when the first of them was. */
export interface FloorPoint extends FloorReading {
  readonly count: number;
  readonly fromMs: number;
  readonly highest: number;
}

export const pointsMax = 64;
/** Width allowed to a block: this share of the life for the youngest, and more by this share of its age. */
const youngestShare = 1 / 220;
const widthPerAge = 1 / 20;
/** Of row noise, this many readings are remembered, so that a spike leaves it again. */
const noiseMemory = 400;

/**
 * One piece of memory holds it all. Exactly: numbers of the whole track, and the blocks' values. To seven digits: how wide
 * each block is and where in it its mean time lies (milliseconds of a block of hours), work, count and highest reading.
 */
const [startMsAt, lastMsAt, lastValueAt, newestBeginAt, noiseAt, growthAt, highestAt, lowestAt, valuesAt] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8,
] as const;
const exactNumbers = valuesAt + pointsMax;
const [widthsAt, offsetsAt, worksAt, countsAt, peaksAt] = [0, pointsMax, 2 * pointsMax, 3 * pointsMax, 4 * pointsMax] as const;
const roughNumbers = 5 * pointsMax;

export class FloorTrack {
  readonly #exact = new Float64Array(exactNumbers + roughNumbers / 2);
  /** Columns of the blocks, oldest first, one behind the other. The last block may still be gathering. */
  readonly #rough = new Float32Array(this.#exact.buffer, exactNumbers * Float64Array.BYTES_PER_ELEMENT);
  #blocks = 0;
  #noiseCount = 0;
  #count = 0;

  /** Oldest first; made anew, for an evaluation. */
  get points(): readonly FloorPoint[] {
    let fromMs = this.startMs;
    return Array.from({ length: this.#blocks }, (_, at) => {
      const beginMs = fromMs;
      fromMs += this.#rough[widthsAt + at] ?? 0;
      return {
        atMs: beginMs + (this.#rough[offsetsAt + at] ?? 0),
        value: this.#exact[valuesAt + at] ?? 0,
        work: this.#rough[worksAt + at] ?? 0,
        count: this.#rough[countsAt + at] ?? 0,
        fromMs: beginMs,
        highest: this.#rough[peaksAt + at] ?? 0,
      };
    });
  }

  /** Mean of the newest block; NaN without one. */
  get newest(): number {
    return this.#blocks === 0 ? Number.NaN : (this.#exact[valuesAt + this.#blocks - 1] ?? 0);
  }

  get blocks(): number {
    return this.#blocks;
  }

  /** Of the last reading; NaN without one. */
  get lastMs(): number {
    return this.#count === 0 ? Number.NaN : (this.#exact[lastMsAt] ?? 0);
  }

  get lastValue(): number {
    return this.#count === 0 ? Number.NaN : (this.#exact[lastValueAt] ?? 0);
  }

  get count(): number {
    return this.#count;
  }

  get startMs(): number {
    return this.#exact[startMsAt] ?? 0;
  }

  get highest(): number {
    return this.#exact[highestAt] ?? 0;
  }

  get lowest(): number {
    return this.#exact[lowestAt] ?? 0;
  }

  add({ atMs, value, work }: FloorReading): void {
    const exact = this.#exact;
    const isFirst = this.#count === 0;
    if (isFirst) exact[startMsAt] = atMs;
    else this.#measureNoise(value);
    this.#count += 1;
    exact[lastMsAt] = atMs;
    exact[lastValueAt] = value;
    if (isFirst || value > this.highest) exact[highestAt] = value;
    if (isFirst || value < this.lowest) exact[lowestAt] = value;
    const last = this.#blocks - 1;
    const ageMs = atMs - this.startMs;
    const widthMs = ageMs - (exact[newestBeginAt] ?? 0);
    if (last >= 0 && widthMs < ageMs * youngestShare) {
      this.#gather(last, { atMs: widthMs, value, work }, 1, value);
      return;
    }
    if (last >= 0) this.#close(last, widthMs);
    if (this.#blocks === pointsMax) this.#mergeNarrowest();
    const at = this.#blocks;
    this.#blocks += 1;
    exact[valuesAt + at] = value;
    this.#rough[widthsAt + at] = 0;
    this.#rough[offsetsAt + at] = Math.max(ageMs - (exact[newestBeginAt] ?? 0), 0);
    this.#rough[worksAt + at] = work;
    this.#rough[countsAt + at] = 1;
    this.#rough[peaksAt + at] = value;
  }

  /** The next begins where the widths add up to, rounded as they are: no error adds up. */
  #close(block: number, widthMs: number): void {
    this.#rough[widthsAt + block] = widthMs;
    this.#exact[newestBeginAt] = (this.#exact[newestBeginAt] ?? 0) + (this.#rough[widthsAt + block] ?? 0);
  }

  /**
   * Standard deviation of one reading against its neighbours, with their mean growth taken out: the noise that no
   * block shows; far above zero only where readings go up and down.
   */
  get readingNoise(): number {
    return Math.sqrt(Math.max((this.#exact[noiseAt] ?? 0) - (this.#exact[growthAt] ?? 0) ** 2 / 2, 0));
  }

  /** From differences of neighbours (von Neumann 1941): slow movements are the blocks' to show. */
  #measureNoise(value: number): void {
    const change = value - (this.#exact[lastValueAt] ?? 0);
    this.#noiseCount = Math.min(this.#noiseCount + 1, noiseMemory);
    towards(this.#exact, growthAt, change, 1 / this.#noiseCount);
    towards(this.#exact, noiseAt, change ** 2 / 2, 1 / this.#noiseCount);
  }

  /** Into the block's means go those of `count` more readings; their time is since the block's begin. */
  #gather(block: number, { atMs, value, work }: FloorReading, count: number, peak: number): void {
    const total = (this.#rough[countsAt + block] ?? 0) + count;
    const share = count / total;
    towards(this.#exact, valuesAt + block, value, share);
    towards(this.#rough, offsetsAt + block, atMs, share);
    towards(this.#rough, worksAt + block, work, share);
    this.#rough[countsAt + block] = total;
    this.#rough[peaksAt + block] = Math.max(this.#rough[peaksAt + block] ?? peak, peak);
  }

  /** All blocks are closed. */
  #mergeNarrowest(): void {
    const ageMs = this.#exact[newestBeginAt] ?? 0;
    let narrowestAt = 0;
    let narrowest = Number.POSITIVE_INFINITY;
    let fromMs = 0;
    for (let at = 0; at + 1 < this.#blocks; at += 1) {
      const widthMs = (this.#rough[widthsAt + at] ?? 0) + (this.#rough[widthsAt + at + 1] ?? 0);
      const allowedMs = ageMs * youngestShare + (ageMs - fromMs - widthMs) * widthPerAge;
      fromMs += this.#rough[widthsAt + at] ?? 0;
      const narrowness = widthMs / (allowedMs + 1);
      if (narrowness < narrowest) {
        narrowest = narrowness;
        narrowestAt = at;
      }
    }
    this.#merge(narrowestAt, narrowestAt + 1);
  }

  #merge(first: number, second: number): void {
    const [width, more] = [this.#rough[widthsAt + first] ?? 0, this.#rough[widthsAt + second] ?? 0];
    const merged = {
      atMs: width + (this.#rough[offsetsAt + second] ?? 0),
      value: this.#exact[valuesAt + second] ?? 0,
      work: this.#rough[worksAt + second] ?? 0,
    };
    this.#gather(first, merged, this.#rough[countsAt + second] ?? 0, this.#rough[peaksAt + second] ?? 0);
    this.#exact[newestBeginAt] = (this.#exact[newestBeginAt] ?? 0) - width - more;
    this.#close(first, width + more);
    const remove = (column: Float64Array | Float32Array, from: number) =>
      column.copyWithin(from + second, from + second + 1, from + this.#blocks);
    remove(this.#exact, valuesAt);
    for (const from of [widthsAt, offsetsAt, worksAt, countsAt, peaksAt]) remove(this.#rough, from);
    this.#blocks -= 1;
  }
}

function towards(column: Float64Array | Float32Array, at: number, value: number, share: number): void {
  const before = column[at] ?? 0;
  column[at] = before + (value - before) * share;
}
