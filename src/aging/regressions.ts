/**
 * All shapes of growth under one kind of noise. Each column is whitened once, and freed once of what level and load
 * explain of it; a shape is then a few numbers (regression.ts). What the values have no part in is kept for the next that has the same blocks.
 */
import { type ClockColumns, isSameColumn, isShared } from "./clock-columns.ts";
import type { Candidate } from "./component.ts";
import { pointsMax } from "./floor-track.ts";
import { clocks, type GrowthShape } from "./growth-shapes.ts";
import { type NoiseKernel, Whitening } from "./noise-kernel.ts";
import { absent, type Ground, Regression, type Whitened } from "./regression.ts";
import type { ScaledLife } from "./scaled-life.ts";
import { pivotOf, priorVariance } from "./trend-fit.ts";

export type Blocks = Pick<ScaledLife, "values" | "loads" | "usesLoad" | "weights" | "marks">;

/** A whitened column, and its products with level, load and itself. */
interface Products {
  readonly from: number;
  readonly wave: number;
  readonly withLevel: number;
  readonly withLoad: number;
  readonly square: number;
}

/** Level, load and values come before the clocks. */
const [levelFrom, loadFrom, valuesFrom, clocksFrom] = [0, pointsMax, 2 * pointsMax, 3 * pointsMax];
const ones = new Float64Array(pointsMax).fill(1);

/** Blocks under one kind of noise, without their values. */
class WhitenedBlocks {
  readonly whitening: Whitening;
  readonly level: Products;
  /** Null where it is not looked for. */
  readonly load: Products | null;
  readonly #known: Pick<Blocks, "loads" | "usesLoad" | "weights">;
  readonly #life: number;
  /** Columns, one behind the other. */
  readonly whitened: Float64Array;
  readonly #clocks: (Products | undefined)[] = [];

  constructor({ loads, usesLoad, weights, marks }: Blocks, { life }: ClockColumns, kernel: NoiseKernel, whitened: Float64Array) {
    this.#known = { loads, usesLoad, weights };
    this.#life = life;
    this.whitened = whitened;
    this.whitening = new Whitening(kernel, marks.time, weights);
    whitened.fill(0, 0, clocksFrom);
    this.level = this.products(ones, levelFrom);
    this.load = usesLoad ? this.products(loads, loadFrom) : null;
  }

  isFor({ loads, usesLoad, weights }: Blocks, { life }: ClockColumns): boolean {
    const own = this.#known;
    if (this.#life !== life || own.usesLoad !== usesLoad || !isSameColumn(own.weights, weights)) return false;
    return !usesLoad || isSameColumn(own.loads, loads);
  }

  clock(place: number, columns: ClockColumns): Products {
    const before = this.#clocks[place];
    if (before !== undefined && isShared(place)) return before;
    const clock = this.products(columns.past(place), clocksFrom + place * pointsMax);
    this.#clocks[place] = clock;
    return clock;
  }

  products(column: Float64Array, from: number): Products {
    const { whitened } = this;
    const wave = this.whitening.whiten(column, whitened, from);
    let withLevel = 0;
    let withLoad = 0;
    let square = 0;
    for (let at = 0; at < this.whitening.count; at += 1) {
      const value = whitened[from + at] ?? 0;
      withLevel += value * (whitened[levelFrom + at] ?? 0);
      withLoad += value * (whitened[loadFrom + at] ?? 0);
      square += value * value;
    }
    return { from, wave, withLevel, withLoad, square };
  }

  product({ from }: Pick<Whitened, "from">, other: Pick<Whitened, "from">): number {
    const { whitened } = this;
    let sum = 0;
    for (let at = 0; at < this.whitening.count; at += 1) sum += (whitened[from + at] ?? 0) * (whitened[other.from + at] ?? 0);
    return sum;
  }
}

/** The last ones of each kind; the next ones take over their columns. */
const lastOfKernels = new Map<NoiseKernel, WhitenedBlocks>();

function whitenedBlocks(blocks: Blocks, columns: ClockColumns, kernel: NoiseKernel): WhitenedBlocks {
  const last = lastOfKernels.get(kernel);
  if (last?.isFor(blocks, columns) === true) return last;
  const made = new WhitenedBlocks(blocks, columns, kernel, last?.whitened ?? new Float64Array(clocksFrom + clocks.length * pointsMax));
  lastOfKernels.set(kernel, made);
  return made;
}

export class Regressions {
  readonly #blocks: WhitenedBlocks;
  readonly #values: Products;
  readonly #ground: Ground;
  readonly #clocks: (Whitened | undefined)[] = [];

  /** Its shapes are to be fitted before the next is made. */
  constructor(blocks: Blocks, columns: ClockColumns, kernel: NoiseKernel) {
    const { values, usesLoad } = blocks;
    const own = whitenedBlocks(blocks, columns, kernel);
    this.#blocks = own;
    this.#values = own.products(values, valuesFrom);
    const level = freed(own.level, 0, absent, absent, absent);
    const load = own.load === null ? absent : freed(own.load, 0, level, absent, absent);
    const freedValues = freed(this.#values, 0, level, load, absent);
    const squares = this.#values.square - freedValues.alongLevel * freedValues.alongLevel - freedValues.alongLoad * freedValues.alongLoad;
    const { sumLogs, lastVariance } = own.whitening;
    this.#ground = { kernel, columns, count: values.length, usesLoad, level, load, values: freedValues, squares, sumLogs, lastVariance };
  }

  fit(shape: GrowthShape): Candidate {
    const [one, other] = shape.clocks;
    const first = one === undefined ? absent : this.#clock(one);
    const second = other === undefined ? absent : this.#clock(other);
    return new Regression(this.#ground, shape, first, second, other === undefined ? 0 : this.#blocks.product(first, second));
  }

  #clock(place: number): Whitened {
    const before = this.#clocks[place];
    if (before !== undefined) return before;
    const { columns, level, load, values } = this.#ground;
    const products = this.#blocks.clock(place, columns);
    const clock = freed(products, this.#blocks.product(products, this.#values), level, load, values);
    this.#clocks[place] = clock;
    return clock;
  }
}

/** The column without what level and load explain of it. @param moment its product with the values. */
function freed(
  { from, wave, withLevel, withLoad, square }: Products,
  moment: number,
  level: Whitened,
  load: Whitened,
  values: Whitened,
): Whitened {
  const alongLevel = withLevel / Math.sqrt(level.squareLeft);
  const alongLoad = (withLoad - alongLevel * load.alongLevel) / Math.sqrt(load.squareLeft);
  const momentLeft = moment - alongLevel * values.alongLevel - alongLoad * values.alongLoad;
  const squareLeft = pivotOf(square + 1 / priorVariance - alongLevel * alongLevel - alongLoad * alongLoad);
  return { from, wave, alongLevel, alongLoad, squareLeft, momentLeft };
}
