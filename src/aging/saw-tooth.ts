/**
 * The lower envelope of a saw-tooth: of a heap that is read between collections, only what a large collection has
 * left says something of age. A series is one where it falls seldom and far and rises often and little; its floor
 * is the reading after a fall that is large for its kind, or that takes back half of what was gained since the last floor (near a limit
 * teeth become smaller). Any other series is passed on as it is. O(1) memory.
 */

/** Readings, roughly, over which rises and falls are remembered. */
const memory = 400;
/** So many falls, each so many times the usual rise, make a saw-tooth. */
const fallsMinUsual = 3;
const fallPerRise = 3;
/** A fall of this share of the largest of late, or of the gain since the last floor, is one of a large collection. */
const largeRatio = 0.5;
const forgetPerFall = 0.98;
const forgetPerReading = 0.999;

export type Tooth = "plain" | "floor" | "between";

export class SawTooth {
  readonly #fallsMin: number;
  #last: number | null = null;
  #rises = 0;
  #riseSum = 0;
  #falls = 0;
  #fallSum = 0;
  #fallsSeen = 0;
  #largest = 0;
  #floor = Number.POSITIVE_INFINITY;
  #peak = Number.NEGATIVE_INFINITY;

  /** @param fallsMin so many falls are asked for. */
  constructor(fallsMin = fallsMinUsual) {
    this.#fallsMin = fallsMin;
  }

  get isSawTooth(): boolean {
    return (
      this.#fallsSeen >= this.#fallsMin &&
      this.#fallSum * this.#rises >= fallPerRise * this.#riseSum * this.#falls &&
      this.#rises > this.#falls
    );
  }

  add(value: number): Tooth {
    const change = this.#last === null ? 0 : value - this.#last;
    this.#last = value;
    const keep = 1 - 1 / memory;
    this.#rises *= keep;
    this.#riseSum *= keep;
    this.#falls *= keep;
    this.#fallSum *= keep;
    this.#largest *= forgetPerReading;
    if (change > 0) {
      this.#rises += 1;
      this.#riseSum += change;
    }
    if (change < 0) {
      this.#falls += 1;
      this.#fallSum -= change;
      this.#fallsSeen += 1;
      this.#largest = Math.max(-change, this.#largest * forgetPerFall);
    }
    if (!this.isSawTooth) return "plain";
    this.#peak = Math.max(this.#peak, value);
    const isLarge = change < 0 && (-change >= largeRatio * this.#largest || this.#peak - value >= largeRatio * (this.#peak - this.#floor));
    if (isLarge) {
      this.#floor = value;
      this.#peak = value;
    }
    return isLarge ? "floor" : "between";
  }
}
