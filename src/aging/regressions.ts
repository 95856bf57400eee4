/**
 * All shapes of growth under one kind of noise. Each series is whitened once, and freed once of what level and load
 * explain of it (Frisch & Waugh 1933; the first steps of Cholesky's factorisation), so that how likely a shape is takes a
 * few numbers. Only what is heavy enough for the forecast is solved.
 */
import type { ClockColumns } from "./clock-columns.ts";
import { type Ahead, type Candidate, type Component, type Drift, driftOf, type Weights } from "./component.ts";
import { pointsMax } from "./floor-track.ts";
import { clocks, type GrowthShape } from "./growth-shapes.ts";
import { type NoiseKernel, noiseKernels, Whitening } from "./noise-kernel.ts";
import type { ScaledLife } from "./scaled-life.ts";
import { livesAhead } from "./times-ahead.ts";
import { logLikelihoodOf, pivotOf, priorVariance, type Rest, solve, varianceOf } from "./trend-fit.ts";

export type Blocks = Pick<ScaledLife, "values" | "loads" | "usesLoad" | "weights" | "marks">;

const drifts: ReadonlyMap<NoiseKernel, Drift> = new Map(noiseKernels.map((kernel) => [kernel, driftOf(kernel)]));

/** A series under the noise. */
interface Whitened {
  /** Where it lies. */
  readonly from: number;
  /** What it would leave behind. */
  readonly wave: number;
  /** Products with the values, level, load and itself. */
  readonly moment: number;
  readonly withLevel: number;
  readonly withLoad: number;
  readonly square: number;
  /** Its part along level and load, and what these leave of its moment and square. */
  readonly alongLevel: number;
  readonly alongLoad: number;
  readonly momentLeft: number;
  readonly squareLeft: number;
}

/** A shape whose likelihood is known. */
interface Fit {
  readonly shape: GrowthShape;
  /** Its clocks, and the product of the two. */
  readonly own: readonly Whitened[];
  readonly between: number;
  /** Variance of the noise. */
  readonly noise: number;
}

/** In the place of a series that is not there: nothing lies along it. */
const absent: Whitened = {
  from: 0,
  wave: 0,
  moment: 0,
  withLevel: 0,
  withLoad: 0,
  square: 0,
  alongLevel: 0,
  alongLoad: 0,
  momentLeft: 0,
  squareLeft: Number.POSITIVE_INFINITY,
};

/** Level, load and values come before the clocks. */
const [levelRow, loadRow, valuesRow, rowsBefore] = [0, 1, 2, 3];
const ones = new Float64Array(pointsMax).fill(1);
/** Whitened series, one behind the other; of the kind of noise in question, which is done with before the next begins. */
const series = new Float64Array((rowsBefore + clocks.length) * pointsMax);

export class Regressions {
  readonly #blocks: Blocks;
  readonly #columns: ClockColumns;
  readonly #whitening: Whitening;
  #level = absent;
  #load = absent;
  #values = absent;
  readonly #clocks: (Whitened | undefined)[] = [];
  #rows = rowsBefore;

  /** Its shapes are to be fitted before the next is made. */
  constructor(blocks: Blocks, columns: ClockColumns, kernel: NoiseKernel) {
    this.#blocks = blocks;
    this.#columns = columns;
    this.#whitening = new Whitening(kernel, blocks.marks.time, blocks.weights);
    series.fill(0, 0, rowsBefore * pointsMax);
    this.#level = this.#whiten(ones, levelRow);
    if (blocks.usesLoad) this.#load = this.#whiten(blocks.loads, loadRow);
    this.#values = this.#whiten(blocks.values, valuesRow);
  }

