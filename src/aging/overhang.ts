/**
 * How far the highest reading of a while stands above its mean, as the blocks of late have shown it: by noise, load
 * peaks, teeth of a saw, jumps, whatever their law. The limit is met by the highest reading, not by the mean.
 */
import type { FloorPoint } from "./floor-track.ts";

export interface Overhang {
  /** Of a block's highest reading over its own mean, growth taken out: the usual one, and a large one. */
  readonly usual: number;
  readonly large: number;
  /** Of a block's highest reading over the mean of the block before: a large one, growth and jumps included. */
  readonly jump: number;
}

/** So many blocks are the last fifth or so of a life. */
const blocksOfLate = 24;
/** A large one is the largest but one: what came once may have been an accident. */
const largeRank = 2;

export function overhangOf(points: readonly FloorPoint[]): Overhang {
  const above: number[] = [];
  const jumps: number[] = [];
  for (let at = Math.max(points.length - blocksOfLate, 1); at + 1 < points.length; at += 1) {
    const [before, now, after] = [points[at - 1]?.value ?? 0, points[at]?.value ?? 0, points[at + 1]?.value ?? 0];
    const highest = points[at]?.highest ?? now;
    above.push(Math.max(highest - Math.max(now, (now + after) / 2), 0));
    jumps.push(Math.max(highest - before, 0));
  }
  above.sort((a, b) => a - b);
  jumps.sort((a, b) => a - b);
  return { usual: above[above.length >> 1] ?? 0, large: above.at(-largeRank) ?? 0, jump: jumps.at(-largeRank) ?? 0 };
}
