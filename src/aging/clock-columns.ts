/**
 * The clocks of one life, as columns: over its blocks, and over the grid of times ahead. Each column is made once an
 * evaluation, and only if something asks for it; what goes by time alone is the same ahead of every life. Indicators that are read
 * together and judged together have the same blocks: what was made for one is there for the next.
 */
import { columnOf } from "./columns.ts";
import { pointsMax } from "./floor-track.ts";
import { byTime, byValues, clocks, type LifeMarks } from "./growth-shapes.ts";
import { marksAhead, type ScaledLife } from "./scaled-life.ts";
import { livesAhead } from "./times-ahead.ts";

type Columns = (Float64Array | undefined)[];

const rateAhead = 0.1;
const none = new Float64Array(0);
/** Where nothing but time is asked for. */
const marksOf = (time: Float64Array): LifeMarks => ({ time, work: none, overload: [], stepped: none, sinceStep: none });
const timeAhead = marksOf(columnOf(livesAhead, (lives) => 1 + lives));
const timeColumnsAhead: Columns = [];
const timePaces: (number | undefined)[] = [];
const soon = marksOf(columnOf([1 + rateAhead], (time) => time));
/** Over the blocks of the life in question: one evaluation is over before the next begins, and takes over its columns. */
const pastColumns: readonly Float64Array[] = clocks.map(() => new Float64Array(pointsMax));
const isPast = new Uint8Array(clocks.length);
let pastMarks: LifeMarks | null = null;
let lives = 0;

export class ClockColumns {
  /** Lives of the same number have the same columns over their blocks, but for those that are not shared. */
  readonly life: number;
  readonly #life: ScaledLife;
  readonly #workAhead: Columns = [];
  #marksAhead: LifeMarks | null = null;
  #soon: LifeMarks | null = null;

  constructor(life: ScaledLife) {
    this.#life = life;
    if (pastMarks === null || !areSame(life.marks, pastMarks)) {
      isPast.fill(0);
      lives += 1;
    }
    pastMarks = life.marks;
    this.life = lives;
  }

  /** Over the blocks of the life, and room behind them. */
  past(place: number): Float64Array {
    const column = pastColumns[place] ?? new Float64Array(pointsMax);
    if (isPast[place] === 0 || !isShared(place)) writeColumn(place, this.#life.marks, column);
    isPast[place] = 1;
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

/** Over blocks that are the same it is the same, whatever the values. */
export function isShared(place: number): boolean {
  return !byValues.includes(clocks[place]?.by ?? byTime);
}

function areSame(one: LifeMarks, other: LifeMarks): boolean {
  return (
    isSameColumn(one.time, other.time) &&
    isSameColumn(one.work, other.work) &&
    one.overload.every((column, at) => isSameColumn(column, other.overload[at] ?? none))
  );
}

export function isSameColumn(one: Float64Array, other: Float64Array): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at += 1) if (one[at] !== other[at]) return false;
  return true;
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