  fit(shape: GrowthShape): Candidate {
    const { kernel, sumLogs } = this.#whitening;
    const own: Whitened[] = [];
    for (const place of shape.clocks) own.push(this.#clock(place));
    const [first, second] = own;
    const between = first === undefined || second === undefined ? 0 : this.#dot(first, second);
    const rest = this.#restOf(own, between);
    return {
      shape,
      logWeight: logLikelihoodOf(rest, sumLogs) + Math.log(shape.prior * kernel.prior),
      component: (weights) => this.#component({ shape, own, between, noise: varianceOf(rest) }, weights),
    };
  }

  /** What level, load and one or two clocks leave of the values: step by step, each freed of those before. */
  #restOf([first, second]: readonly Whitened[], between: number): Rest {
    const { usesLoad, values } = this.#blocks;
    const { square, alongLevel, alongLoad } = this.#values;
    let squares = square - alongLevel * alongLevel - alongLoad * alongLoad;
    let logDeterminant = Math.log(this.#level.squareLeft) + (usesLoad ? Math.log(this.#load.squareLeft) : 0);
    if (first !== undefined) {
      squares -= (first.momentLeft * first.momentLeft) / first.squareLeft;
      logDeterminant += Math.log(first.squareLeft);
    }
    if (first !== undefined && second !== undefined) {
      const along = between - first.alongLevel * second.alongLevel - first.alongLoad * second.alongLoad;
      const moment = second.momentLeft - (along / first.squareLeft) * first.momentLeft;
      const left = pivotOf(second.squareLeft - (along * along) / first.squareLeft);
      squares -= (moment * moment) / left;
      logDeterminant += Math.log(left);
    }
    const fixed = usesLoad ? 2 : 1;
    return { count: values.length, squares, fixed, clocks: second !== undefined ? 2 : first !== undefined ? 1 : 0, logDeterminant };
  }

  #component(fit: Fit, weights: Weights): Component {
    const { shape, own, noise } = fit;
    const { kernel, lastVariance } = this.#whitening;
    const { usesLoad } = this.#blocks;
    const fixed = usesLoad ? [this.#level, this.#load] : [this.#level];
    const { coefficients, inverse } = this.#solve(fixed, fit);
    const drift = drifts.get(kernel) ?? driftOf(kernel);
    const waves = [...fixed, ...own].map(({ wave }) => wave);
    const ahead = shape.clocks.map((place) => this.#columns.ahead(place));
    const valuesWave = this.#values.wave;
    // At a step of the grid: level one, no load beyond the mean, the clocks; each without what is left of its wave.
    const x = waves.map(() => 0);
    const writeAhead = (step: number, into: Ahead): void => {
      const keep = drift.keep[step] ?? 0;
      for (let at = 0; at < fixed.length; at += 1) x[at] = (at === 0 ? 1 : 0) - keep * (waves[at] ?? 0);
      let growth = 0;
      for (let at = 0; at < ahead.length; at += 1) {
        const row = fixed.length + at;
        const then = ahead[at]?.[step] ?? 0;
        growth += (then - (ahead[at]?.[0] ?? 0)) * (coefficients[row] ?? 0);
        x[row] = then - keep * (waves[row] ?? 0);
      }
      into.mean = keep * valuesWave + along(coefficients, x);
      into.growth = growth;
      into.variance = noise * (quadratic(inverse, x) + keep * keep * lastVariance + kernel.walk * (livesAhead[step] ?? 0));
      into.driftVariance = noise * kernel.drift * (1 - keep * keep);
    };
    const now = { mean: 0, growth: 0, variance: 0, driftVariance: 0 };
    writeAhead(0, now);
    const direction = [...fixed.map(() => 0), ...shape.clocks.map((place) => this.#columns.pace(place))];
    return {
      shape,
      ...weights,
      level: now.mean,
      loadEffect: usesLoad ? (coefficients[1] ?? 0) : 0,
      drift,
      rate: { mean: along(coefficients, direction), deviation: Math.sqrt(noise * quadratic(inverse, direction)) },
      writeAhead,
    };
  }

  #solve(fixed: readonly Whitened[], { own, between }: Fit) {
    const columns = [...fixed, ...own];
    const product = (one: Whitened, other: Whitened) => {
      if (one === other) return one.square;
      if (other === this.#level) return one.withLevel;
      return other === this.#load ? one.withLoad : between;
    };
    const gram = columns.flatMap((one, i) => columns.map((other, j) => (j > i ? 0 : product(one, other))));
    const { withLevel, withLoad } = this.#values;
    return solve(gram, [...[withLevel, withLoad].slice(0, fixed.length), ...own.map(({ moment }) => moment)]);
  }

  #clock(place: number): Whitened {
    const before = this.#clocks[place];
    if (before !== undefined) return before;
    const whitened = this.#whiten(this.#columns.past(place), this.#rows);
    this.#rows += 1;
    this.#clocks[place] = whitened;
    return whitened;
  }

  #whiten(raw: Float64Array, row: number): Whitened {
    const from = row * pointsMax;
    const wave = this.#whitening.whiten(raw, series, from);
    let [moment, withLevel, withLoad, square] = [0, 0, 0, 0];
    for (let at = 0; at < this.#blocks.values.length; at += 1) {
      const value = series[from + at] ?? 0;
      moment += value * (series[valuesRow * pointsMax + at] ?? 0);
      withLevel += value * (series[levelRow * pointsMax + at] ?? 0);
      withLoad += value * (series[loadRow * pointsMax + at] ?? 0);
      square += value * value;
    }
    const [level, load, values] = [this.#level, this.#load, this.#values];
    const alongLevel = withLevel / Math.sqrt(level.squareLeft);
    const alongLoad = (withLoad - alongLevel * load.alongLevel) / Math.sqrt(load.squareLeft);
    const momentLeft = moment - alongLevel * values.alongLevel - alongLoad * values.alongLoad;
    const squareLeft = pivotOf(square + 1 / priorVariance - alongLevel * alongLevel - alongLoad * alongLoad);
    return { from, wave, moment, withLevel, withLoad, square, alongLevel, alongLoad, momentLeft, squareLeft };
  }

  #dot({ from }: Whitened, other: Whitened): number {
    let sum = 0;
    for (let at = 0; at < this.#blocks.values.length; at += 1) sum += (series[from + at] ?? 0) * (series[other.from + at] ?? 0);
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
