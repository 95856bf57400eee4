/**
 * Whose server is gone while its instance is not: a command that starts its server anew when it dies. The process that served
 * *was* the instance; what comes after it in the same tree has no probe, and would find the port taken.
 */
import { statFieldsOf } from "../link/process-stat.ts";
import type { InstanceId } from "../model/node.ts";

/** A command that ends with its server has so long to do so: then init says more of it than is known here. */
const goneTicksMin = 2;

export interface DesertedWatchOptions {
  /** Of the process that init started; undefined: the instance has ended. */
  readonly startedPid: (instance: InstanceId) => number | null | undefined;
  /** Told at each tick while it stands. */
  readonly onDeserted: (instance: InstanceId) => void;
}

export class DesertedWatch {
  readonly #options: DesertedWatchOptions;
  readonly #left = new Map<InstanceId, { readonly pid: number; goneTicks: number }>();

  constructor(options: DesertedWatchOptions) {
    this.#options = options;
  }

  /**
   * Its link went; with its process or without. One that init started itself init sees end; and where this process had no turn
   * for a moment, the word of that comes before the link's end.
   */
  left(instance: InstanceId, pid: number): void {
    const startedPid = this.#options.startedPid(instance);
    if (startedPid !== undefined && startedPid !== pid) this.#left.set(instance, { pid, goneTicks: 0 });
  }

  /** It is there again, or has ended. */
  forget(instance: InstanceId): void {
    this.#left.delete(instance);
  }

  tick(): void {
    for (const [instance, server] of this.#left) {
      if (isThere(server.pid)) continue;
      server.goneTicks += 1;
      if (server.goneTicks >= goneTicksMin) this.#options.onDeserted(instance);
    }
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH"; // Node's own
  }
  return statFieldsOf(pid)?.[0] !== "Z"; // nobody waited for it yet; or no /proc here
}
