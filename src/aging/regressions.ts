/**
 * All shapes of growth under one kind of noise. Each column is whitened once, and freed once of what level and load
 * explain of it; a shape is then a few numbers (regression.ts).
 */
import type { ClockColumns } from "./clock-columns.ts";
import type { Candidate } from "./component.ts";
import { pointsMax } from "./floor-track.ts";
import { clocks, type GrowthShape } from "./growth-shapes.ts";
import { type NoiseKernel, Whitening } from "./noise-kernel.ts";
import { absent, type Ground, Regression, type Whitened } from "./regression.ts";
import type { ScaledLife } from "./scaled-life.ts";
import { pivotOf, priorVariance } from "./trend-fit.ts";

export type Blocks = Pick<ScaledLife, "values" | "loads" | "usesLoad" | "weights" | "marks">;

/** A whitened column, and its products with level, load, values and itself. */
interface Products {
  readonly from: number;
  readonly wave: number;
  readonly withLevel: number;
  readonly withLoad: number;
  readonly moment: number;
  readonly square: number;
}

/** Level, load and values come before the clocks. */
const [levelFrom, loadFrom, valuesFrom, clocksFrom] = [0, pointsMax, 2 * pointsMax, 3 * pointsMax];
const ones = new Float64Array(pointsMax).fill(1);
/** Whitened columns, one behind the other; of the kind of noise in question, which is done with before the next begins. */
const whitened = new Float64Array(clocksFrom + clocks.length * pointsMax);

export class Regressions {
  readonly #ground: Ground;
  readonly #whitening: Whitening;
  readonly #clocks: (Whitened | undefined)[] = [];
  #from = clocksFrom;

  /** Its shapes are to be fitted before the next is made. */
  constructor({ values, loads, usesLoad, weights, marks }: Blocks, columns: ClockColumns, kernel: NoiseKernel) {
    const whitening = new Whitening(kernel, marks.time, weights);
    this.#whitening = whitening;
    whitened.fill(0, 0, clocksFrom);
    const level = freed(productsOf(whitening, ones, levelFrom), absent, absent, absent);
    const load = usesLoad ? freed(productsOf(whitening, loads, loadFrom), level, absent, absent) : absent;
    const products = productsOf(whitening, values, valuesFrom);
    const own = freed(products, level, load, absent);
    const squares = products.square - own.alongLevel * own.alongLevel - own.alongLoad * own.alongLoad;
    const { sumLogs, lastVariance } = whitening;
    this.#ground = { kernel, columns, count: values.length, usesLoad, level, load, values: own, squares, sumLogs, lastVariance };
  }

  fit(shape: GrowthShape): Candidate {
    const [one, other] = shape.clocks;
    const first = one === undefined ? absent : this.#clock(one);
    const second = other === undefined ? absent : this.#clock(other);
    return new Regression(this.#ground, shape, first, second, other === undefined ? 0 : this.#product(first, second));
  }

  #clock(place: number): Whitened {
    const before = this.#clocks[place];
    if (before !== undefined) return before;
    const { columns, level, load, values } = this.#ground;
    const clock = freed(productsOf(this.#whitening, columns.past(place), this.#from), level, load, values);
    this.#from += pointsMax;
    this.#clocks[place] = clock;
    return clock;
  }

  #product({ from }: Whitened, other: Whitened): number {
    let sum = 0;
    for (let at = 0; at < this.#ground.count; at += 1) sum += (whitened[from + at] ?? 0) * (whitened[other.from + at] ?? 0);
    return sum;
  }
}

function productsOf(whitening: Whitening, column: Float64Array, from: number): Products {
  const wave = whitening.whiten(column, whitened, from);
  let withLevel = 0;
  let withLoad = 0;
  let moment = 0;
  let square = 0;
  for (let at = 0; at < whitening.count; at += 1) {
    const value = whitened[from + at] ?? 0;
    withLevel += value * (whitened[levelFrom + at] ?? 0);
    withLoad += value * (whitened[loadFrom + at] ?? 0);
    moment += value * (whitened[valuesFrom + at] ?? 0);
    square += value * value;
  }
  return { from, wave, withLevel, withLoad, moment, square };
}

/** The column without what level and load explain of it. */
function freed({ from, wave, withLevel, withLoad, moment, square }: Products, level: Whitened, load: Whitened, values: Whitened): Whitened {
  const alongLevel = withLevel / Math.sqrt(level.squareLeft);
  const alongLoad = (withLoad - alongLevel * load.alongLevel) / Math.sqrt(load.squareLeft);
  const momentLeft = moment - alongLevel * values.alongLevel - alongLoad * values.alongLoad;
  const squareLeft = pivotOf(square + 1 / priorVariance - alongLevel * alongLevel - alongLoad * alongLoad);
  return { from, wave, alongLevel, alongLoad, squareLeft, momentLeft };
}
