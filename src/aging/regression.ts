/**
 * One shape of growth under one kind of noise: the whitened values against level, load and up to two clocks, each column
 * freed of those before it (Frisch & Waugh 1933; Cholesky's factorisation, row by row). How likely it is takes a few numbers;
 * what it says of the time ahead is worked out only if it is heavy enough. A moment ahead is one more row: freed like
 * the columns, its squares are the variance of the mean.
 */
import type { ClockColumns } from "./clock-columns.ts";
import { type Candidate, type Component, type Course, driftOf, type Weights } from "./component.ts";
import type { GrowthShape } from "./growth-shapes.ts";
import { type NoiseKernel, noiseKernels } from "./noise-kernel.ts";
import { columnAhead, livesAhead } from "./times-ahead.ts";
import { logLikelihoodOf, pivotOf, varianceOf } from "./trend-fit.ts";

/** A whitened column. */
export interface Whitened {
  /** Where it lies. */
  readonly from: number;
  /** The disturbance that it would leave behind. */
  readonly wave: number;
  /** Its parts along level and load, and what these leave of its square and of its product with the values. */
  readonly alongLevel: number;
  readonly alongLoad: number;
  readonly squareLeft: number;
  readonly momentLeft: number;
}

/** In the place of a column that is not there: nothing lies along it. */
export const absent: Whitened = { from: 0, wave: 0, alongLevel: 0, alongLoad: 0, squareLeft: Number.POSITIVE_INFINITY, momentLeft: 0 };

/** What all shapes under one kind of noise share. */
export interface Ground {
  readonly kernel: NoiseKernel;
  readonly columns: ClockColumns;
  readonly count: number;
  readonly usesLoad: boolean;
  readonly level: Whitened;
  readonly load: Whitened;
  readonly values: Whitened;
  /** Of the values, what level and load leave. */
  readonly squares: number;
  /** Of the whitening. */
  readonly sumLogs: number;
  readonly lastVariance: number;
}

const drifts = new Map(noiseKernels.map((kernel) => [kernel, driftOf(kernel)]));
const nothingAhead = columnAhead(() => 0);

export class Regression implements Candidate {
  readonly shape: GrowthShape;
  readonly logWeight: number;
  readonly #ground: Ground;
  readonly #first: Whitened;
  readonly #second: Whitened;
  /** Of the second clock: its part along the first, and what all columns before leave of it and of its product with the values. */
  readonly #alongFirst: number;
  readonly #squareLeft: number;
  readonly #momentLeft: number;
  /** Variance of the noise. */
  readonly #noise: number;

