/**
 * Log pipes: what nodes and Coppice's own processes print goes to the log in whole lines. The last lines of
 * each are kept: they say why a process died.
 */
import type { Readable } from "node:stream";
import type { Log, LogStream } from "./log.ts";

/** As much as Node prints of an error that nobody caught, its first line included. */
const tailLinesMax = 40;
/** A line without an end is cut here, so that a process that prints no newline cannot eat init's memory. */
const lineCharactersMax = 64 * 1024;

export class LogLines {
  readonly #log: Log;
  readonly #source: string;
  readonly #stream: LogStream;
  readonly #tail: string[] = [];

  constructor(log: Log, source: string, stream: LogStream) {
    this.#log = log;
    this.#source = source;
    this.#stream = stream;
  }

  get tail(): readonly string[] {
    return this.#tail;
  }

  read(from: Readable | null): void {
    let rest = "";
    from?.setEncoding("utf8");
    from?.on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > lineCharactersMax) {
        lines.push(rest);
        rest = "";
      }
      this.#print(lines);
      const room = this.#log.room(this.#stream);
      if (room === null) return;
      from.pause();
      void room.then(() => from.resume());
    });
    from?.on("end", () => {
      if (rest !== "") this.#print([rest]);
    });
    from?.on("error", () => {});
  }

  #print(lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.#tail.push(...lines);
    this.#tail.splice(0, this.#tail.length - tailLinesMax);
    this.#log.write(this.#source, this.#stream, lines);
  }
}
