/** A control group with a memory limit, where the kernel lets this user make one: version 1 or 2. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export class ControlGroup {
  readonly directory: string;
  readonly #version: 1 | 2;

  private constructor(directory: string, version: 1 | 2) {
    this.directory = directory;
    this.#version = version;
  }

  /** Null where groups cannot be made, or have no memory controller. */
  static make(limitBytes: number): ControlGroup | null {
    const places = [
      { at: "/sys/fs/cgroup/memory", limit: "memory.limit_in_bytes", version: 1 },
      { at: "/sys/fs/cgroup", limit: "memory.max", version: 2 },
    ] as const;
    for (const { at, limit, version } of places) {
      const directory = join(at, `coppice-test-${process.pid}-${limitBytes}`);
      try {
        mkdirSync(directory);
        if (existsSync(join(directory, limit))) {
          writeFileSync(join(directory, limit), String(limitBytes));
          return new ControlGroup(directory, version);
        }
        rmdirSync(directory);
      } catch {
        // Not here.
      }
    }
    return null;
  }

  /** How many of its processes the kernel killed for want of memory. */
  get killed(): number {
    const file = this.#version === 1 ? "memory.oom_control" : "memory.events";
    return Number(/^oom_kill (\d+)/m.exec(readFileSync(join(this.directory, file), "utf8"))?.[1]);
  }

  /** When all its processes have ended. */
  remove(): void {
    rmdirSync(this.directory);
  }
}
