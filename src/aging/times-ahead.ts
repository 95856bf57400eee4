/**
 * The times ahead at which paths are looked at: now, and from a 2,000th of a life on by a factor. One grid for all, so
 * that what depends on the time alone is worked out once, as a column over it.
 */

import { columnOf } from "./columns.ts";

/** Forecasts reach this many lives ahead; what lies beyond is called never. */
export const livesMax = 60;
export const stepFirst = 1 / 2_000;
const stepFactor = 1.2;

/** Lives from now, ascending. */
export const livesAhead: readonly number[] = [
  0,
  ...Array.from({ length: Math.ceil(Math.log(livesMax / stepFirst) / Math.log(stepFactor)) }, (_, at) => stepFirst * stepFactor ** at),
];

export function columnAhead(of: (lives: number) => number): Float64Array {
  return columnOf(livesAhead, of);
}
