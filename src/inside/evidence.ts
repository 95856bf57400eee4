/**
 * Evidence, taken on a drained instance only: what is still there after a forced major collection tells
 * a leak from garbage. The collection blocks about a millisecond for each live MiB, so it is left out on
 * large heaps; a full snapshot is never taken here (it blocks for minutes).
 */
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const forcedCollectionBytesMax = 256 * 1024 * 1024;

export function collectEvidence(requestsTotal: number): Readonly<Record<string, unknown>> {
  const before = getHeapStatistics().used_heap_size;
  const forced = before <= forcedCollectionBytesMax && forceCollection();
  return {
    requestsTotal,
    uptimeMs: Math.round(process.uptime() * 1_000),
    nodeVersion: process.versions.node,
    heapUsedBytes: before,
    ...(forced ? { heapAfterForcedGcBytes: getHeapStatistics().used_heap_size } : {}),
    heapSpaces: getHeapSpaceStatistics().map(({ space_name, space_used_size }) => ({ name: space_name, usedBytes: space_used_size })),
    activeResources: countByKind(process.getActiveResourcesInfo?.() ?? []),
  };
}

/** The flag is off again before anybody could see the global. */
function forceCollection(): boolean {
  try {
    setFlagsFromString("--expose-gc");
    const collect: unknown = runInNewContext("gc");
    setFlagsFromString("--no-expose-gc");
    if (typeof collect !== "function") return false;
    collect();
    return true;
  } catch {
    return false;
  }
}

function countByKind(kinds: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of kinds) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}
