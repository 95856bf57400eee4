/**
 * The shapes in which a mean can grow, each a clock that runs from 0: the level is a line against the clock.
 * Life is scaled so that now is 1; work and overload too. `ends` are the shapes that stop by themselves: a
 * warm-up, a cache that fills, a deploy step. They are what a trend must beat to be held for real.
 */

/** Where an instance is in its life: time, work and overload, each a multiple of what it is now. */
export interface LifeMark {
  readonly time: number;
  readonly work: number;
  readonly overloadWork: number;
}

export interface GrowthShape {
  readonly name: string;
  readonly clock: (mark: LifeMark) => number;
  /** Prior weight, relative to the others. */
  readonly prior: number;
  readonly ends: boolean;
  readonly needsWork: boolean;
}

const shape = (name: string, prior: number, ends: boolean, needsWork: boolean, clock: (mark: LifeMark) => number): GrowthShape => ({
  name,
  prior,
  ends,
  needsWork,
  clock,
});

const grid = (count: number, from: number, to: number): number[] =>
  Array.from({ length: count }, (_, at) => from + ((to - from) * at) / (count - 1));

const steady: readonly GrowthShape[] = [
  shape("in time", 4, false, false, ({ time }) => time),
  ...[1.5, 2, 3].map((power) => shape(`with time to the power of ${power}`, 0.7, false, false, ({ time }) => time ** power)),
  ...[1.5, 3, 5].map((rate) => shape("exponentially", 0.6, false, false, ({ time }) => Math.expm1(rate * time) / Math.expm1(rate))),
  shape("with the root of time", 0.5, false, false, ({ time }) => Math.sqrt(Math.max(time, 0))),
  shape("with the requests", 4, false, true, ({ work }) => work),
  shape("with the square of the requests", 0.5, false, true, ({ work }) => work ** 2),
  shape("under load", 1.5, false, true, ({ overloadWork }) => overloadWork),
];

const late: readonly GrowthShape[] = grid(9, 0.1, 0.9).flatMap((knot) => [
  shape("in time, begun late", 0.25, false, false, ({ time }) => Math.max(time - knot, 0)),
  shape("with the requests, begun late", 0.15, false, true, ({ work }) => Math.max(work - knot, 0)),
]);

const ending: readonly GrowthShape[] = [
  shape("not at all", 12, true, false, () => 0),
  ...[0.03, 0.08, 0.2, 0.5].map((scale) => shape("and settles", 0.6, true, false, ({ time }) => 1 - Math.exp(-Math.max(time, 0) / scale))),
  ...[0.1, 0.3].map((scale) =>
    shape("and settles with the requests", 0.5, true, true, ({ work }) => 1 - Math.exp(-Math.max(work, 0) / scale)),
  ),
  shape("ever more slowly", 0.6, true, false, ({ time }) => Math.log1p(30 * Math.max(time, 0))),
  ...grid(9, 0.1, 0.9).map((knot) => shape("and stopped", 0.3, true, false, ({ time }) => Math.min(time, knot))),
  ...grid(10, 0.05, 0.95).map((knot) => shape("in one step", 0.25, true, false, ({ time }) => (time > knot ? 1 : 0))),
];

export const growthShapes: readonly GrowthShape[] = [...steady, ...late, ...ending];
