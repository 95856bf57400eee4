/**
 * Memory shared out: what the container or machine has, less what Coppice's own processes take
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

/** Init, monitor and replicator together, and each forwarder: under load, measured by bench/footprint (docs/operations.md). */
const ownBytesMin = 96 * mebibyte;
const forwarderBytes = 48 * mebibyte;
/** Of a forwarder that has its large young generation (own-process.ts). */
const fastForwarderBytes = 104 * mebibyte;
const scarceBytes = 2 * 1024 ** 3;
const reserveRatio = 0.05;
const savedRatio = 0.05;
/**
 * What a process takes beside its heap: code, stacks, buffers. A small Express server takes 40 MiB (measured on
 * Node 20 and 24, at the moment that its heap is full), larger ones more.
 */
const besideHeapBytesMin = 40 * mebibyte;
const besideHeapRatio = 0.25;
/** Node's own limit on a machine with plenty. */
const heapBytesMax = 4096 * mebibyte;
/** Node's program, mapped into every process and so in each one's resident memory, but there once (measured, Node 20 and 24). */
const sharedPagesBytes = 48 * mebibyte;
/** Of the heap's limit: each half of the young generation, which comes on top; and Node 20's own size for it. */
const semiSpaceRatio = 1 / 48;
const semiSpaceBytesMax = 16 * mebibyte;
/** Node 24's own, where there is plenty. */
const semiSpaceBytesOfNode = 64 * mebibyte;
/** Below this an ordinary server cannot start: there is no room. */
export const shareBytesMin = 96 * mebibyte;

export function instanceShare({ limitBytes, ownBytes, reserveBytes, surge }: MemoryBudget, nodes: number): number {
  return Math.max(0, Math.floor((limitBytes - ownBytes - reserveBytes) / (nodes + surge)));
}

/** What the resident memory of an instance of Node may come to before it takes of the others' share; of any other program it is the share. */
export function residentLimit(budget: MemoryBudget, nodes: number): number {
  return instanceShare(budget, nodes) + sharedPagesBytes;
}

export function heapLimit(budget: MemoryBudget, nodes: number): number {
  const share = instanceShare(budget, nodes);
  return Math.max(0, Math.min(heapBytesMax, Math.floor(share - Math.max(besideHeapBytesMin, share * besideHeapRatio))));
}

/** Of an instance's share, where Node's own limit leaves more than it takes. */
export function instanceUnused(budget: MemoryBudget, nodes: number): number {
  const share = instanceShare(budget, nodes);
  return Math.max(0, Math.floor(share - Math.max(besideHeapBytesMin, share * besideHeapRatio)) - heapBytesMax);
}

/**
 * For V8's young generation, which `--max-old-space-size` leaves alone: Node 24 lets it grow to 192 MiB, which
 * alone would be more than a small instance's share. Null: there is plenty, Node's own size stands.
 */
export function semiSpace(heapLimitBytes: number): number | null {
  if (heapLimitBytes >= heapBytesMax) return null;
  return Math.max(mebibyte, Math.min(semiSpaceBytesMax, Math.floor((heapLimitBytes * semiSpaceRatio) / mebibyte) * mebibyte));
}

/** Of the young generation beside such a heap: two halves, and as much again for large objects. */
export function youngBytesMax(heapLimitBytes: number): number {
  return 3 * (semiSpace(heapLimitBytes) ?? semiSpaceBytesOfNode);
}

/** Coppice's own processes do with little then. */
export function isMemoryScarce(limitBytes: number): boolean {
  return limitBytes < scarceBytes;
}

type Regenerate = "auto" | "replace" | "in-place";

/** With room for a replacement beside the nodes; without, where that leaves each too little or it is not wanted. */
export function shareOut(
  limitBytes: number,
  { nodes, forwarders, regenerate: wanted }: { readonly nodes: number; readonly forwarders: number; readonly regenerate: Regenerate },
): MemoryBudget {
  const ownBytes = ownBytesMin + forwarders * (isMemoryScarce(limitBytes) ? forwarderBytes : fastForwarderBytes);
  const budget = { limitBytes, ownBytes, reserveBytes: Math.floor(limitBytes * reserveRatio), surge: wanted === "in-place" ? 0 : 1 };
  return wanted === "auto" && instanceShare(budget, nodes) < shareBytesMin ? { ...budget, surge: 0 } : budget;
}

/** What saved bodies may take, where nothing else is said. They come out of the reserve. */
export function savedShare(limitBytes: number): number {
  return Math.floor(limitBytes * savedRatio);
}

/** How many nodes have room beside a replacement, `wanted` at most and one at least. */
export function nodesThatFit(limitBytes: number, forwarders: number, wanted: number): number {
  for (let nodes = wanted; nodes > 1; nodes -= 1) {
    if (instanceShare(shareOut(limitBytes, { nodes, forwarders, regenerate: "replace" }), nodes) >= shareBytesMin) return nodes;
  }
  return 1;
}

/** For people: who gets how much, and what follows from it. */
export function describeMemory(budget: MemoryBudget, nodes: number): string {
  const { limitBytes, ownBytes, reserveBytes, surge } = budget;
  const mebibytes = (bytes: number) => Math.floor(bytes / mebibyte);
  const share = instanceShare(budget, nodes);
  const whom = `each of ${nodes} node${nodes === 1 ? "" : "s"}${surge === 0 ? ", regenerated in place" : " and a replacement"}`;
  const little = share < shareBytesMin ? "; that is little: give it more memory, or fewer nodes (-n)" : "";
  const rest = `less ${mebibytes(ownBytes)} for Coppice and ${mebibytes(reserveBytes)} in reserve`;
  return `memory: ${mebibytes(limitBytes)} MiB, ${rest}: ${mebibytes(share)} for ${whom} (heap at most ${mebibytes(heapLimit(budget, nodes))})${little}`;
}
