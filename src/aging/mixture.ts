/**
 * The mixture: every shape of growth under the plain noise, then the best shapes under every noise, and growth
 * whose slope wanders; weighed by likelihood and prior (Bayesian model averaging; Hoeting et al. 1999). A
 * component tells where its mean goes and how unsure it is of that; what it means is left to forecast.ts.
 */
import { type Clock, clocks, type GrowthShape, growthShapes, workClocks } from "./growth-shapes.ts";
import { noiseKernels, Whitening } from "./noise-kernel.ts";
import { markAhead, type ScaledLife } from "./scaled-life.ts";
import { filterTrend, type NoiseKind, slopeWalks } from "./trend-filter.ts";
import { dot, fitTrend, type TrendFit } from "./trend-fit.ts";

/** So many lives from now, in scaled units. */
export interface Ahead {
  readonly mean: number;
  /** Of the growth since now alone, without what disturbs it: for the path's climb. */
  readonly growth: number;
  /** Of the mean: of parameters and of what wanders. */
  readonly variance: number;
  /** Of the disturbance that comes and goes. */
  readonly driftVariance: number;
}

export interface Component {
  readonly shape: GrowthShape;
  /** Share of the forecast, 0..1: tempered. */
  readonly weight: number;
  /** Posterior probability, 0..1. */
  readonly probability: number;
  /** Expected level now, with its disturbance. */
  readonly level: number;
  readonly loadEffect: number;
  readonly driftTime: number;
  /** Growth over the next tenth of a life, per life. */
  readonly rate: { readonly mean: number; readonly deviation: number };
  readonly ahead: (lives: number) => Ahead;
}

const shapesKept = 8;
/**
 * Shapes are never exactly true, and the posterior is surer of the least wrong one than its forecasts deserve. For
 * forecasts the likelihood is taken to this power (safe Bayes; Grünwald & van Ommen 2017); 1 would be the posterior itself.
 */
const temper = 0.5;
/** What is lighter than this share of the heaviest, in the forecast, is left out. */
const weightMin = 0.02;
const rateAhead = 0.1;
/** Prior weight of a wandering slope. */
const slopeWalkPrior = 0.2;

/** A weighed hypothesis, whose forecast is worked out only if it is heavy enough. */
interface Candidate {
  readonly shape: GrowthShape;
  readonly logWeight: number;
  readonly component: (weights: Weights) => Component;
}

type Weights = Pick<Component, "weight" | "probability">;

/** Normalised weights, the heaviest first. */
export function mixtureOf(life: ScaledLife): Component[] {
  const usesWork = life.work > 0 && !life.isEven;
  const shapes = growthShapes.filter(({ needsWork }) => !needsWork || usesWork);
  const columns = clocks.map((clock, at) => (usesWork || !workClocks.has(at) ? columnOf(life, clock) : none));
  const [plain, ...others] = noiseKernels.map((kernel) => new Regressions(life, columns, new Whitening(kernel, life.times, life.weights)));
  if (plain === undefined) return [];
  const first = shapes.map((shape) => plain.fit(shape)).sort(heaviest);
  const kept = first.slice(0, shapesKept).map(({ shape }) => shape);
  for (const must of [first.find(({ shape }) => !shape.ends)?.shape, first.find(({ shape }) => shape.ends)?.shape]) {
    if (must !== undefined && !kept.includes(must)) kept.push(must);
  }
  const straight = shapes.filter(({ name }) => name === "in time" || name === "with the requests");
  const all = [
    ...first,
    ...others.flatMap((regressions) => kept.map((shape) => regressions.fit(shape))),
    ...straight.flatMap((shape) => slopeWalks.map((kind) => wander(life, columns, shape, kind))),
  ];
  const highest = all.reduce((max, { logWeight }) => Math.max(max, logWeight), Number.NEGATIVE_INFINITY);
  const relative = ({ logWeight }: Candidate, power: number) => Math.exp(power * (logWeight - highest));
  const heavy = all.filter((candidate) => relative(candidate, temper) > weightMin).sort(heaviest);
  const total = (power: number) => heavy.reduce((sum, candidate) => sum + relative(candidate, power), 0);
  const [weights, probabilities] = [total(temper), total(1)];
  return heavy.map((candidate) =>
    candidate.component({ weight: relative(candidate, temper) / weights, probability: relative(candidate, 1) / probabilities }),
  );
}

function heaviest(a: Candidate, b: Candidate): number {
  return b.logWeight - a.logWeight;
}

function columnOf(life: ScaledLife, clock: Clock): Float64Array {
  const column = new Float64Array(life.marks.length);
  for (const [at, mark] of life.marks.entries()) column[at] = clock(mark);
  return column;
}

/** A series under the noise, with what it would leave behind and its products with the values, the fixed columns and itself. */
interface Whitened {
  readonly series: Float64Array;
  readonly wave: number;
  readonly moment: number;
  readonly withFixed: readonly number[];
  readonly square: number;
}

/** All shapes under one kind of noise: each series is whitened once. */
class Regressions {
  readonly #life: ScaledLife;
  readonly #raw: readonly Float64Array[];
  readonly #whitening: Whitening;
  readonly #values: Whitened;
  /** Level, and the load if it is looked for. */
  readonly #fixed: Whitened[] = [];
  readonly #clocks: (Whitened | undefined)[] = [];

  constructor(life: ScaledLife, raw: readonly Float64Array[], whitening: Whitening) {
    this.#life = life;
    this.#raw = raw;
    this.#whitening = whitening;
    const series = new Float64Array(life.values.length);
    const wave = whitening.whiten(life.values, series);
    const square = dot(series, series);
    this.#values = { series, wave, moment: square, withFixed: [], square };
    this.#fixed.push(this.#whiten(new Float64Array(life.values.length).fill(1)));
    if (life.usesLoad) this.#fixed.push(this.#whiten(life.loads));
  }

