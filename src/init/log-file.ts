/**
 * The log of a cluster in the background: one file that rotates by size. A disk that takes no more loses
 * lines, never the cluster: what could not be written is counted and said when writing works again.
 */
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { Writable } from "node:stream";

export const logFilesKept = 5;
const fileBytesMaxDefault = 10 * 1024 * 1024;

export class LogFile extends Writable {
  readonly #path: string;
  readonly #fileBytesMax: number;
  #file: FileHandle | null = null;
  #bytes = 0;
  #lostLines = 0;

  constructor(path: string, fileBytesMax = fileBytesMaxDefault) {
    super({ decodeStrings: true });
    this.#path = path;
    this.#fileBytesMax = fileBytesMax;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#append(chunk).then(done, () => {
      this.#lostLines += 1;
      done();
    });
  }

  override _final(done: () => void): void {
    (this.#file?.close() ?? Promise.resolve()).then(done, done);
  }

  async #append(chunk: Buffer): Promise<void> {
    if (this.#file !== null && this.#bytes + chunk.length > this.#fileBytesMax) await this.#rotate();
    if (this.#file === null) {
      this.#file = await open(this.#path, "a", 0o600);
      this.#bytes = (await this.#file.stat()).size;
    }
    const lost = this.#lostLines === 0 ? "" : `coppice | ${this.#lostLines} pieces of the log could not be written\n`;
    await this.#file.appendFile(lost);
    await this.#file.appendFile(chunk);
    this.#lostLines = 0;
    this.#bytes += chunk.length + lost.length;
  }

  /** `x.log` becomes `x.log.1`, that one `x.log.2`, and so on; the oldest goes. */
  async #rotate(): Promise<void> {
    await this.#file?.close();
    this.#file = null;
    await rm(rotatedName(this.#path, logFilesKept - 1), { force: true });
    for (let age = logFilesKept - 2; age >= 0; age -= 1) {
      await rename(rotatedName(this.#path, age), rotatedName(this.#path, age + 1)).catch(() => {}); // not every age is there
    }
  }
}

export function rotatedName(path: string, age: number): string {
  return age === 0 ? path : `${path}.${age}`;
}
