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
/** Of the last lines: a bundle is one line of megabytes, and Node prints the line of the error. */
const tailCharactersMax = 1_000;

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
    /** What comes next goes on with a line that was cut. */
    let goesOn = false;
    const print = (lines: readonly string[]) => {
      this.#print(lines);
      this.#keep(goesOn ? lines.slice(1) : lines);
    };
    from?.setEncoding("utf8");
    from?.on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      const isCut = rest.length > lineCharactersMax;
      if (isCut) {
        lines.push(rest);
        rest = "";
      }
      print(lines);
      if (lines.length > 0) goesOn = isCut;
      const room = this.#log.room(this.#stream);
      if (room === null) return;
      from.pause();
      void room.then(() => from.resume());
    });
    from?.on("end", () => {
      if (rest !== "") print([rest]);
    });
    from?.on("error", () => {});
  }

  #print(lines: readonly string[]): void {
    if (lines.length > 0) this.#log.write(this.#source, this.#stream, lines);
  }

  #keep(lines: readonly string[]): void {
    const last = lines.slice(-tailLinesMax);
    this.#tail.push(...last.map((line) => (line.length > tailCharactersMax ? `${line.slice(0, tailCharactersMax)}…` : line)));
    this.#tail.splice(0, this.#tail.length - tailLinesMax);
  }
}
