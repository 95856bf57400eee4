/**
 * Where all goes that nodes and Coppice print: init's own outputs, or the file of a cluster in the background.
 * As text each line is as its process wrote it, with who wrote it in front; as JSON it is one object a line.
 */
import type { Writable } from "node:stream";
import { LogSink } from "./log-sink.ts";

export type LogFormat = "text" | "json";
export type LogStream = "stdout" | "stderr";

export interface LogOptions {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly format: LogFormat;
}

/** One line in format `json`. */
export interface JsonLogLine {
  /** ISO 8601. */
  readonly time: string;
  /** The node, or `coppice`. */
  readonly source: string;
  readonly stream: LogStream;
  /** As it was written, without its end. */
  readonly text: string;
}

export function lineOf(format: LogFormat, line: JsonLogLine): string {
  return format === "text" ? `${line.source} | ${line.text}\n` : `${JSON.stringify(line)}\n`;
}

export class Log {
  readonly #format: LogFormat;
  readonly #sinks: Readonly<Record<LogStream, LogSink>>;

  constructor({ format, stdout, stderr }: LogOptions) {
    this.#format = format;
    const onLost = (lines: number) => this.say(`${lines} lines of the log could not be written: its reader took nothing for a while`);
    this.#sinks = { stdout: new LogSink(stdout, onLost), stderr: new LogSink(stderr, onLost) };
  }

  /** What Coppice itself has to say. */
  say(text: string): void {
    this.write("coppice", "stderr", text.split("\n"));
  }

  write(source: string, stream: LogStream, lines: readonly string[]): void {
    const time = new Date().toISOString();
    const printed = lines.map((text) => lineOf(this.#format, { time, source, stream, text }));
    this.#sinks[stream].write(printed.join(""), lines.length);
  }

  /** Null where more may come; else resolves when it may. */
  room(stream: LogStream): Promise<void> | null {
    return this.#sinks[stream].room;
  }
}
