/**
 * The clocks of one life, as columns: over its blocks, and over the grid of times ahead. Each column is made once an
 * evaluation, and only if something asks for it; what goes by time alone is the same ahead of every life.
 */
import { columnOf } from "./columns.ts";
import { pointsMax } from "./floor-track.ts";
import { byTime, clocks, type LifeMarks } from "./growth-shapes.ts";
import { marksAhead, type ScaledLife } from "./scaled-life.ts";
import { livesAhead } from "./times-ahead.ts";

type Columns = (Float64Array | undefined)[];

const rateAhead = 0.1;
const none = new Float64Array(0);
/** Where nothing but time is asked for. */
const marksOf = (time: Float64Array): LifeMarks => ({ time, work: none, overload: [], stepped: none });
const timeAhead = marksOf(columnOf(livesAhead, (lives) => 1 + lives));
const timeColumnsAhead: Columns = [];
const timePaces: (number | undefined)[] = [];
const soon = marksOf(columnOf([1 + rateAhead], (time) => time));
/** Over the blocks of the life in question: one evaluation is over before the next begins, and takes over its columns. */
const pastColumns: readonly Float64Array[] = clocks.map(() => new Float64Array(pointsMax));

export class ClockColumns {
  readonly #life: ScaledLife;
  readonly #isPast = new Uint8Array(clocks.length);
  readonly #workAhead: Columns = [];
  #marksAhead: LifeMarks | null = null;
  #soon: LifeMarks | null = null;

  constructor(life: ScaledLife) {
    this.#life = life;
  }

  /** Over the blocks of the life, and room behind them. */
  past(place: number): Float64Array {
    const column = pastColumns[place] ?? new Float64Array(pointsMax);
    if (this.#isPast[place] === 0) writeColumn(place, this.#life.marks, column);
    this.#isPast[place] = 1;
    return column;
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
    if (clocks[place]?.by === byTime) {
      timePaces[place] ??= this.#paceAt(place, soon);
      return timePaces[place];
    }
    this.#soon ??= marksAhead(this.#life, [rateAhead]);
    return this.#paceAt(place, this.#soon);
  }

  #paceAt(place: number, marks: LifeMarks): number {
    return ((columnAt(place, marks)[0] ?? 0) - (this.ahead(place)[0] ?? 0)) / rateAhead;
  }
}

function columnAt(place: number, marks: LifeMarks): Float64Array {
  const column = new Float64Array(clocks[place]?.by(marks)?.length ?? 0);
  writeColumn(place, marks, column);
  return column;
}

function writeColumn(place: number, marks: LifeMarks, column: Float64Array): void {
  const clock = clocks[place];
  const run = clock?.by(marks);
  if (run !== undefined) clock?.law(run, column);
}
