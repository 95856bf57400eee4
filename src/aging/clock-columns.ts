/**
 * The clocks of one life, as columns: over its blocks, and over the grid of times ahead. Each column is made once an
 * evaluation, and only if something asks for it; what goes by time alone is the same ahead of every life.
 */
import { columnOf } from "./columns.ts";
import { byTime, clocks, type LifeMarks } from "./growth-shapes.ts";
import { marksAhead, type ScaledLife } from "./scaled-life.ts";
import { livesAhead } from "./times-ahead.ts";

type Columns = (Float64Array | undefined)[];

const rateAhead = 0.1;
const timeAhead: LifeMarks = { time: columnOf(livesAhead, (lives) => 1 + lives), work: new Float64Array(0), overload: [] };
const timeColumnsAhead: Columns = [];

export class ClockColumns {
  readonly #life: ScaledLife;
  readonly #past: Columns = [];
  readonly #workAhead: Columns = [];
  #marksAhead: LifeMarks | null = null;

  constructor(life: ScaledLife) {
    this.#life = life;
  }

  past(place: number): Float64Array {
    this.#past[place] ??= columnAt(place, this.#life.marks);
    return this.#past[place];
  }

  /** On the grid of times ahead; the first is now. */
  ahead(place: number): Float64Array {
    if (clocks[place]?.by === byTime) {
      timeColumnsAhead[place] ??= columnAt(place, timeAhead);
      return timeColumnsAhead[place];
    }
    this.#marksAhead ??= marksAhead(this.#life, livesAhead);
    this.#workAhead[place] ??= columnAt(place, this.#marksAhead);
    return this.#workAhead[place];
  }

  /** How fast the clock runs over the next tenth of a life, per life. */
  pace(place: number): number {
    return ((columnAt(place, marksAhead(this.#life, [rateAhead]))[0] ?? 0) - (this.ahead(place)[0] ?? 0)) / rateAhead;
  }
}

function columnAt(place: number, marks: LifeMarks): Float64Array {
  const clock = clocks[place];
  const run = clock?.by(marks);
  const column = new Float64Array(run?.length ?? 0);
  if (clock !== undefined && run !== undefined) for (let at = 0; at < run.length; at += 1) column[at] = clock.at(run[at] ?? 0);
  return column;
}
