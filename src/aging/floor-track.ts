/**
 * The floor of one indicator over the life of an instance, in O(1) memory: at most `pointsMax` points,
 * uniform over the life. When they are full, neighbours are merged in pairs (the lower of two: a floor is
 * a lower envelope) and each new point gathers twice as many readings.
 */

export interface FloorPoint {
  readonly atMs: number;
  readonly value: number;
  /** Requests served until then; NaN where the work is not known. */
  readonly work: number;
}

const pointsMax = 64;

export class FloorTrack {
  #points: FloorPoint[] = [];
  #perPoint = 1;
  #gathered = 0;
  #lowest: FloorPoint | null = null;

  get points(): readonly FloorPoint[] {
    return this.#points;
  }

  add(point: FloorPoint): void {
    if (this.#lowest === null || point.value <= this.#lowest.value) this.#lowest = point;
    this.#gathered += 1;
    if (this.#gathered < this.#perPoint) return;
    this.#points.push(this.#lowest);
    this.#gathered = 0;
    this.#lowest = null;
    if (this.#points.length < pointsMax) return;
    const merged: FloorPoint[] = [];
    for (let at = 0; at + 1 < this.#points.length; at += 2) {
      const [first, second] = this.#points.slice(at, at + 2);
      if (first !== undefined && second !== undefined) merged.push(first.value <= second.value ? first : second);
    }
    this.#points = merged;
    this.#perPoint *= 2;
  }
}
