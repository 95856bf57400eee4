/** Growth against one clock whose slope wanders: no scalar disturbance, hence no regression but a filter of its own. */
import type { ClockColumns } from "./clock-columns.ts";
import { type Candidate, type Course, driftOf } from "./component.ts";
import type { GrowthShape } from "./growth-shapes.ts";
import type { ScaledLife } from "./scaled-life.ts";
import { livesAhead } from "./times-ahead.ts";
import { filterTrend, slopeWalks } from "./trend-filter.ts";

/** Prior weight of a wandering slope. */
const slopeWalkPrior = 0.2;
const kinds = slopeWalks.map((kind) => ({ kind, drift: driftOf(kind) }));

/** The shape, of one clock, under every kind of wandering. */
export function wander(life: ScaledLife, columns: ClockColumns, shape: GrowthShape): Candidate[] {
  const place = shape.clocks[0] ?? 0;
  const clock = columns.past(place);
  const inputs = Array.from(life.values, (value, at) => ({
    time: life.marks.time[at] ?? 0,
    clock: clock[at] ?? 0,
    load: life.loads[at] ?? 0,
    value,
    weight: life.weights[at] ?? 1,
  }));
  return kinds.map(({ kind, drift }) => {
    const result = filterTrend(inputs, kind, life.usesLoad, true);
    const noise = result.sigma ** 2;
    const component: Candidate["component"] = (weights) => {
      const then = columns.ahead(place);
      const pace = columns.pace(place);
      const writeCourse = (course: Course): void => {
        for (let step = 0; step < livesAhead.length; step += 1) {
          const run = (then[step] ?? 0) - (then[0] ?? 0);
          const keep = drift.keep[step] ?? 0;
          const parameters = result.levelVariance + 2 * run * result.covariance + run * run * result.slopeVariance;
          course.mean[step] = result.level + result.slope * run + result.disturbance * keep;
          course.growth[step] = result.slope * run;
          course.variance[step] = Math.max(parameters, 0) + (noise * kind.slopeWalk * (livesAhead[step] ?? 0) ** 3) / 3;
          course.driftVariance[step] = noise * kind.drift * (1 - keep * keep);
        }
      };
      return {
        shape,
        ...weights,
        level: result.level + result.disturbance,
        loadEffect: result.loadEffect,
        drift,
        whiteVariance: noise * kind.white,
        rate: { mean: result.slope * pace, deviation: Math.sqrt(Math.max(result.slopeVariance, 0)) * Math.abs(pace) },
        writeCourse,
      };
    };
    return { shape, logWeight: result.logLikelihood + Math.log((shape.prior * slopeWalkPrior) / kinds.length), component };
  });
}
