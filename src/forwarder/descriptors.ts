/**
 * How many descriptors this process may have open (`ulimit -n`, which Node raises as far as it may), and what of them
 * clients may take: were all theirs, no request could reach a node any more.
 */
import { openFilesMaxOf } from "../link/process-stat.ts";

/** Files, pipes, control and listening sockets. */
const ownDescriptors = 32;
const clientsShareRatio = 0.75;

/** Infinite where nobody says. */
export function descriptorsMax(): number {
  return openFilesMaxOf("self") ?? Number.POSITIVE_INFINITY;
}

export function clientsWithin(descriptors: number): number {
  return Math.max(1, Math.floor((descriptors - ownDescriptors) * clientsShareRatio));
}

/** A connection could not be begun, by no fault of its other side. */
export function isOutOfDescriptors(error: NodeJS.ErrnoException | null): boolean {
  return error?.syscall === "connect" && (error.code === "EMFILE" || error.code === "ENFILE");
}
