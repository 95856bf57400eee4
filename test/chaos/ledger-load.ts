/**
 * Clients on plain sockets, as cheap as they can be: on each connection one request after the other, a third of
 * them POSTs with an id that is used once. Each knows what its answer must be.
 */
import { connect, type Socket } from "node:net";
import { endAfterTest } from "../left-open.ts";

/** Sizes of what GETs ask for, in turn. */
const sizes = [0, 200, 4_000, 65_536];

export interface Failure {
  readonly method: "GET" | "POST";
  readonly id: string;
  readonly what: string;
}

export class LedgerLoad {
  requests = 0;
  readonly answeredIds: string[] = [];
  readonly failures: Failure[] = [];
  /** Milliseconds, of every request. */
  readonly latenciesMs: number[] = [];
  readonly #port: number;
  readonly #clients: Promise<void>[];
  #running = true;

  constructor(port: number, clients: number) {
    this.#port = port;
    endAfterTest(() => (this.#running = false));
    this.#clients = Array.from({ length: clients }, (_, index) => this.#client(index));
  }

  async end(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#clients);
  }

  async #client(index: number): Promise<void> {
    let connection = new Connection(this.#port);
    for (let turn = 0; this.#running; turn += 1) {
      const posting = (index + turn) % 3 === 0;
      const id = `${index}.${turn}`;
      const size = sizes[turn % sizes.length] ?? 0;
      const beganMs = performance.now();
      const answer = await connection.ask(
        posting ? `POST /post/${id} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody` : `GET /get/${size} HTTP/1.1\r\nHost: x\r\n\r\n`,
      );
      this.latenciesMs.push(performance.now() - beganMs);
      this.requests += 1;
      const right = answer !== null && answer.status === 200 && (posting ? answer.body === id : answer.body.length === size);
      if (right && posting) this.answeredIds.push(id);
      if (!right)
        this.failures.push({
          method: posting ? "POST" : "GET",
          id,
          what: answer === null ? "cut" : `${answer.status} ${answer.body.slice(0, 60)}`,
        });
      if (answer === null) connection = new Connection(this.#port);
    }
    connection.close();
  }
}

/** One keep-alive connection; answers must have a length. */
class Connection {
  readonly #socket: Socket;
  #heard = "";
  #need = -1;
  #done: ((answer: { status: number; body: string } | null) => void) | null = null;

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1").setNoDelay(true).setEncoding("latin1");
    this.#socket.on("data", (text: string) => {
      this.#heard += text;
      this.#look();
    });
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => this.#finish(null));
  }

  /** Null: the connection ended before the answer was whole. */
  ask(request: string): Promise<{ status: number; body: string } | null> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed) return resolve(null);
      this.#done = resolve;
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #look(): void {
    if (this.#need < 0) {
      const end = this.#heard.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = /\r\ncontent-length: *(\d+)/i.exec(this.#heard.slice(0, end))?.[1];
      this.#need = end + 4 + Number(length);
    }
    if (this.#heard.length < this.#need) return;
    const status = Number(this.#heard.slice(9, 12));
    const body = this.#heard.slice(this.#heard.indexOf("\r\n\r\n") + 4, this.#need);
    this.#heard = this.#heard.slice(this.#need);
    this.#need = -1;
    this.#finish({ status, body });
  }

  #finish(answer: { status: number; body: string } | null): void {
    const done = this.#done;
    this.#done = null;
    done?.(answer);
  }
}
