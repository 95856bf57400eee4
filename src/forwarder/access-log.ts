/**
 * The access log: a line of JSON for each request, made by pino and written in blocks, a second later at most (see
 * appended-file.ts). Paths are logged without their query, which may hold secrets.
 */
import { type Logger, pino, stdTimeFunctions } from "pino";
import { AppendedFile } from "./appended-file.ts";

const flushMs = 1_000;

export interface Logged {
  readonly client: string;
  readonly method: string;
  readonly path: string;
  /** What the client was told; 499: it went away before it was told anything. */
  readonly status: number;
  /** Of the answer with its head, as far as they were written. */
  readonly bytes: number;
  readonly ms: number;
  /** The instance that answered; absent if none did. */
  readonly instance?: string;
  /** How many instances were asked before that one. */
  readonly resent?: number;
}

export class AccessLog {
  readonly #logger: Logger;

  /** `path`: `-` for standard output. */
  constructor(path: string, say: (text: string) => void) {
    const file = new AppendedFile(path === "-" ? null : path, "the access log", say);
    this.#logger = pino({ base: null, timestamp: stdTimeFunctions.isoTime }, file);
    setInterval(() => file.tick(), flushMs).unref();
    process.on("exit", () => file.finish());
  }

  request(logged: Logged): void {
    this.#logger.info(logged);
  }

  /** What came was no request, or did not come whole: what it asked for nobody can say. */
  unreadable(client: string, status: number, bytes: number): void {
    this.request({ client, method: "-", path: "-", status, bytes, ms: 0 });
  }
}
