/**
 * All shapes of growth under one kind of noise: each series is whitened once, and each shape is a small regression of
 * products that were made then.
 */
import type { ClockColumns } from "./clock-columns.ts";
import { type Ahead, type Candidate, type Component, type Drift, driftOf, type Weights } from "./component.ts";
import type { GrowthShape } from "./growth-shapes.ts";
import { type NoiseKernel, noiseKernels, Whitening } from "./noise-kernel.ts";
import type { ScaledLife } from "./scaled-life.ts";
import { livesAhead } from "./times-ahead.ts";
import { TrendFit } from "./trend-fit.ts";

const drifts: ReadonlyMap<NoiseKernel, Drift> = new Map(noiseKernels.map((kernel) => [kernel, driftOf(kernel)]));

/** A series under the noise: where it lies, what it would leave behind, its products with values, level, load and itself. */
interface Whitened {
  readonly from: number;
  readonly wave: number;
  readonly moment: number;
  readonly withLevel: number;
  readonly withLoad: number;
  readonly square: number;
}

/** Values, level and load come before the clocks. */
const seriesBefore = 3;

export class Regressions {
  readonly #life: ScaledLife;
  readonly #columns: ClockColumns;
  readonly #whitening: Whitening;
  /** Whitened series, one behind the other; those that are not there yet are zero. */
  readonly #series: Float64Array;
  readonly #values: Whitened;
  /** Level, and the load if it is looked for. */
  readonly #fixed: readonly Whitened[];
  readonly #clocks: (Whitened | undefined)[] = [];
  #next = seriesBefore;

  /** @param clocksMax of how many clocks the shapes that will be tried are. */
  constructor(life: ScaledLife, columns: ClockColumns, kernel: NoiseKernel, clocksMax: number) {
    const count = life.values.length;
    this.#life = life;
    this.#columns = columns;
    this.#whitening = new Whitening(kernel, life.marks.time, life.weights);
    this.#series = new Float64Array((seriesBefore + clocksMax) * count);
    this.#values = this.#whiten(life.values, 0);
    const level = this.#whiten(new Float64Array(count).fill(1), 1);
    this.#fixed = life.usesLoad ? [level, this.#whiten(life.loads, 2)] : [level];
  }

  fit(shape: GrowthShape): Candidate {
    const { kernel, sumLogs } = this.#whitening;
    const columns = [...this.#fixed];
    for (const place of shape.clocks) columns.push(this.#clock(place));
    const fixed = this.#fixed.length;
    const size = columns.length;
    const gram: number[] = [];
    const moments: number[] = [];
    for (const [i, column] of columns.entries()) {
      moments.push(column.moment);
      for (const [j, other] of columns.entries()) {
        if (j > i) gram.push(0);
        else if (j === i) gram.push(column.square);
        else if (j < fixed) gram.push(j === 0 ? column.withLevel : column.withLoad);
        else gram.push(this.#dot(column, other));
      }
    }
    const fit = new TrendFit({ size, fixed, gram, moments, squares: this.#values.square, count: this.#life.values.length }, sumLogs);
    return {
      shape,
      logWeight: fit.logLikelihood + Math.log(shape.prior * kernel.prior),
      component: (weights) => this.#component(shape, fit, columns, weights),
    };
  }

  #component(shape: GrowthShape, { coefficients, inverse, sigma }: TrendFit, columns: readonly Whitened[], weights: Weights): Component {
    const { kernel, lastVariance } = this.#whitening;
    const fixed = this.#fixed.length;
    const noise = sigma ** 2;
    const drift = drifts.get(kernel) ?? driftOf(kernel);
    const clocks = shape.clocks.map((place) => this.#columns.ahead(place));
    const valuesWave = this.#values.wave;
    const x = columns.map(() => 0);
    const writeAhead = (step: number, ahead: Ahead): void => {
      const keep = drift.keep[step] ?? 0;
      let growth = 0;
      for (let at = 0; at < columns.length; at += 1) {
        const clock = clocks[at - fixed];
        const then = clock === undefined ? (at === 0 ? 1 : 0) : (clock[step] ?? 0);
        if (clock !== undefined) growth += (then - (clock[0] ?? 0)) * (coefficients[at] ?? 0);
        x[at] = then - keep * (columns[at]?.wave ?? 0);
      }
      ahead.mean = keep * valuesWave + along(coefficients, x);
      ahead.growth = growth;
      ahead.variance = noise * (quadratic(inverse, x) + keep * keep * lastVariance + kernel.walk * (livesAhead[step] ?? 0));
      ahead.driftVariance = noise * kernel.drift * (1 - keep * keep);
    };
    const now = { mean: 0, growth: 0, variance: 0, driftVariance: 0 };
    writeAhead(0, now);
    const direction = coefficients.map((_, at) => (at < fixed ? 0 : this.#columns.pace(shape.clocks[at - fixed] ?? 0)));
    return {
      shape,
      ...weights,
      level: now.mean,
      loadEffect: this.#life.usesLoad ? (coefficients[1] ?? 0) : 0,
      drift,
      rate: { mean: along(coefficients, direction), deviation: sigma * Math.sqrt(quadratic(inverse, direction)) },
      writeAhead,
    };
  }

  #clock(place: number): Whitened {
    const before = this.#clocks[place];
    if (before !== undefined) return before;
    const whitened = this.#whiten(this.#columns.past(place), this.#next);
    this.#next += 1;
    this.#clocks[place] = whitened;
    return whitened;
  }

  #whiten(raw: Float64Array, row: number): Whitened {
    const count = raw.length;
    const from = row * count;
    const series = this.#series;
    const wave = this.#whitening.whiten(raw, series, from);
    let [moment, withLevel, withLoad, square] = [0, 0, 0, 0];
    for (let at = 0; at < count; at += 1) {
      const value = series[from + at] ?? 0;
      moment += value * (series[at] ?? 0);
      withLevel += value * (series[count + at] ?? 0);
      withLoad += value * (series[2 * count + at] ?? 0);
      square += value * value;
    }
    return { from, wave, moment, withLevel, withLoad, square };
  }

  #dot({ from }: Whitened, other: Whitened): number {
    let sum = 0;
    for (let at = 0; at < this.#life.values.length; at += 1) sum += (this.#series[from + at] ?? 0) * (this.#series[other.from + at] ?? 0);
    return sum;
  }
}

function along(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += (a[at] ?? 0) * (b[at] ?? 0);
  return sum;
}

/** x' M x, which rounding must not make negative. */
function quadratic(matrix: readonly number[], x: readonly number[]): number {
  const size = x.length;
  let sum = 0;
  for (let i = 0; i < size; i += 1) for (let j = 0; j < size; j += 1) sum += (x[i] ?? 0) * (matrix[i * size + j] ?? 0) * (x[j] ?? 0);
  return Math.max(sum, 0);
}