  /** @param between product of the two clocks. */
  constructor(ground: Ground, shape: GrowthShape, first: Whitened, second: Whitened, between: number) {
    const { level, load, usesLoad, count, kernel, sumLogs } = ground;
    this.shape = shape;
    this.#ground = ground;
    this.#first = first;
    this.#second = second;
    const along = between - first.alongLevel * second.alongLevel - first.alongLoad * second.alongLoad;
    this.#alongFirst = along / Math.sqrt(first.squareLeft);
    this.#squareLeft = pivotOf(second.squareLeft - this.#alongFirst * this.#alongFirst);
    this.#momentLeft = second.momentLeft - (along / first.squareLeft) * first.momentLeft;
    const squares =
      ground.squares - (first.momentLeft * first.momentLeft) / first.squareLeft - (this.#momentLeft * this.#momentLeft) / this.#squareLeft;
    const clocks = shape.clocks.length;
    const determinant =
      level.squareLeft * (usesLoad ? load.squareLeft : 1) * (clocks > 0 ? first.squareLeft : 1) * (clocks > 1 ? this.#squareLeft : 1);
    const rest = { count, squares, fixed: usesLoad ? 2 : 1, clocks, logDeterminant: Math.log(determinant) };
    this.#noise = varianceOf(rest);
    this.logWeight = logLikelihoodOf(rest, sumLogs) + Math.log(shape.prior * kernel.prior);
  }

  component(weights: Weights): Component {
    const { shape } = this;
    const [first, second, noise] = [this.#first, this.#second, this.#noise];
    const { kernel, columns, level, load, values } = this.#ground;
    // Back through the factorisation: what a unit of each column is worth.
    const bySecond = this.#momentLeft / this.#squareLeft;
    const byFirst = first.momentLeft / first.squareLeft - (this.#alongFirst / Math.sqrt(first.squareLeft)) * bySecond;
    const loadEffect = (values.alongLoad - byFirst * first.alongLoad - bySecond * second.alongLoad) / Math.sqrt(load.squareLeft);
    const start =
      (values.alongLevel - loadEffect * load.alongLevel - byFirst * first.alongLevel - bySecond * second.alongLevel) /
      Math.sqrt(level.squareLeft);
    const wave = values.wave - start * level.wave - loadEffect * load.wave - byFirst * first.wave - bySecond * second.wave;
    const [one, other] = shape.clocks;
    const [firstAhead, secondAhead] = [aheadOf(columns, one), aheadOf(columns, other)];
    const [firstNow, secondNow] = [firstAhead[0] ?? 0, secondAhead[0] ?? 0];
    const [firstPace, secondPace] = [one === undefined ? 0 : columns.pace(one), other === undefined ? 0 : columns.pace(other)];
    const alongFirst = firstPace / Math.sqrt(first.squareLeft);
    const left = secondPace - alongFirst * this.#alongFirst;
    const now = start + byFirst * firstNow + bySecond * secondNow + wave;
    const drift = drifts.get(kernel) ?? driftOf(kernel);
    return {
      shape,
      ...weights,
      level: now,
      loadEffect,
      drift,
      whiteVariance: noise * kernel.white,
      rate: {
        mean: byFirst * firstPace + bySecond * secondPace,
        deviation: Math.sqrt(noise * (alongFirst * alongFirst + (left * left) / this.#squareLeft)),
      },
      writeCourse: (course) => {
        this.#writeVariance(course, drift.keep, firstAhead, secondAhead);
        for (let step = 0; step < livesAhead.length; step += 1) {
          const growth = byFirst * ((firstAhead[step] ?? 0) - firstNow) + bySecond * ((secondAhead[step] ?? 0) - secondNow);
          course.growth[step] = growth;
          course.mean[step] = now + growth - wave * (1 - (drift.keep[step] ?? 0));
        }
      },
    };
  }

  /** At a step of the grid level is one, load none beyond the mean, the clocks what they are; each without what is left of its wave. */
  #writeVariance(course: Course, keep: Float64Array, firstAhead: Float64Array, secondAhead: Float64Array): void {
    const [first, second, noise] = [this.#first, this.#second, this.#noise];
    const { level, load, lastVariance, kernel } = this.#ground;
    const perLevel = 1 / Math.sqrt(level.squareLeft);
    const perLoad = 1 / Math.sqrt(load.squareLeft);
    const perFirst = 1 / Math.sqrt(first.squareLeft);
    const perSecond = 1 / Math.sqrt(this.#squareLeft);
    for (let step = 0; step < livesAhead.length; step += 1) {
      const kept = keep[step] ?? 0;
      const alongLevel = (1 - kept * level.wave) * perLevel;
      const alongLoad = (-kept * load.wave - alongLevel * load.alongLevel) * perLoad;
      const freed = (firstAhead[step] ?? 0) - kept * first.wave - alongLevel * first.alongLevel - alongLoad * first.alongLoad;
      const alongFirst = freed * perFirst;
      const rest = (secondAhead[step] ?? 0) - kept * second.wave - alongLevel * second.alongLevel - alongLoad * second.alongLoad;
      const alongSecond = (rest - alongFirst * this.#alongFirst) * perSecond;
      const ofMean = alongLevel * alongLevel + alongLoad * alongLoad + alongFirst * alongFirst + alongSecond * alongSecond;
      course.variance[step] = noise * (ofMean + kept * kept * lastVariance + kernel.walk * (livesAhead[step] ?? 0));
      course.driftVariance[step] = noise * kernel.drift * (1 - kept * kept);
    }
  }
}

function aheadOf(columns: ClockColumns, place: number | undefined): Float64Array {
  return place === undefined ? nothingAhead : columns.ahead(place);
}
