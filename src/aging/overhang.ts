/**
 * How far the highest reading of a while stands above the trend, as the blocks of late have shown it: by noise, load
 * peaks, teeth of a saw, jumps, whatever their law. The limit is met by the highest reading, not by the mean.
 */
import { columnOf } from "./columns.ts";
import type { FloorPoint } from "./floor-track.ts";
import { type Solution, solve } from "./trend-fit.ts";

export interface Overhang {
  /** Of a block's highest reading over its own mean, growth taken out: the usual one. */
  readonly usual: number;
  /** The lowest mean of a block: what the level has risen from. */
  readonly lowest: number;
  /** Of a block's highest reading over the curve through the younger half of the life: a large one. */
  readonly large: number;
  /** Of a block's highest reading over the mean of the block before: a large one, growth and jumps included. */
  readonly jump: number;
  /** The line through the last blocks: where it is now, its slope, and by how many deviations that is above zero. */
  readonly recent: { readonly now: number; readonly perMs: number; readonly deviations: number };
  /** The highest reading of the elder half of the life. */
  readonly before: number;
  /** Of the younger half of the life the highest reading of each block, and how long ago it was. */
  readonly tops: readonly { readonly value: number; readonly msAgo: number }[];
  /** The line through the highest readings of two recent whiles: where it is now, how fast it rises (0 where it falls), and the highest of the later while. */
  readonly envelope: { readonly now: number; readonly perMs: number; readonly highest: number };
}

/** So many blocks are the last fifth or so of a life. */
const blocksOfLate = 24;
/** A large one is the largest but one: what came once may have been an accident. */
const largeRank = 2;
/** Of this part of the life a large overhang is taken: what came twice in it comes with a chance of a fifth or so within a tenth of it. */
const partOfLate = 0.5;
const curveBlocksMin = 8;
/** Through so many a line is drawn, some 4 % of a life. */
const blocksOfLine = 8;
/** Each while of the envelope, as a share of the life: several teeth, a day of a week. */
const partOfEnvelope = 0.15;

export function overhangOf(points: readonly FloorPoint[]): Overhang {
  const inner = points.slice(Math.max(points.length - blocksOfLate, 1), -1);
  const first = points.length - 1 - inner.length;
  const above = columnOf(inner, ({ value, highest }, at) => {
    const after = points[first + at + 1]?.value ?? 0;
    return Math.max(highest - Math.max(value, (value + after) / 2), 0);
  }).sort();
  const jumps = columnOf(inner, ({ highest }, at) => Math.max(highest - (points[first + at - 1]?.value ?? 0), 0)).sort();
  const late = younger(points);
  return {
    usual: above[above.length >> 1] ?? 0,
    lowest: points.reduce((lowest, { value }) => Math.min(lowest, value), points[0]?.value ?? 0),
    large: Math.max(above.at(-largeRank) ?? 0, aboveCurve(late)),
    jump: jumps.at(-largeRank) ?? 0,
    recent: recentLine(points.slice(-blocksOfLine)),
    before: points.slice(0, -late.length).reduce((highest, point) => Math.max(highest, point.highest), Number.NEGATIVE_INFINITY),
    tops: late.map(({ highest, atMs }) => ({ value: highest, msAgo: (late.at(-1)?.atMs ?? 0) - atMs })),
    envelope: envelopeOf(points),
  };
}

/** Noise, load peaks and teeth meet the limit with what is highest in them, and that may rise faster than the mean. */
function envelopeOf(points: readonly FloorPoint[]): Overhang["envelope"] {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return { now: 0, perMs: 0, highest: 0 };
  const whileMs = (last.atMs - first.atMs) * partOfEnvelope;
  let [before, late] = [first, last];
  for (const point of points) {
    if (point.atMs >= last.atMs - whileMs) late = point.highest >= late.highest ? point : late;
    else if (point.atMs >= last.atMs - 2 * whileMs) before = before === first || point.highest >= before.highest ? point : before;
  }
  const perMs = late.atMs > before.atMs ? Math.max((late.highest - before.highest) / (late.atMs - before.atMs), 0) : 0;
  return { now: late.highest + perMs * (last.atMs - late.atMs), perMs, highest: late.highest };
}

/** The blocks of that part. */
function younger(points: readonly FloorPoint[]): readonly FloorPoint[] {
  const fromMs = (points[0]?.atMs ?? 0) * partOfLate + (points.at(-1)?.atMs ?? 0) * (1 - partOfLate);
  return points.filter(({ atMs }) => atMs >= fromMs);
}

/** Over the parabola through the means of the blocks. */
function aboveCurve(late: readonly FloorPoint[]): number {
  const [base, last] = [late[0], late.at(-1)];
  if (base === undefined || last === undefined || late.length < curveBlocksMin) return 0;
  const x = (atMs: number) => (atMs - base.atMs) / (last.atMs - base.atMs);
  const { coefficients, unit } = fitThrough(late, 3);
  const [level = 0, slope = 0, bend = 0] = coefficients;
  // Not divided by the unit: where the means never change it is next to nothing, and a highest reading is rounded.
  const rests = columnOf(late, ({ atMs, highest }) => highest - base.value - unit * (level + (slope + bend * x(atMs)) * x(atMs)));
  return Math.max(rests.sort().at(-largeRank) ?? 0, 0);
}

function recentLine(blocks: readonly FloorPoint[]): Overhang["recent"] {
  const [base, last] = [blocks[0], blocks.at(-1)];
  const over = (last?.atMs ?? 0) - (base?.atMs ?? 0);
  if (base === undefined || over <= 0 || blocks.length < blocksOfLine) return { now: 0, perMs: 0, deviations: 0 };
  const { coefficients, inverse, variance, unit } = fitThrough(blocks, 2);
  const [level = 0, slope = 0] = coefficients;
  const deviation = Math.sqrt(variance * (inverse[3] ?? 0));
  return {
    now: base.value + (level + slope) * unit,
    perMs: (slope * unit) / over,
    deviations: slope / Math.max(deviation, Number.MIN_VALUE),
  };
}

interface Fit extends Solution {
  /** Of one reading, as the means scatter. */
  readonly variance: number;
  readonly unit: number;
}

/** Least squares through the blocks' means, each as heavy as its readings; in units of the widest distance from the first, over time 0..1. */
function fitThrough(blocks: readonly FloorPoint[], size: number): Fit {
  const { atMs: fromMs, value: base } = blocks[0] ?? { atMs: 0, value: 0 };
  const overMs = (blocks.at(-1)?.atMs ?? 0) - fromMs;
  const unit = blocks.reduce((widest, { value }) => Math.max(widest, Math.abs(value - base)), Number.MIN_VALUE);
  // Products of powers are powers: a few sums say all.
  const sums = new Float64Array(2 * size - 1);
  const moments: number[] = new Array(size).fill(0);
  let squares = 0;
  for (const { atMs, value, count } of blocks) {
    const x = (atMs - fromMs) / overMs;
    const y = (value - base) / unit;
    squares += count * y * y;
    let power = count;
    for (let at = 0; at < sums.length; at += 1) {
      sums[at] = (sums[at] ?? 0) + power;
      if (at < size) moments[at] = (moments[at] ?? 0) + power * y;
      power *= x;
    }
  }
  const gram = moments.flatMap((_, i) => moments.map((_, j) => sums[i + j] ?? 0));
  const { coefficients, inverse } = solve(gram, moments);
  const left = coefficients.reduce((rest, coefficient, at) => rest - coefficient * (moments[at] ?? 0), squares);
  return { coefficients, inverse, variance: Math.max(left, 0) / Math.max(blocks.length - size, 1), unit };
}
