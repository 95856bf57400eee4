/**
 * The clocks of one life, as columns: over its blocks, and over the grid of times ahead. Each column is made once an
 * evaluation, and only if something asks for it.
 */
import { clocks, columnOf, type LifeMarks } from "./growth-shapes.ts";
import { marksAhead, type ScaledLife } from "./scaled-life.ts";
import { livesAhead } from "./times-ahead.ts";

const rateAhead = 0.1;

export class ClockColumns {
  readonly #life: ScaledLife;
  readonly #past: (Float64Array | undefined)[] = [];
  readonly #ahead: (Float64Array | undefined)[] = [];
  readonly #marksAhead: LifeMarks;
  readonly #marksSoon: LifeMarks;

  constructor(life: ScaledLife) {
    this.#life = life;
    this.#marksAhead = marksAhead(life, livesAhead);
    this.#marksSoon = marksAhead(life, [rateAhead]);
  }

  past(place: number): Float64Array {
    this.#past[place] ??= columnAt(place, this.#life.marks);
    return this.#past[place];
  }

  /** On the grid of times ahead; the first is now. */
  ahead(place: number): Float64Array {
    this.#ahead[place] ??= columnAt(place, this.#marksAhead);
    return this.#ahead[place];
  }

  /** How fast the clock runs over the next tenth of a life, per life. */
  pace(place: number): number {
    return ((columnAt(place, this.#marksSoon)[0] ?? 0) - (this.ahead(place)[0] ?? 0)) / rateAhead;
  }
}

function columnAt(place: number, marks: LifeMarks): Float64Array {
  const clock = clocks[place];
  return clock === undefined ? new Float64Array(marks.time.length) : columnOf(clock, marks);
}
