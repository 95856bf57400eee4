/**
 * The monitor's journal: every input of the pure core, one JSON line each, written before the effects
 * of its step are performed. Recovery reads the last snapshot and steps through the inputs after it.
 *
 * A line reaches the kernel before `append` returns; that outlives the process, and a power loss ends
 * the instances too, so nothing is fsynced. A torn last line (killed while writing, or the disk took only
 * a part of it) is cut off: its effects were never performed, and what follows must not be joined to it.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { CoppiceError } from "../model/errors.ts";
import type { Input } from "../monitor/types.ts";

const snapshotEvery = 1_000;

type Line<State> = { readonly snapshot: State } | { readonly input: Input };

export class Journal<State> {
  readonly #path: string;
  #file: number | null = null;
  /** Of the file: what lies behind them is a part of a line that failed. */
  #wholeBytes = 0;
  #inputsSinceSnapshot = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** State after all that was journalled; null if nothing ever was. */
  recover(initial: State, step: (state: State, input: Input) => State): State | null {
    if (!existsSync(this.#path)) return null;
    const content = readFileSync(this.#path);
    const wholeBytes = content.lastIndexOf("\n") + 1;
    if (wholeBytes < content.length) truncateSync(this.#path, wholeBytes);
    const lines = content.toString("utf8", 0, wholeBytes).split("\n").slice(0, -1);
    let state: State | null = null;
    for (const [index, text] of lines.entries()) {
      const line = this.#parse(text, index);
      if ("snapshot" in line) state = line.snapshot;
      else {
        state = step(state ?? initial, line.input);
        this.#inputsSinceSnapshot += 1;
      }
    }
    if (state !== null) this.#writeSnapshot(state);
    return state;
  }

  /** @throws the system's error if the disk takes no more: the caller must not perform the step. */
  append(input: Input): void {
    this.#file ??= this.#open();
    const line = Buffer.from(`${JSON.stringify({ input })}\n`);
    if (fstatSync(this.#file).size > this.#wholeBytes) ftruncateSync(this.#file, this.#wholeBytes);
    for (let at = 0; at < line.length; ) at += writeSync(this.#file, line, at);
    this.#wholeBytes += line.length;
    this.#inputsSinceSnapshot += 1;
  }

  #open(): number {
    const file = openSync(this.#path, "a", 0o600);
    this.#wholeBytes = fstatSync(file).size;
    return file;
  }

  /** Replaces the inputs so far by the state after them, now and then: the journal stays bounded. */
  compact(state: State): void {
    if (this.#inputsSinceSnapshot >= snapshotEvery) this.#writeSnapshot(state);
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  /** A disk without room for it keeps the inputs instead: that is as good, and tried again as many inputs later. */
  #writeSnapshot(state: State): void {
    this.close();
    this.#inputsSinceSnapshot = 0;
    const next = `${this.#path}.next`;
    try {
      writeFileSync(next, `${JSON.stringify({ snapshot: state })}\n`, { mode: 0o600 });
      renameSync(next, this.#path);
    } catch {
      rmSync(next, { force: true });
    }
  }

  #parse(text: string, index: number): Line<State> {
    try {
      return JSON.parse(text) as Line<State>; // only `append` and `#writeSnapshot` write this file
    } catch (cause) {
      throw new CoppiceError("COPPICE_INVARIANT", `line ${index + 1} of ${this.#path} is not JSON`, { cause });
    }
  }
}
