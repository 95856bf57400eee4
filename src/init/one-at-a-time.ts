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
  const me = `${process.pid} ${startTicksOf(process.pid) ?? 0}`;
  const mine = `${lock}.${process.pid}`;
  try {
    rmSync(mine, { force: true }); // of a killed one with this pid, it may be the lock's own file under a second name
    writeFileSync(mine, me, { mode: 0o600 });
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
    const owner = ownerOf(lock);
    if (owner !== null && !isAlive(owner.pid, owner.startTicks)) takeAway(lock, owner);
    return false;
  }
}

interface Owner {
  readonly pid: number;
  readonly startTicks: number;
}

/**
 * Of several that find the same dead owner's lock one at a time looks again, under a lock that bears its name, so that nobody
 * removes what another has made in its place. Who dies in between leaves that one behind, which is taken over in the same way.
 */
function takeAway(lock: string, { pid, startTicks }: Owner): void {
  oneAtATime(`${lock}.of-${pid}-${startTicks}`, () => {
    const owner = ownerOf(lock);
    if (owner?.pid === pid && owner.startTicks === startTicks) rmSync(lock, { force: true });
  });
}

/** Null: it was given back just now, and is perhaps another's already. */
function ownerOf(lock: string): Owner | null {
  try {
    const [pid = 0, startTicks = 0] = readFileSync(lock, "utf8")
      .split(" ")
      .map((part) => Number(part) || 0); // what a loss of power tore is nobody's
    return { pid, startTicks };
  } catch {
    return null;
  }
}

/** Holds up the whole process: nothing of it runs yet, or any more. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
