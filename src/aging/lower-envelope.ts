/**
 * The lower envelope of a heap that is read at any moment: between two collections a reading says what was allocated of
 * late, only the lowest of a while says what lives. A while is a share of the readings so far, and goes on until the
 * heap has fallen as far as a large collection lets it fall. O(1) memory.
 */
import type { FloorReading } from "./floor-track.ts";
import type { Intake, Taken } from "./intake.ts";
import { SawTooth } from "./saw-tooth.ts";

/** Readings in a while: this share of all so far, within bounds. */
const sharePerWhile = 1 / 60;
const readingsMin = 3;
const readingsMax = 24;
/** A while without a large collection ends all the same, after so many times its length, or so many times what usually lies between two of them. */
const lengthsMax = 6;
const intervalsMax = 2;
/** Share of a new interval in the usual one. */
const intervalNews = 0.25;

export class LowerEnvelope implements Intake {
  readonly #teeth: SawTooth;
  #seen = 0;
  #readings = 0;
  #lowest: FloorReading | null = null;
  #hasFloor = false;
  #sinceFloor = 0;
  #usualInterval: number | null = null;

  /** @param fallsMin so many falls make a saw-tooth. */
  constructor(fallsMin?: number) {
    this.#teeth = new SawTooth(fallsMin);
  }

  get isSawTooth(): boolean {
    return this.#teeth.isSawTooth;
  }

  add(reading: FloorReading): Taken {
    const tooth = this.#teeth.add(reading.value);
    this.#seen += 1;
    this.#readings += 1;
    this.#hasFloor ||= tooth !== "between";
    this.#sinceFloor += 1;
    if (tooth === "floor") {
      this.#usualInterval = (this.#usualInterval ?? this.#sinceFloor) * (1 - intervalNews) + this.#sinceFloor * intervalNews;
      this.#sinceFloor = 0;
    }
    if (this.#lowest === null || reading.value <= this.#lowest.value) this.#lowest = reading;
    const length = Math.min(Math.max(this.#seen * sharePerWhile, readingsMin), readingsMax);
    const longest = Math.min(lengthsMax * length, intervalsMax * (this.#usualInterval ?? Number.POSITIVE_INFINITY));
    const isOver = this.#readings >= length && (this.#hasFloor || this.#readings >= longest);
    const taken = isOver ? this.#lowest : null;
    if (isOver) {
      this.#readings = 0;
      this.#lowest = null;
      this.#hasFloor = false;
    }
    return { reading: taken, anew: false };
  }
}
