/**
 * The largest step of a life: a deploy, a load that was moved here, a pool that was opened. Where it was is looked for in the
 * blocks themselves: on a grid of a few moments the blocks between it and the nearest one would be told as growth.
 */
import { columnOf } from "./columns.ts";
import type { FloorPoint } from "./floor-track.ts";

export interface LargestStep {
  /** Over the blocks: 0 before it, 1 after it. */
  readonly column: Float64Array;
  readonly atMs: number;
  /** It fell by half of what had been gained or more: a collection, of which the next will do the same. */
  readonly takesBack: boolean;
}

const partTakenBack = 0.5;

/** Across a block, since it was within one: that lies where it should between its neighbours. */
export function largestStepOf(points: readonly FloorPoint[]): LargestStep {
  const valueAt = (at: number) => points[at]?.value ?? 0;
  const change = (at: number) => valueAt(at + 1) - valueAt(at - 1);
  let which = 1;
  for (let at = 2; at + 1 < points.length; at += 1) {
    if (Math.abs(change(at)) > Math.abs(change(which))) which = at;
  }
  const [before, by] = [valueAt(which - 1), change(which)];
  const part = by === 0 ? 0 : Math.min(Math.max((valueAt(which) - before) / by, 0), 1);
  return {
    column: columnOf(points, (_, at) => (at < which ? 0 : at > which ? 1 : part)),
    atMs: points[which]?.atMs ?? 0,
    takesBack: by < 0 && -by >= partTakenBack * (before - valueAt(0)),
  };
}
