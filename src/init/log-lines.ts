/**
 * Log pipes: what nodes and Coppice's own processes print goes to init's own output, whole lines, with
 * the name in front. The last lines of each are kept: they say why a process died.
 */
import type { Readable, Writable } from "node:stream";

const tailLinesMax = 20;
/** A line without an end is cut here, so that a process that prints no newline cannot eat init's memory. */
const lineCharactersMax = 64 * 1024;

export class LogLines {
  readonly #prefix: string;
  readonly #to: Writable;
  readonly #tail: string[] = [];

  constructor(prefix: string, to: Writable) {
    this.#prefix = prefix;
    this.#to = to;
  }

  get tail(): readonly string[] {
    return this.#tail;
  }

  read(from: Readable): void {
    let rest = "";
    from.setEncoding("utf8");
    from.on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > lineCharactersMax) {
        lines.push(rest);
        rest = "";
      }
      this.#print(lines);
    });
    from.on("end", () => {
      if (rest !== "") this.#print([rest]);
    });
    from.on("error", () => {});
  }

  #print(lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.#tail.push(...lines);
    this.#tail.splice(0, this.#tail.length - tailLinesMax);
    this.#to.write(lines.map((line) => `${this.#prefix}${line}\n`).join(""));
  }
}
