/** A disk of its own, of some mebibytes, that a test can fill and empty; gone when the test has ended. Only root can mount one. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { endAfterTest } from "./left-open.ts";

const run = promisify(execFile);
export const notRoot = process.getuid?.() === 0 ? false : "only root can do that to its machine";

export class SmallDisk {
  readonly path = mkdtempSync(join(tmpdir(), "coppice-disk-"));

  static async mount(mebibytes: number, options = "rw"): Promise<SmallDisk> {
    const disk = new SmallDisk();
    await run("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m,${options}`, "tmpfs", disk.path]);
    endAfterTest(() => disk.#unmount());
    return disk;
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  fill(): void {
    try {
      writeFileSync(join(this.path, "fill"), Buffer.alloc(this.freeBytes));
    } catch (error) {
      // Somebody else wrote meanwhile: then it is full too.
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error; // Node's own
    }
  }

  empty(): void {
    rmSync(join(this.path, "fill"));
  }

  async #unmount(): Promise<void> {
    await run("umount", ["--lazy", this.path]);
    rmSync(this.path, { recursive: true });
  }
}
