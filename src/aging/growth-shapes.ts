/**
 * The shapes in which a mean can grow: one or two clocks that run from 0; the level is a line against each.
 * Life is scaled so that now is 1; work and overload too. `ends` are the shapes that stop by themselves: a
 * warm-up, a cache that fills, a deploy step. They are what a trend must beat to be held for real.
 */

import { exponentialOf, type Law, lateOf, lateSquareOf, logarithmOf, powerOf, same, settlingOf, stoppedOf, waveOf } from "./clock-laws.ts";
import { overloadRatios } from "./load-profile.ts";

/** Where an instance is in its life at many moments, a column each: time, work and overload, each a multiple of what it is now. */
export interface LifeMarks {
  readonly time: Float64Array;
  readonly work: Float64Array;
  /** Work beyond each threshold of `overloadRatios`. */
  readonly overload: readonly Float64Array[];
  /** 0 before the largest step of the life, 1 after it. */
  readonly stepped: Float64Array;
  /** Time since that step, as a share of the life until now; 0 before it. */
  readonly sinceStep: Float64Array;
}

type By = (marks: LifeMarks) => Float64Array | undefined;

export interface Clock {
  /** What it runs by. */
  readonly by: By;
  readonly law: Law;
}

export interface GrowthShape {
  readonly name: string;
  /** Places in `clocks`. */
  readonly clocks: readonly number[];
  /** Prior weight, relative to the others. */
  readonly prior: number;
  /** How far its growth ahead may differ from its law, relative: what has changed its pace once will do so again. */
  readonly doubtRatio: number;
  readonly ends: boolean;
  readonly needsWork: boolean;
  /** Of overload: which of its thresholds. */
  readonly overload?: number;
}

export const clocks: Clock[] = [];
const known = new Map<string, number>();

/** The clock's place; one of a name is made once. */
function place(name: string, by: By, law: Law): number {
  const before = known.get(name);
  if (before !== undefined) return before;
  clocks.push({ by, law });
  known.set(name, clocks.length - 1);
  return clocks.length - 1;
}

/** What goes by time alone. */
export const byTime: By = (marks) => marks.time;
const byWork: By = (marks) => marks.work;
const byStep: By = (marks) => marks.stepped;
const bySinceStep: By = (marks) => marks.sinceStep;
/** What goes by an indicator's own values. */
export const byValues: readonly By[] = [byStep, bySinceStep];

const time = place("time", byTime, same);
const work = place("work", byWork, same);
const overload = (which: number) => place(`work beyond ${overloadRatios[which]}`, (marks) => marks.overload[which], same);
const power = (exponent: number) => place(`time ^ ${exponent}`, byTime, powerOf(exponent));
const workPower = (exponent: number) => place(`work ^ ${exponent}`, byWork, powerOf(exponent));
const exponential = (rate: number) => place(`exp ${rate}`, byTime, exponentialOf(rate));
const logarithm = (scale: number) => place(`log ${scale}`, byTime, logarithmOf(scale));
const settling = (scale: number) => place(`settle ${scale}`, byTime, settlingOf(scale));
const workSettling = (scale: number) => place(`work settle ${scale}`, byWork, settlingOf(scale));
const late = (knot: number) => place(`late ${knot}`, byTime, lateOf(knot));
const workLate = (knot: number) => place(`work late ${knot}`, byWork, lateOf(knot));
const lateSquare = (knot: number) => place(`late square ${knot}`, byTime, lateSquareOf(knot));
const stopped = (knot: number) => place(`stopped ${knot}`, byTime, stoppedOf(knot));
const workStopped = (knot: number) => place(`work stopped ${knot}`, byWork, stoppedOf(knot));
const step = place("step", byStep, same);
const sinceStep = place("since the step", bySinceStep, same);

const waves = (period: number): [number, number] => [
  place(`sin ${period}`, byTime, waveOf(Math.sin, period)),
  place(`cos ${period}`, byTime, waveOf(Math.cos, period)),
];

const grows = (name: string, prior: number, doubtRatio: number, ...of: number[]): GrowthShape => ({
  name,
  prior,
  doubtRatio,
  clocks: of,
  ends: false,
  needsWork: of.some((at) => ![byTime, ...byValues].includes(clocks[at]?.by ?? byTime)),
});
const ends = (name: string, prior: number, ...of: number[]): GrowthShape => ({ ...grows(name, prior, bent, ...of), ends: true });

/** Doubts: of one law over the whole life, of a curved one, of one that changed. */
const straight = 0.02;
const bent = 0.11;
const changed = 0.25;