  fit(shape: GrowthShape): Candidate {
    const { kernel, sumLogs } = this.#whitening;
    const columns = [...this.#fixed, ...shape.clocks.map((at) => this.#clock(at))];
    const size = columns.length;
    const gram: number[] = new Array(size * size).fill(0);
    for (let i = 0; i < size; i += 1) {
      for (let j = 0; j < i; j += 1)
        gram[i * size + j] = columns[i]?.withFixed[j] ?? dot(columns[i]?.series ?? none, columns[j]?.series ?? none);
      gram[i * size + i] = columns[i]?.square ?? 0;
    }
    const moments = columns.map(({ moment }) => moment);
    const count = this.#life.values.length;
    const fit = fitTrend({ size, fixed: this.#fixed.length, gram, moments, squares: this.#values.moment, count }, sumLogs);
    return {
      shape,
      logWeight: fit.logLikelihood + Math.log(shape.prior * kernel.prior),
      component: (weights) => this.#component(shape, fit, columns, weights),
    };
  }

  #component(shape: GrowthShape, { coefficients, inverse, sigma }: TrendFit, columns: readonly Whitened[], weights: Weights): Component {
    const life = this.#life;
    const { kernel, lastVariance } = this.#whitening;
    const fixed = this.#fixed.length;
    const noise = sigma ** 2;
    const now = clocksAt(shape, life, 0);
    const ahead = (lives: number): Ahead => {
      const keep = this.#whitening.keepOver(lives);
      const then = clocksAt(shape, life, lives);
      const x = columns.map(({ wave }, at) => (at === 0 ? 1 : at < fixed ? 0 : (then[at - fixed] ?? 0)) - keep * wave);
      let growth = 0;
      for (let at = 0; at < then.length; at += 1) growth += ((then[at] ?? 0) - (now[at] ?? 0)) * (coefficients[fixed + at] ?? 0);
      return {
        mean: keep * this.#values.wave + along(coefficients, x),
        growth,
        variance: noise * (quadratic(inverse, x) + keep * keep * lastVariance + kernel.walk * lives),
        driftVariance: noise * kernel.drift * (1 - keep * keep),
      };
    };
    const soon = clocksAt(shape, life, rateAhead).map((clock, at) => (clock - (now[at] ?? 0)) / rateAhead);
    const direction = coefficients.map((_, at) => (at < fixed ? 0 : (soon[at - fixed] ?? 0)));
    return {
      shape,
      ...weights,
      level: ahead(0).mean,
      loadEffect: life.usesLoad ? (coefficients[1] ?? 0) : 0,
      driftTime: kernel.driftTime,
      rate: { mean: along(coefficients, direction), deviation: sigma * Math.sqrt(quadratic(inverse, direction)) },
      ahead,
    };
  }

  #clock(at: number): Whitened {
    const before = this.#clocks[at];
    if (before !== undefined) return before;
    const whitened = this.#whiten(this.#raw[at] ?? none);
    this.#clocks[at] = whitened;
    return whitened;
  }

  #whiten(raw: Float64Array): Whitened {
    const series = new Float64Array(raw.length);
    const wave = this.#whitening.whiten(raw, series);
    const withFixed = this.#fixed.map((fixed) => dot(series, fixed.series));
    return { series, wave, moment: dot(series, this.#values.series), withFixed, square: dot(series, series) };
  }
}

const none = new Float64Array(0);

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

function clocksAt(shape: GrowthShape, life: ScaledLife, lives: number): number[] {
  const mark = markAhead(life, lives);
  return shape.clocks.map((at) => clocks[at]?.(mark) ?? 0);
}

/** Growth against one clock whose slope wanders. */
function wander(life: ScaledLife, columns: readonly Float64Array[], shape: GrowthShape, kind: NoiseKind): Candidate {
  const column = columns[shape.clocks[0] ?? 0];
  const inputs = life.times.map((time, at) => ({
    time,
    clock: column?.[at] ?? 0,
    load: life.loads[at] ?? 0,
    value: life.values[at] ?? 0,
    weight: life.weights[at] ?? 1,
  }));
  const result = filterTrend(inputs, kind, life.usesLoad, true);
  const noise = result.sigma ** 2;
  const now = clocksAt(shape, life, 0)[0] ?? 0;
  const ahead = (lives: number): Ahead => {
    const run = (clocksAt(shape, life, lives)[0] ?? 0) - now;
    const fades = kind.drift === 0 ? 0 : Math.exp(-lives / kind.driftTime);
    const parameters = result.levelVariance + 2 * run * result.covariance + run * run * result.slopeVariance;
    return {
      mean: result.level + result.slope * run + result.disturbance * fades,
      growth: result.slope * run,
      variance: Math.max(parameters, 0) + (noise * kind.slopeWalk * lives ** 3) / 3,
      driftVariance: noise * kind.drift * (1 - fades * fades),
    };
  };
  const pace = ((clocksAt(shape, life, rateAhead)[0] ?? 0) - now) / rateAhead;
  const component = (weights: Weights): Component => ({
    shape,
    ...weights,
    level: result.level + result.disturbance,
    loadEffect: result.loadEffect,
    driftTime: kind.driftTime,
    rate: { mean: result.slope * pace, deviation: Math.sqrt(Math.max(result.slopeVariance, 0)) * Math.abs(pace) },
    ahead,
  });
  return { shape, logWeight: result.logLikelihood + Math.log((shape.prior * slopeWalkPrior) / slopeWalks.length), component };
}
