/**
 * The forecast of one indicator, from the mixture of shapes and noises: when it meets its limit, how fast it
 * grows, how much speaks for growth that goes on. The paths of each component at eleven quantiles are followed to where
 * they meet the limit first. The intervals are calibrated on generated traces (docs/aging-benchmark.md), not guaranteed.
 */
import type { Interval } from "../model/report.ts";
import type { Component } from "./component.ts";
import { type Elders, withElders } from "./elders.ts";
import { FirstPassage } from "./first-passage.ts";
import type { FloorTrack } from "./floor-track.ts";
import type { LoadProfile } from "./load-profile.ts";
import { mixtureOf } from "./mixture.ts";
import type { Overhang } from "./overhang.ts";
import { marksAhead, scaleLife } from "./scaled-life.ts";
import { WeightedValues } from "./weighted.ts";

/** What is kept of a forecast until the next. */
export interface Outlook {
  /** From the last reading until the limit is met; Infinity where it may never be, but for the middle, which is that of those lives that meet it. Null without a limit. */
  readonly exhaustionMs: Interval | null;
  /** The middle of all lives, those without an end included: for decisions. Infinity where it is probably never met. */
  readonly exhaustionMsMiddle: number;
  /** A deeper quantile than the interval's, for decisions. */
  readonly exhaustionMsEarliest: number;
  /** 0..1: how much speaks for growth that does not end. */
  readonly growsRatio: number;
  readonly slopePerHour: Interval;
  /** Hours that a thousand requests take, by which a slope an hour is one per thousand; null where the work is not known. */
  readonly hoursPerThousandRequests: number | null;
  /** The expected level at the load of now, at most the highest reading of late. */
  readonly levelNow: number;
  readonly shape: string;
}

/** With what only the decision asks for. */
export interface Forecast extends Outlook {
  /** The expected level at the mean load, at most the highest reading of late too. */
  readonly level: number;
  readonly exhaustionMsSoon: number;
  readonly exhaustionMsLikely: number;
  readonly overhang: Overhang;
}

/** A new one, without the rest: many instances keep theirs. In one literal, since what is spread into lies in two pieces of memory. */
export function outlookOf(forecast: Forecast): Outlook {
  const { exhaustionMs, exhaustionMsMiddle, exhaustionMsEarliest } = forecast;
  const { growsRatio, slopePerHour, hoursPerThousandRequests, levelNow, shape } = forecast;
  return {
    exhaustionMs,
    exhaustionMsMiddle,
    exhaustionMsEarliest,
    growsRatio,
    slopePerHour,
    hoursPerThousandRequests,
    levelNow,
    shape,
  };
}

/** Standard normal quantiles at (i + ½)/11, the highest first. */
const pathQuantiles = [1.691, 1.097, 0.748, 0.473, 0.23, 0, -0.23, -0.473, -0.748, -1.097, -1.691] as const;

/** Calibrated: growth changes for the worse more often than for the better, so that more ends come before the interval than after it. */
const sooner = 0.92;

/** Ends that are less likely than this have no middle worth telling. */
const endsRatioMin = 0.1;

export function forecast(track: FloorTrack, limit: number | null, profile: LoadProfile, elders: Elders | null = null): Forecast | null {
  const life = scaleLife(track, profile);
  if (life === null) return null;
  const components = elders === null ? mixtureOf(life) : withElders(mixtureOf(life), elders, life, limit);
  const rows = { noise: track.readingNoise / life.unit, rowsPerLife: track.count, overhang: life.overhang.usual / life.unit };
  // Life is known until the mean time of the newest block; readings came since.
  const sinceBlockMs = track.lastMs - track.startMs - life.lifeMs;
  const room = limit === null ? null : (limit - life.offset) / life.unit;
  const passage = room === null ? null : new FirstPassage(life, room, rows);
  const times = new WeightedValues(components.length * pathQuantiles.length);
  const slopes = new WeightedValues(components.length * pathQuantiles.length);
  let grows = 0;
  let expected = 0;
  let ofLoad = 0;
  const loadNow = life.loads.at(-1) ?? 0;
  for (const component of components) {
    const { weight, probability, rate } = component;
    grows += probability * chanceOfGrowth(component);
    expected += probability * component.level;
    ofLoad += probability * component.loadEffect * loadNow;
    passage?.follow(component);
    for (const z of pathQuantiles) {
      slopes.add(rate.mean + z * rate.deviation, probability);
      if (passage !== null) times.add(Math.max(passage.crossing(z) * life.lifeMs - sinceBlockMs, 0), weight);
    }
  }
  const perHour = (life.unit / life.lifeMs) * 3_600_000;
  const [slopeLow = 0, slopeMid = 0, slopeHigh = 0] = slopes.quantiles([0.05, 0.5, 0.95]);
  const slope = { low: slopeLow, mid: slopeMid, high: slopeHigh };
  const [earliest = Number.NaN, low = 0, soon = Number.NaN, middle = 0, likely = Number.NaN, high = 0] = times.quantiles([
    0.025, 0.05, 0.2, 0.5, 0.8, 0.95,
  ]);
  const ends = times.finiteRatio;
  const [mid = middle] = ends < endsRatioMin ? [] : times.quantiles([ends / 2]);
  // Higher than readings of late it would be only by a load that has not come for long.
  const levelOf = (scaled: number) => Math.min(scaled * life.unit + life.offset, life.overhang.envelope.highest);
  const workAhead = ((marksAhead(life, [0.1]).work[0] ?? 1) - 1) / 0.1;
  return {
    exhaustionMs: room === null ? null : { low: low * sooner, mid, high },
    exhaustionMsMiddle: room === null ? Number.POSITIVE_INFINITY : middle,
    exhaustionMsEarliest: earliest,
    exhaustionMsSoon: soon,
    exhaustionMsLikely: likely,
    growsRatio: Math.min(grows, 1),
    slopePerHour: multiply(slope, perHour),
    hoursPerThousandRequests: life.work > 0 ? (1_000 * life.lifeMs) / 3_600_000 / life.work / Math.max(workAhead, 0.01) : null,
    levelNow: levelOf(expected + ofLoad),
    level: levelOf(expected),
    overhang: life.overhang,
    shape: components[0]?.shape.name ?? "not at all",
  };
}

/** That this component's growth goes on upwards: none of those that end. */
function chanceOfGrowth({ shape, rate }: Component): number {
  if (shape.ends) return 0;
  return rate.deviation > 0 ? normalShare(rate.mean / rate.deviation) : rate.mean > 0 ? 1 : 0;
}

/** Share of a standard normal below z, by its logistic approximation (within 1 %; Bowling et al. 2009). */
function normalShare(z: number): number {
  return 1 / (1 + Math.exp(-0.07056 * z ** 3 - 1.5976 * z));
}

export function multiply({ low, mid, high }: Interval, by: number): Interval {
  return { low: low * by, mid: mid * by, high: high * by };
}
