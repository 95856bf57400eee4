/**
 * A stair: a level that rises by jumps at moments that nobody knows, a compound Poisson process. Under a Gaussian noise its jumps
 * are a level that wanders, and that it only ever rises counts for little; here a block's change is either noise or
 * a jump, exponential in its height. What comes next goes at the pace of the jumps so far, as unsure as their number and heights make it.
 */
import { columnOf } from "./columns.ts";
import { type Candidate, type Course, driftOf, type Weights } from "./component.ts";
import type { GrowthShape } from "./growth-shapes.ts";
import type { ScaledLife } from "./scaled-life.ts";
import { livesAhead } from "./times-ahead.ts";

const goesOn: GrowthShape = { name: "by jumps", prior: 1, clocks: [], doubtRatio: 0.11, ends: false, needsWork: false };
/** The more jumps there were, the less likely the last of them was the last. */
const ended = (jumps: number): GrowthShape => ({ ...goesOn, name: "by jumps, and stopped", prior: endsPerJump / jumps, ends: true });
const endsPerJump = 0.04;
/** Fewer are deploys, or caches. */
const jumpsMin = 4;
/** What is less than this share of the largest is not counted among them: a level takes such steps on its way to rest. */
const jumpOfLargestMin = 0.05;
/** A change of so many deviations of the noise is a jump. */
const jumpNoises = 4;
/** A quarter of the absolute values of a normal lies below this many deviations. */
const quarterOfNormal = 0.3186;
/** Noise below this share of the range is rounding. */
const noiseMin = 1e-3;
/** Pace, height and noise are found from the data. */
const parameters = 3;
const still = driftOf({ drift: 0, driftTime: 1 });

/** One that goes on, and one that ended with its last jump, of which its quiet time alone decides; none where it is no stair: too few jumps, or as many down as up. */
export function stairsOf({ values, marks: { time } }: ScaledLife): Candidate[] {
  const rises = columnOf(values.subarray(1), (value, at) => value - (values[at] ?? 0));
  const sizes = columnOf(rises, Math.abs).sort();
  const noise = Math.max((sizes[sizes.length >> 2] ?? 0) / quarterOfNormal, noiseMin);
  const isJump = (by: number) => by > jumpNoises * noise;
  const jumps = jumpsIn(rises, isJump);
  const usualMin = jumpOfLargestMin * (sizes.at(-1) ?? 0);
  if (jumpsIn(rises, (by) => isJump(by) && by >= usualMin) < jumpsMin) return [];
  const last = rises.findLastIndex(isJump) + 1;
  const changes = Array.from(rises, (by, at) => ({ by, over: (time[at + 1] ?? 0) - (time[at] ?? 0) }));
  const [on, off] = [candidateOf(goesOn, changes, changes.length, noise), candidateOf(ended(jumps), changes, last, noise)];
  if (on !== null && off !== null) return [on, { ...off, logOdds: off.logWeight - on.logWeight }];
  return [on, off].flatMap((one) => one ?? []);
}

/** One inside of a block shows in two changes, that to the block and that from it. */
function jumpsIn(rises: Float64Array, isJump: (by: number) => boolean): number {
  let jumps = 0;
  for (let at = 0; at < rises.length; at += 1) {
    if (!isJump(rises[at] ?? 0)) continue;
    jumps += 1;
    if (isJump(rises[at + 1] ?? 0)) at += 1;
  }
  return jumps;
}

interface Change {
  readonly by: number;
  readonly over: number;
}

/** @param until what comes from this change on is quiet. */
function candidateOf(shape: GrowthShape, changes: readonly Change[], until: number, noise: number): Candidate | null {
  const risen = changes.slice(0, until);
  const [rise, spent] = risen.reduce(([by, over], change) => [by + change.by, over + change.over], [0, 0]);
  if (rise <= 0 || spent <= 0) return null;
  const pace = rise / spent;
  // Of a compound Poisson process the variance of a change is twice its mean times the mean height.
  const scatter = risen.reduce((sum, { by, over }) => sum + (by - pace * over) ** 2 - noise * noise, 0);
  const height = scatter / (2 * rise);
  if (height <= 0) return null;
  const variance = 2 * height * pace;
  const goes = shape.ends ? 0 : 1;
  const level = changes.reduce((sum, { by }) => sum + by, 0);
  const writeCourse = (course: Course): void => {
    for (let step = 0; step < livesAhead.length; step += 1) {
      const lives = livesAhead[step] ?? 0;
      course.mean[step] = level + goes * pace * lives;
      course.growth[step] = goes * pace * lives;
      course.variance[step] = noise * noise + goes * variance * (lives + (lives * lives) / spent);
      course.driftVariance[step] = 0;
    }
  };
  const rate = { mean: goes * pace, deviation: goes * Math.sqrt(variance / spent) };
  return {
    shape,
    logWeight: logLikelihoodOf(changes, until, { noise, height, pace }) + Math.log(shape.prior),
    component: (weights: Weights) => ({ shape, ...weights, level, loadEffect: 0, drift: still, whiteVariance: 0, rate, writeCourse }),
  };
}

/** Comparable to that of a regression, which leaves the constant of the normal away. */
function logLikelihoodOf(
  changes: readonly Change[],
  until: number,
  { noise, height, pace }: Record<"noise" | "height" | "pace", number>,
): number {
  const root = Math.sqrt(2 * Math.PI);
  return changes.reduce(
    (sum, { by, over }, at) => {
      const jumps = at < until ? (pace * over) / height : 0;
      const none = Math.exp(-jumps);
      const mean = jumps > 0 ? (height * jumps) / (1 - none) : 1;
      const quiet = Math.exp(-0.5 * (by / noise) ** 2) / noise;
      const jumped = by > 0 ? (root * Math.exp(-by / mean)) / mean : 0;
      return sum + Math.log(none * quiet + (1 - none) * jumped + Number.MIN_VALUE);
    },
    -(parameters / 2) * Math.log(changes.length),
  );
}