const grid = (count: number, from: number, to: number): number[] =>
  Array.from({ length: count }, (_, at) => from + ((to - from) * at) / (count - 1));

/** Evenly spaced in their logarithm. */
const evenScales = (count: number, from: number, to: number): number[] =>
  grid(count, Math.log(from), Math.log(to)).map((log) => Number(Math.exp(log).toPrecision(3)));

/** Parts into which the way from one coarse shape of a scale to the next is divided. */
export const partsBetween = 4;

/** Shapes of one law, its parameter in small steps between the coarse ones, which are always tried (scale-search.ts). */
function scale(parameters: readonly number[], of: (parameter: number) => GrowthShape): readonly GrowthShape[] {
  const fine = parameters.flatMap((from, at) => {
    const to = parameters[at + 1];
    return to === undefined ? [from] : Array.from({ length: partsBetween }, (_, part) => from + ((to - from) * part) / partsBetween);
  });
  return fine.map((parameter) => of(Number(parameter.toPrecision(6))));
}

/** Not where the step takes back what was gained. */
export const stepShapes: readonly GrowthShape[] = [
  grows("in time, with a step", 0.016, bent, time, step),
  grows("in time, since a step", 0.016, straight, step, sinceStep),
];

const single: readonly GrowthShape[] = [
  grows("in time", 4, straight, time),
  grows("with the requests", 4, straight, work),
  ...overloadRatios.map((_, which) => ({
    ...grows("under load", 2 / overloadRatios.length, straight, overload(which)),
    overload: which,
  })),
  grows("in time and with the requests", 0.5, straight, time, work),
  ends("not at all", 14),
  ...[6, 30, 200].map((scale) => ends("ever more slowly", 0.4, logarithm(scale))),
  ...evenScales(12, 0.012, 0.8).map((settled) => ends("and settles", 0.21, settling(settled))),
  ...evenScales(9, 0.04, 0.8).map((settled) => ends("and settles with the requests", 0.16, workSettling(settled))),
  ...grid(19, 0.05, 0.95).map((knot) => ends("and stopped", 0.14, stopped(knot))),
  ...grid(10, 0.05, 0.95).map((knot) => ends("and stopped with the requests", 0.1, workStopped(knot))),
  // Where it is has been looked for in every block: its prior is one block's part.
  ends("in one step", 0.05, step),
  ...stepShapes,
  ...evenScales(10, 0.12, 0.6).map((period) => ends("in waves", 0.1, ...waves(period))),
];

const scales: readonly (readonly GrowthShape[])[] = [
  scale([1.3, 1.6, 2, 2.5, 3, 4], (exponent) => grows("ever faster", 0.5, bent, power(exponent))),
  scale([1, 2, 3, 4.5, 6], (rate) => grows("exponentially", 0.4, bent, exponential(rate))),
  scale([0.5, 0.6, 0.7, 0.8, 0.9], (exponent) => grows("ever more slowly", 0.4, bent, power(exponent))),
  scale([0.9, 1.3, 1.9, 2.8], (settled) => grows("towards a level", 0.12, bent, settling(settled))),
  scale([1.5, 2, 3], (exponent) => grows("ever faster with the requests", 0.3, bent, workPower(exponent))),
  scale(grid(9, 0.1, 0.9), (knot) => grows("in time, begun late", 0.25, straight, late(knot))),
  scale(grid(9, 0.1, 0.9), (knot) => grows("with the requests, begun late", 0.15, straight, workLate(knot))),
  scale(grid(4, 0.2, 0.8), (knot) => grows("ever faster, begun late", 0.15, bent, lateSquare(knot))),
  // Two things at once: a warm-up or a step beside a leak, a leak that changes its pace.
  scale(evenScales(6, 0.012, 0.2), (settled) => grows("in time after a warm-up", 0.15, bent, settling(settled), time)),
  scale(evenScales(4, 0.02, 0.2), (settled) => grows("with the requests after a warm-up", 0.15, bent, workSettling(settled), work)),
  scale(grid(8, 0.15, 0.85), (knot) => grows("in time, at a changed pace", 0.15, changed, time, late(knot))),
  scale(grid(4, 0.2, 0.8), (knot) => grows("with the requests, at a changed pace", 0.1, changed, work, workLate(knot))),
  scale([1.8, 2.4, 3.2, 4.2], (exponent) => grows("in time, and ever faster", 0.15, bent, time, power(exponent))),
];

export const growthShapes = { single, scales };
