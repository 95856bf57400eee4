/**
 * When a path meets the limit *first*, noise and load peaks included: maxima arrive before the mean line does
 * (reference measurement: without it, a fifth of all leaks were found too late). The path of each quantile is
 * followed on a grid of times ahead that widens; maxima of normals by their extreme value (Leadbetter et al.
 * 1983, ch. 1) where the mean stands, and by the sum of chances where it climbs.
 */
import type { Component } from "./mixture.ts";
import { peakAhead, type ScaledLife } from "./scaled-life.ts";

/** Noise of single readings, in scaled units, and how many of them a life has. */
export interface RowNoise {
  readonly noise: number;
  readonly rowsPerLife: number;
  /** How far the highest reading of a block usually stands above its mean. */
  readonly overhang: number;
}

/** Forecasts reach this many lives ahead; what lies beyond is called never. */
export const livesMax = 60;
/** A crossing is looked for on this grid first: from a 2,000th of a life, by this factor. */
const stepFirst = 1 / 2_000;
const stepFactor = 1.2;
const stepsAhead: readonly number[] = [
  0,
  ...Array.from({ length: Math.ceil(Math.log(livesMax / stepFirst) / Math.log(stepFactor)) }, (_, at) => stepFirst * stepFactor ** at),
];
/** Width of the youngest blocks, whose overhang is known. */
const livesPerBlock = 0.01;
/** Variance of the maximum of many normals, relative to theirs. */
const maximumVariance = 0.25;

export interface PathPoint {
  readonly lives: number;
  readonly above: number;
  readonly spread: number;
}

/** On the grid of times ahead: where the path's middle lies above the room's end, and its spread there. */
export function pathOf(component: Component, life: ScaledLife, room: number, rows: RowNoise, widening: number): PathPoint[] {
  const path: PathPoint[] = [];
  const isWork = component.shape.needsWork;
  for (const lives of stepsAhead) {
    const { mean, growth, variance, driftVariance } = component.ahead(lives);
    const climb = Math.max(growth, 0) / Math.max(lives, stepFirst);
    const reach = Math.sqrt(rows.noise ** 2 + driftVariance) / Math.max(climb, 1e-9);
    const highest = (perLife: number) => Math.min(maximumOf(lives * perLife), firstAbove(reach * perLife));
    const highestRow = rows.noise * highest(rows.rowsPerLife);
    const highestDrift = Math.sqrt(driftVariance) * highest(1 / component.driftTime);
    const pace = (growth * Math.hypot(isWork ? life.paceDoubtRatio(lives) : 0, component.shape.doubtRatio)) ** 2;
    const maxima = maximumVariance * (rows.noise ** 2 + driftVariance);
    const peak = Math.max(component.loadEffect, 0) * peakAhead(life, lives);
    const highestMet = Math.max(Math.hypot(highestRow, highestDrift), rows.overhang * Math.min(lives / livesPerBlock, 1));
    const above = mean + peak + highestMet - room;
    const spread = widening * Math.sqrt(variance + maxima + pace);
    path.push({ lives, above, spread });
    // Beyond this even the lowest path has met it.
    if (above > 2 * spread) break;
  }
  return path;
}

/** Lives until the path at quantile z first meets the room's end; between two points of the grid it is straight. */
export function crossing(path: readonly PathPoint[], z: number): number {
  let before = Number.NEGATIVE_INFINITY;
  let beforeLives = 0;
  for (const { lives, above, spread } of path) {
    const height = above + z * spread;
    if (height >= 0) return before === Number.NEGATIVE_INFINITY ? 0 : beforeLives + ((lives - beforeLives) * before) / (before - height);
    before = height;
    beforeLives = lives;
  }
  return Number.POSITIVE_INFINITY;
}

/** Expected maximum of n independent standard normals, roughly (0 for less than two). */
export function maximumOf(n: number): number {
  return n <= 2 ? 0 : Math.sqrt(2 * Math.log(n)) - (Math.log(Math.log(n)) + 1.38) / (2 * Math.sqrt(2 * Math.log(n)));
}

/**
 * How far below the limit, in deviations, a climbing mean is when one of its readings has met it as likely as not:
 * n readings come while it climbs by one deviation, and n × the normal loss function of the distance is ln 2.
 * Fitted to that root for n of 1 to 1,000, within a tenth.
 */
export function firstAbove(n: number): number {
  return Math.max(1.593 * Math.sqrt(Math.log1p(n)) - 1.366, 0);
}
