/**
 * Memory shared out (DESIGN §9): what the container or machine has, less what Coppice's own processes take
 * and a reserve, divided by all instances that may live at once. Bytes throughout.
 */
export interface MemoryBudget {
  /** Of the container, else the machine. */
  readonly limitBytes: number;
  /** For Coppice's own processes. */
  readonly ownBytes: number;
  /** For the kernel, the page cache, and whoever else lives there. */
  readonly reserveBytes: number;
  /** How many instances more than nodes there may be: 1 in mode `replace`, 0 in place. */
  readonly surge: number;
}

const mebibyte = 1024 * 1024;

/** Init, monitor, one forwarder and replicator together: measured, see docs/footprint in the README. */
const ownBytesMin = 160 * mebibyte;
/** Each further forwarder: its process and what its connections hold. */
const forwarderBytes = 64 * mebibyte;
const reserveRatio = 0.05;
/** Of an instance's share the heap may take so much; the rest is code, stacks, buffers. */
const heapRatio = 0.75;
/** Node's own limit on a machine with plenty. */
const heapBytesMax = 4096 * mebibyte;
/** Below this an ordinary server cannot start: there is no room. */
export const shareBytesMin = 96 * mebibyte;

export function instanceShare({ limitBytes, ownBytes, reserveBytes, surge }: MemoryBudget, nodes: number): number {
  return Math.max(0, Math.floor((limitBytes - ownBytes - reserveBytes) / (nodes + surge)));
}

export function heapLimit(budget: MemoryBudget, nodes: number): number {
  return Math.min(heapBytesMax, Math.floor(instanceShare(budget, nodes) * heapRatio));
}

type Regenerate = "auto" | "replace" | "in-place";

/** With room for a replacement beside the nodes; without, where that leaves each too little or it is not wanted. */
export function shareOut(
  limitBytes: number,
  { nodes, forwarders, regenerate: wanted }: { readonly nodes: number; readonly forwarders: number; readonly regenerate: Regenerate },
): MemoryBudget {
  const ownBytes = ownBytesMin + (forwarders - 1) * forwarderBytes;
  const budget = { limitBytes, ownBytes, reserveBytes: Math.floor(limitBytes * reserveRatio), surge: wanted === "in-place" ? 0 : 1 };
  return wanted === "auto" && instanceShare(budget, nodes) < shareBytesMin ? { ...budget, surge: 0 } : budget;
}
