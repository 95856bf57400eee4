/**
 * The floor of one indicator over the life of an instance, in O(1) memory: at most `pointsMax` blocks, narrow
 * where they are young and wide where they are old. A full track merges the two neighbours that are the
 * narrowest for their age; means are weighed, so a merged block is exactly the block of all its readings.
 * Blocks lie in columns of numbers, some 2.25 KiB an indicator. What a reading means (a floor, a gauge) and what
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

/** Where the columns begin. */
const valueAt = pointsMax;
const fromAt = 2 * pointsMax;
const countAt = pointsMax;
const highestAt = 2 * pointsMax;

export class FloorTrack {
  /**
   * Columns of the blocks, oldest first, one behind the other: time, value and begin exactly; work and count
   * to seven digits, which is more than a forecast needs. The last block may still be gathering.
   */
  readonly #exact = new Float64Array(3 * pointsMax);
  readonly #rough = new Float32Array(3 * pointsMax);
  #blocks = 0;
  #last: FloorReading | null = null;
  #noise = 0;
  #noiseCount = 0;
  #growth = 0;
  #count = 0;
  #highest = Number.NEGATIVE_INFINITY;
  #lowest = Number.POSITIVE_INFINITY;

  /** Oldest first; made anew, for an evaluation. */
  get points(): readonly FloorPoint[] {
    return Array.from({ length: this.#blocks }, (_, at) => ({
      atMs: this.#exact[at] ?? 0,
      value: this.#exact[valueAt + at] ?? 0,
      work: this.#rough[at] ?? 0,
      count: this.#rough[countAt + at] ?? 0,
      fromMs: this.#exact[fromAt + at] ?? 0,
      highest: this.#rough[highestAt + at] ?? 0,
    }));
  }

  /** Mean of the newest block; NaN without one. */
  get newest(): number {
    return this.#blocks === 0 ? Number.NaN : (this.#exact[valueAt + this.#blocks - 1] ?? 0);
  }

  get blocks(): number {
    return this.#blocks;
  }

  get last(): FloorReading | null {
    return this.#last;
  }

  get count(): number {
    return this.#count;
  }

  get startMs(): number {
    return this.#exact[fromAt] ?? 0;
  }

  get highest(): number {
    return this.#highest;
  }

  get lowest(): number {
    return this.#lowest;
  }

  add(reading: FloorReading): void {
    this.#count += 1;
    this.#measureNoise(reading);
    this.#last = reading;
    if (reading.value > this.#highest) this.#highest = reading.value;
    if (reading.value < this.#lowest) this.#lowest = reading.value;
    const last = this.#blocks - 1;
    const lifeMs = reading.atMs - this.startMs;
    if (last >= 0 && reading.atMs - (this.#exact[fromAt + last] ?? 0) < lifeMs * youngestShare) {
      this.#gather(last, reading, 1, reading.value);
      return;
    }
    if (this.#blocks === pointsMax) this.#mergeNarrowest(reading.atMs);
    const at = this.#blocks;
    this.#blocks += 1;
    this.#exact[at] = reading.atMs;
    this.#exact[valueAt + at] = reading.value;
    this.#rough[at] = reading.work;
    this.#rough[countAt + at] = 1;
    this.#rough[highestAt + at] = reading.value;
    this.#exact[fromAt + at] = reading.atMs;
  }

  /**
   * Standard deviation of one reading against its neighbours, with their mean growth taken out: the noise that no
   * block shows; far above zero only where readings go up and down.
   */
  get readingNoise(): number {
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

  /** Into the block's means go those of `count` more readings. */
  #gather(block: number, { atMs, value, work }: FloorReading, count: number, highest: number): void {
    const total = (this.#rough[countAt + block] ?? 0) + count;
    const share = count / total;
    const into = (column: Float64Array | Float32Array, place: number, more: number) => {
      column[place] = (column[place] ?? 0) + (more - (column[place] ?? 0)) * share;
    };
    into(this.#exact, block, atMs);
    into(this.#exact, valueAt + block, value);
    into(this.#rough, block, work);
    this.#rough[countAt + block] = total;
    this.#rough[highestAt + block] = Math.max(this.#rough[highestAt + block] ?? highest, highest);
  }

  #mergeNarrowest(nowMs: number): void {
    const lifeMs = nowMs - this.startMs;
    let narrowestAt = 0;
    let narrowest = Number.POSITIVE_INFINITY;
    for (let at = 0; at + 1 < this.#blocks; at += 1) {
      const toMs = at + 2 < this.#blocks ? (this.#exact[fromAt + at + 2] ?? nowMs) : nowMs;
      const widthMs = toMs - (this.#exact[fromAt + at] ?? 0);
      const allowedMs = lifeMs * youngestShare + (nowMs - toMs) * widthPerAge;
      const narrowness = widthMs / (allowedMs + 1);
      if (narrowness < narrowest) {
        narrowest = narrowness;
        narrowestAt = at;
      }
    }
    const second = narrowestAt + 1;
    const merged = {
      atMs: this.#exact[second] ?? 0,
      value: this.#exact[valueAt + second] ?? 0,
      work: this.#rough[second] ?? 0,
    };
    this.#gather(narrowestAt, merged, this.#rough[countAt + second] ?? 0, this.#rough[highestAt + second] ?? 0);
    for (const column of [this.#exact, this.#rough]) {
      for (let from = 0; from < column.length; from += pointsMax) column.copyWithin(from + second, from + second + 1, from + this.#blocks);
    }
    this.#blocks -= 1;
  }
}
