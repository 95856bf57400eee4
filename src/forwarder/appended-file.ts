/**
 * A file that lines are appended to in blocks, by the system's threads: nobody waits for a disk. Where it cannot be
 * opened or takes no more, lines are kept up to a bound and then counted; it is tried again with every `tick`, and said
 * once when it begins and once when it is over. A file that was moved away, replaced or deleted is begun anew.
 */
import { close, fstatSync, openSync, statSync, write, writeSync } from "node:fs";

const blockLength = 8 * 1024;
/** While it cannot be written: a second of the most that one process forwards. */
export const keptLengthMax = 4 * 1024 * 1024;
/** A pipe that is full for now. */
const retryMs = 100;

interface Opened {
  readonly fd: number;
  readonly inode: number;
}

export class AppendedFile {
  /** Null: standard output. */
  readonly #path: string | null;
  readonly #what: string;
  readonly #say: (text: string) => void;
  #opened: Opened | null = null;
  #lines = "";
  /** What is left of a block that was taken in part, or not at all. */
  #rest: Buffer | null = null;
  #writing = false;
  /** A tick came meanwhile: the descriptor may not be closed under a write. */
  #tickDue = false;
  #lost = 0;
  #fault: string | null = null;

  constructor(path: string | null, what: string, say: (text: string) => void) {
    this.#path = path;
    this.#what = what;
    this.#say = say;
    this.#open();
  }

  write(line: string): void {
    if (this.#lines.length + line.length > keptLengthMax) {
      this.#lost += 1;
      return;
    }
    this.#lines += line;
    if (this.#lines.length >= blockLength && this.#fault === null) this.#writeBlock();
  }

  /** To be called now and then: what came since is written, and the file looked after. */
  tick(): void {
    this.#tickDue = this.#writing;
    if (this.#writing) return;
    this.#open();
    this.#writeBlock();
  }

  /** What is there is written at once; the process is about to end. */
  finish(): void {
    if (this.#opened === null) return;
    try {
      writeSync(this.#opened.fd, Buffer.concat([this.#rest ?? Buffer.alloc(0), Buffer.from(this.#lines)]));
    } catch {
      // It was said before, or is said by nobody: there is no later.
    }
  }

  #open(): void {
    if (this.#path === null) {
      this.#opened ??= { fd: 1, inode: 0 };
      return;
    }
    try {
      if (this.#opened !== null) {
        if (statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#opened.inode) return;
        close(this.#opened.fd);
        this.#opened = null;
      }
      const fd = openSync(this.#path, "a");
      this.#opened = { fd, inode: fstatSync(fd).ino };
    } catch (error) {
      this.#failed(error as Error); // of the file system
    }
  }

  #writeBlock(): void {
    if (this.#writing || this.#opened === null) return;
    if (this.#rest === null && this.#lines === "") return;
    const block = this.#rest ?? Buffer.from(this.#lines);
    if (this.#rest === null) this.#lines = "";
    this.#writing = true;
    this.#writeRest(block, this.#opened.fd);
  }

  #writeRest(block: Buffer, fd: number): void {
    write(fd, block, (error, written) => {
      if (error?.code === "EAGAIN") return void setTimeout(() => this.#writeRest(block, fd), retryMs).unref();
      if (error === null && written < block.length) return this.#writeRest(block.subarray(written), fd);
      this.#writing = false;
      this.#rest = error === null ? null : block;
      if (error !== null) return this.#failed(error);
      this.#succeeded();
      if (this.#tickDue) this.tick();
      else if (this.#lines.length >= blockLength) this.#writeBlock();
    });
  }

  #failed({ message }: Error): void {
    if (message !== this.#fault) this.#say(`${this.#what} cannot be written: ${message}`);
    this.#fault = message;
  }

  #succeeded(): void {
    if (this.#fault === null && this.#lost === 0) return;
    this.#fault = null;
    this.#say(`${this.#what} is written again; ${this.#lost} lines of it are lost`);
    this.#lost = 0;
  }
}
