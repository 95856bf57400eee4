/**
 * The access log: a line of JSON for each request, written by pino in blocks, a second later at most, so that a
 * request does not wait for a disk. A file that was moved away is begun anew (logrotate needs nothing more). Paths
 * are logged without their query, which may hold secrets.
 */
import { statSync } from "node:fs";
import { destination, type Logger, pino, stdTimeFunctions } from "pino";

const flushMs = 1_000;
const blockBytes = 8 * 1024;

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
  readonly #path: string;
  readonly #out: ReturnType<typeof destination>;
  readonly #logger: Logger;
  #file: number | null;

  /** `path`: `-` for standard output. */
  constructor(path: string, say: (text: string) => void) {
    this.#path = path;
    this.#out = destination({ dest: path === "-" ? 1 : path, sync: false, minLength: blockBytes, mkdir: false });
    this.#out.on("error", (error) => say(`the access log cannot be written: ${error.message}`));
    this.#logger = pino({ base: null, timestamp: stdTimeFunctions.isoTime }, this.#out);
    this.#file = fileOf(path);
    setInterval(() => this.#flush(), flushMs).unref();
    process.on("exit", () => this.#flushAtEnd());
  }

  request(logged: Logged): void {
    this.#logger.info(logged);
  }

  /** What came was no request, or did not come whole: what it asked for nobody can say. */
  unreadable(client: string, status: number, bytes: number): void {
    this.request({ client, method: "-", path: "-", status, bytes, ms: 0 });
  }

  #flush(): void {
    this.#out.flush();
    const file = fileOf(this.#path);
    if (this.#path === "-" || file === this.#file) return;
    this.#file = file;
    if (file === null) this.#out.reopen();
  }

  #flushAtEnd(): void {
    try {
      this.#out.flushSync();
    } catch {
      // It was never opened, and was said to be so.
    }
  }
}

function fileOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? null;
}
