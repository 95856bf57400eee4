/**
 * One life with more room. A cache that fills most of its heap and then settles looks like a leak until it does, and the model ends each life
 * before: nobody ever sees that it settles. So after some lives of a release that came to the memory that Coppice gave them,
 * one instance is given a fifth more heap, once. A leak only lives longer by that, under the same rules; what settles is seen to, and its peers are then
 * judged by it (aging/peers.ts: elders that settled). Nobody is let run into a limit for the sake of knowing.
 */
import { heapLimit, instanceShare, instanceUnused, type MemoryBudget, residentLimit, youngBytesMax } from "../model/memory.ts";
import type { AgingReport } from "../model/report.ts";
import type { Draft } from "./draft.ts";
import type { InstanceRecord, Regeneration } from "./state.ts";

/** What settled at 98 % of the usual limit is at 82 % of this one, and below 85 % nothing is decided but in the first minutes. */
const roomRatio = 1.2;
const livesMin = 3;
/** What is decided below that fills in minutes, and would be with more room too. */
const levelRatioMin = 0.8;
const triedMax = 8;
const mebibyte = 1024 * 1024;

/** Beyond its share, in bytes. */
export function moreRoomBytes(memory: MemoryBudget, nodes: number): number {
  return Math.floor((roomRatio - 1) * heapLimit(memory, nodes));
}

/** What an instance may have beyond its share, in bytes. */
export function beyondShareBytes({ hasMoreRoom }: Pick<InstanceRecord, "hasMoreRoom">, memory: MemoryBudget, nodes: number): number {
  return hasMoreRoom ? moreRoomBytes(memory, nodes) : 0;
}

/** It was found aging by its memory, and that had the limit that Coppice gave it: not one of the server's own, nor a lower one at which another died. */
export function metItsMemory({ spec, state }: Pick<Draft, "spec" | "state">, { indicator, trends }: AgingReport): boolean {
  const { memory } = spec;
  const { limit, floor = 0 } = trends.find((trend) => trend.indicator === indicator) ?? {};
  if (memory === null || limit === undefined || floor < levelRatioMin * limit) return false;
  const nodes = state.nodes.length;
  if (indicator === "rssBytes") return limit === residentLimit(memory, nodes) || limit === instanceShare(memory, nodes);
  if (indicator !== "heapAfterGcBytes" && indicator !== "heapUsedBytes") return false;
  const heap = heapLimit(memory, nodes);
  // It is given in whole ones, and V8 counts the young generation beside it.
  return limit > heap - mebibyte && limit < heap + youngBytesMax(heap) + mebibyte;
}

/** For the instance that is to follow; said, and remembered, if so. */
export function takeMoreRoom(draft: Draft, { node, release, metMemory, mode }: Regeneration): boolean {
  const { state } = draft;
  const { memory } = draft.spec;
  if (!metMemory || mode !== "replace" || memory === null || state.triedRoom.includes(release)) return false;
  const before = state.ended.filter((one) => one.metMemory && one.release === release && one.outcome === "succeeded").length;
  const moreBytes = moreRoomBytes(memory, state.nodes.length);
  if (before + 1 < livesMin || moreBytes > memory.reserveBytes + instanceUnused(memory, state.nodes.length)) return false;
  state.triedRoom = [...state.triedRoom, release].slice(-triedMax);
  const text = `${node} is given ${Math.floor(moreBytes / mebibyte)} MiB more memory for its next life: ${before + 1} lives were ended before anybody could see whether it goes on growing`;
  draft.event("notice", text, { moreBytes }, { node });
  return true;
}
