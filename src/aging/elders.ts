/**
 * What became of those that rose like this one. A release leaks in every life as it did in the last, and its cache fills in every life:
 * the first must find out, the next know, whatever the shape. Elders that rose as far by this age have weight by their number, and say that it
 * goes on to its limit as they did, or settles as they did; who rose otherwise is counted against them, and one that leaves their way is soon on
 * its own. Elders that did neither yet say nothing of an end.
 */
import type { Rise } from "./age-curve.ts";
import type { Component, Course } from "./component.ts";
import type { GrowthShape } from "./growth-shapes.ts";
import type { ScaledLife } from "./scaled-life.ts";
import { livesAhead } from "./times-ahead.ts";

export interface Elders {
  /** Of those that rose like it, on average. */
  readonly rise: Rise;
  /** The least of what they came to later, in units of the readings. */
  readonly reached: number;
  /** How far it has risen itself, in units of the readings. */
  readonly risen: number;
  readonly alike: number;
  /** That were as old, and had risen otherwise. */
  readonly others: number;
}

/** How far a life may differ from those before it, relative. */
const doubtRatio = 0.15;
const goesOn: GrowthShape = { name: "like older ones of its release", prior: 1, clocks: [], doubtRatio, ends: false, needsWork: false };
export const endsLikeElders = "and settles, as its elders did";
const settles: GrowthShape = { ...goesOn, name: endsLikeElders, ends: true };
/** They have settled if the last third of their lives brought no more than this share of their rise. */
const lateRatio = 2 / 3;
const settledRatio = 0.1;
/** From this share of the limit on they may have been regenerated: what grew little before may have been about to meet it. */
const highRatio = 0.85;
const rateAhead = 0.1;

/** The mixture, with what elders say added; the heaviest first. */
export function withElders(
  mixture: readonly Component[],
  { rise, reached, risen, alike, others }: Elders,
  life: ScaledLife,
  limit: number | null,
): readonly Component[] {
  const [heaviest] = mixture;
  const now = rise.at(life.lifeMs);
  // What grows with the load of the day knows its hours better than an age does, which may have come at others.
  if (heaviest === undefined || heaviest.shape.overload !== undefined || now <= 0) return mixture;
  const whole = rise.at(rise.oldestMs);
  const ends = whole - rise.at(lateRatio * rise.oldestMs) <= settledRatio * whole;
  const share = (alike + 0.5) / (alike + others + 1);
  const unit = risen / now / life.unit;
  const reach = ends ? rise.oldestMs / life.lifeMs : Number.POSITIVE_INFINITY;
  const gain = (lives: number) => Math.max(rise.at(Math.min(1 + lives, reach) * life.lifeMs) - now, 0) * unit;
  const isHigh = limit !== null && reached >= highRatio * limit;
  if (ends === isHigh) return mixture;
  const pace = ends ? 0 : gain(rateAhead) / rateAhead;
  const writeCourse = (course: Course): void => {
    heaviest.writeCourse(course);
    const [level = 0] = course.mean;
    const [variance = 0] = course.variance;
    for (let step = 0; step < livesAhead.length; step += 1) {
      const growth = gain(livesAhead[step] ?? 0);
      course.mean[step] = level + growth;
      course.growth[step] = growth;
      course.variance[step] = variance;
    }
  };
  const elders: Component = {
    ...heaviest,
    shape: ends ? settles : goesOn,
    weight: share,
    probability: share,
    rate: { mean: pace, deviation: doubtRatio * pace },
    writeCourse,
  };
  const own = mixture.map((one) => ({ ...one, weight: one.weight * (1 - share), probability: one.probability * (1 - share) }));
  return share > heaviest.probability * (1 - share) ? [elders, ...own] : [...own, elders];
}
