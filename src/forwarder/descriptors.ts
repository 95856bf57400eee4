/**
 * How many descriptors this process may have open (`ulimit -n`, which Node raises as far as it may), and what of them
 * clients may take: were all theirs, no request could reach a node any more.
 */
import { readFileSync } from "node:fs";

/** Files, pipes, control and listening sockets. */
const ownDescriptors = 32;
const clientsShareRatio = 0.75;

/** Infinite where nobody says. */
export function descriptorsMax(): number {
  try {
    const max = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1];
    return max === undefined ? Number.POSITIVE_INFINITY : Number(max);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

export function clientsWithin(descriptors: number): number {
  return Math.max(1, Math.floor((descriptors - ownDescriptors) * clientsShareRatio));
}

/** A connection could not be begun, by no fault of its other side. */
export function isOutOfDescriptors(error: NodeJS.ErrnoException | null): boolean {
  return error?.syscall === "connect" && (error.code === "EMFILE" || error.code === "ENFILE");
}
