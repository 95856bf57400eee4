/**
 * Room in the sessions' file, taken from the disk before LMDB writes there. LMDB must not meet a full disk: it
 * writes its message about it past the end of a buffer (its package 3.5.6), and sooner or later the process dies of it.
 *
 * The file goes on behind LMDB's content with zeros that are written, so theirs is the disk's room. Writes begin only
 * while the most that they may need is there; zeros are added while none is under way, so no page of LMDB's is touched.
 */
import { closeSync, fstatSync, openSync, statfsSync, writeSync } from "node:fs";

const stepBytes = 4 * 1024 ** 2;
/** Whatever a commit needs besides its writes: the way to the root, and the list of free pages. */
const commitBytes = 512 * 1024;
/** A leaf, and its half where it splits, and a branch for a few of them. */
const writeBytes = 3 * 4096;
const zeros = Buffer.alloc(256 * 1024);

export class DiskFull extends Error {
  constructor() {
    super("No space left on the disk of the sessions' file");
  }
}

export class Room {
  readonly #path: string;
  readonly #contentBytes: () => number;
  readonly #descriptor: number;
  #end: number;
  #left = 0;
  #writing = 0;
  #writingBytes = 0;
  #waiting = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #quiet: (() => void) | null = null;
  #full = false;

  /** @param contentBytes how far LMDB's content reaches by its last commit. @throws the system's error if the file cannot be opened. */
  constructor(path: string, contentBytes: () => number) {
    this.#path = path;
    this.#contentBytes = contentBytes;
    this.#descriptor = openSync(path, "r+");
    // What lies beyond the content may have holes, of an earlier process: it is written once more.
    this.#end = contentBytes();
    this.#extend(0);
    this.#look();
  }

  /**
   * Performs a write of so many bytes once there is room for it, in the order of the calls.
   * @throws DiskFull: it was not performed.
   */
  async run(bytes: number, write: () => Promise<unknown>): Promise<void> {
    const need = writeBytes + 2 * bytes;
    if (this.#waiting === 0 && this.#fits(need)) return this.#perform(need, write);
    this.#waiting += 1;
    const turn = this.#turn.then(async () => {
      try {
        await this.#make(need);
        return { written: this.#perform(need, write) };
      } finally {
        this.#waiting -= 1;
      }
    });
    this.#turn = turn.catch(() => undefined);
    await (await turn).written;
  }

  /** A write found no room, and none could be taken since: smaller ones may still fit. */
  get full(): boolean {
    return this.#full;
  }

  #fits(need: number): boolean {
    if (this.#left < need) this.#look();
    return this.#left >= need;
  }

  #look(): void {
    this.#left = this.#end - this.#contentBytes() - commitBytes - this.#writingBytes;
  }

  async #make(need: number): Promise<void> {
    if (this.#fits(need)) return;
    if (this.#writing > 0) {
      await new Promise<void>((resolve) => {
        this.#quiet = resolve;
      });
    }
    this.#look();
    if (this.#left < need + stepBytes / 2) this.#extend(need);
    this.#look();
    if (this.#left >= need) return;
    this.#full = true;
    throw new DiskFull();
  }

  async #perform(need: number, write: () => Promise<unknown>): Promise<void> {
    this.#left -= need;
    this.#writing += 1;
    this.#writingBytes += need;
    try {
      await write();
    } finally {
      this.#writing -= 1;
      this.#writingBytes -= need;
      if (this.#writing === 0) this.#quiet?.();
    }
  }

  /** Takes what it gets; LMDB writes nothing meanwhile. */
  #extend(need: number): void {
    const content = this.#contentBytes();
    const goal = content + commitBytes + need + stepBytes;
    const { bavail, bsize } = statfsSync(this.#path);
    if (bavail * bsize < goal - fstatSync(this.#descriptor).size) return;
    this.#end = Math.max(this.#end, content);
    try {
      while (this.#end < goal) this.#end += writeSync(this.#descriptor, zeros, 0, Math.min(zeros.length, goal - this.#end), this.#end);
      this.#full = false;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException; // Node's own
      if (code !== "ENOSPC" && code !== "EDQUOT") throw error;
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
