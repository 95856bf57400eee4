/**
 * The log of a cluster in the background: one file that rotates by size. A disk that takes no more loses
 * lines, never the cluster: what could not be written is counted and said when writing works again. A file that was
 * moved away, deleted or replaced by others is begun anew.
 */
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { Writable } from "node:stream";
import { type LogFormat, lineOf } from "./log.ts";

export const logFilesKept = 5;
const fileBytesMaxDefault = 10 * 1024 * 1024;
/** Whether the file is still there is looked at so often, at most. */
const lookMsDefault = 1_000;

export interface LogFileOptions {
  /** Of its own words. */
  readonly format?: LogFormat;
  readonly fileBytesMax?: number;
  readonly lookMs?: number;
}

export class LogFile extends Writable {
  readonly #path: string;
  readonly #format: LogFormat;
  readonly #fileBytesMax: number;
  readonly #lookMs: number;
  #file: FileHandle | null = null;
  #inode = 0;
  #lookedAtMs = 0;
  #bytes = 0;
  #lostPieces = 0;
  /** A full disk took a part of the last piece: what comes next begins a line. */
  #isTorn = false;

  constructor(path: string, { format = "text", fileBytesMax = fileBytesMaxDefault, lookMs = lookMsDefault }: LogFileOptions = {}) {
    super({ decodeStrings: true });
    this.#path = path;
    this.#format = format;
    this.#fileBytesMax = fileBytesMax;
    this.#lookMs = lookMs;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#append(chunk).then(done, () => {
      this.#lostPieces += 1;
      done();
    });
  }

  override _final(done: () => void): void {
    (this.#file?.close() ?? Promise.resolve()).then(done, done);
  }

  async #append(chunk: Buffer): Promise<void> {
    await this.#look();
    if (this.#file !== null && this.#bytes + chunk.length > this.#fileBytesMax) await this.#rotate();
    if (this.#file === null) {
      this.#file = await open(this.#path, "a", 0o600);
      const { ino, size } = await this.#file.stat();
      this.#inode = ino;
      this.#bytes = size;
      this.#isTorn = false;
    }
    if (this.#lostPieces > 0) {
      const text = `${this.#lostPieces} pieces of the log could not be written`;
      const line = lineOf(this.#format, { time: new Date().toISOString(), source: "coppice", stream: "stderr", text });
      await this.#write(this.#file, Buffer.from(this.#isTorn ? `\n${line}` : line));
      this.#lostPieces = 0;
    }
    await this.#write(this.#file, chunk);
  }

  async #write(file: FileHandle, piece: Buffer): Promise<void> {
    try {
      await file.appendFile(piece);
      this.#bytes += piece.length;
      this.#isTorn = false;
    } catch (error) {
      const { size } = await file.stat();
      this.#isTorn ||= size > this.#bytes;
      this.#bytes = size;
      throw error;
    }
  }

  async #look(): Promise<void> {
    const nowMs = performance.now();
    if (this.#file === null || nowMs - this.#lookedAtMs < this.#lookMs) return;
    this.#lookedAtMs = nowMs;
    const there = await stat(this.#path).catch(() => null); // not there, or out of reach
    if (there?.ino === this.#inode) {
      this.#bytes = there.size; // who rotates by copying has emptied it
      return;
    }
    await this.#file.close();
    this.#file = null;
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
