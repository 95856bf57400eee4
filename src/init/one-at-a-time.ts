/**
 * One process at a time: two that start together, or one that ends while the next begins, would mix what they do to the same
 * directory. The lock is a file that names its owner, made whole by a hard link; what a killed owner left is taken over.
 */
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isAlive, startTicksOf } from "./process-identity.ts";

const waitMsMax = 10_000;
const lookMs = 5;

/** @throws the system's error if no lock can be made there, or an Error if another holds it for too long. */
export function oneAtATime<T>(lock: string, act: () => T): T {
  const mine = `${lock}.${process.pid}`;
  try {
    writeFileSync(mine, `${process.pid} ${startTicksOf(process.pid) ?? 0}`, { mode: 0o600 });
    for (let waitedMs = 0; !link(mine, lock); waitedMs += lookMs) {
      if (waitedMs > waitMsMax) throw new Error(`${lock} is held by another process`);
      pause(lookMs);
    }
  } finally {
    rmSync(mine, { force: true });
  }
  try {
    return act();
  } finally {
    rmSync(lock, { force: true });
  }
}

function link(mine: string, lock: string): boolean {
  try {
    linkSync(mine, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; // Node's own
    if (!holds(lock)) rmSync(lock, { force: true });
    return false;
  }
}

function holds(lock: string): boolean {
  try {
    const [pid = 0, startTicks = 0] = readFileSync(lock, "utf8").split(" ").map(Number);
    return isAlive(pid, startTicks);
  } catch {
    return true; // given back just now, and perhaps another's already
  }
}

/** Holds up the whole process: nothing of it runs yet, or any more. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
