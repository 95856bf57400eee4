/**
 * How high the highest of many normals is, by the time ahead: the limit is met by a reading, not by the mean. By their extreme value
 * (Leadbetter et al. 1983, ch. 1) where the mean stands, and by the sum of chances where it climbs.
 */
import { columnOf } from "./columns.ts";
import { columnAhead } from "./times-ahead.ts";

/** Over the grid of times ahead. */
export interface Maxima {
  /** Where the mean stands, in deviations. */
  readonly highest: Float64Array;
  /** Where the mean climbs, and fewer than so many come while it does so by one deviation, it is less. */
  readonly enough: Float64Array;
}

/** @param perLife how many come in a life. */
export function maximaOf(perLife: number): Maxima {
  const highest = columnAhead((lives) => maximumOf(lives * perLife));
  return { highest, enough: columnOf(highest, countAbove) };
}

/** In deviations, at a step of the grid. @param perDeviation how many come while the mean climbs by one. */
export function highestAt({ highest, enough }: Maxima, step: number, perDeviation: number): number {
  return perDeviation < (enough[step] ?? 0) ? firstAbove(perDeviation) : (highest[step] ?? 0);
}

/** Deviation of the maximum of n independent standard normals, within 5 % up to some hundreds. */
export function maximumDeviation(n: number): number {
  return 1 / Math.sqrt(1 + 0.8 * Math.log(Math.max(n, 1)));
}

/** Expected maximum of n independent standard normals, roughly (0 for less than two). */
export function maximumOf(n: number): number {
  if (n <= 2) return 0;
  const log = Math.log(n);
  const root = Math.sqrt(2 * log);
  return root - (Math.log(log) + 1.38) / (2 * root);
}

/**
 * How far below the limit, in deviations, a climbing mean is when one of its readings has met it as likely as not:
 * n readings come while it climbs by one deviation, and n × the normal loss function of the distance is ln 2.
 * Fitted to that root for n of 1 to 1,000, within a tenth.
 */
function firstAbove(n: number): number {
  return n <= 1 ? 0 : Math.max(1.593 * Math.sqrt(Math.log(1 + n)) - 1.366, 0);
}

/** The n of which that is the distance. */
function countAbove(distance: number): number {
  return Math.expm1(((distance + 1.366) / 1.593) ** 2);
}
