/** HTTP/2 towards clients: the connections of one listener that agreed on it, and their turns and deadlines. */
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { RequestText } from "../wire/http2-request.ts";
import type { ClientContext } from "./client.ts";
import type { ClientFacts } from "./headers.ts";
import { Http2Connection, type Http2Shared } from "./http2-connection.ts";

export class Http2Front implements Http2Shared {
  readonly context: ClientContext;
  readonly text: RequestText;
  readonly textBytes: Buffer;
  readonly connections = new Set<Http2Connection>();
  #touched: Http2Connection[] = [];
  #onEmpty: (() => void) | null = null;

  constructor(context: ClientContext) {
    const { headBytesMax } = context.dispatcher.settings;
    this.context = context;
    this.textBytes = Buffer.allocUnsafeSlow(RequestText.bytesNeeded(headBytesMax));
    this.text = new RequestText(this.textBytes, headBytesMax, () => Buffer.from(randomBytes(16).toString("base64")));
  }

  /** Takes a connection that agreed on `h2`. */
  accept(socket: Socket, facts: ClientFacts, carrier: Socket): void {
    const connection = new Http2Connection(socket, facts, carrier, this);
    this.connections.add(connection);
    socket.on("data", (bytes: Buffer) => connection.received(bytes));
    // Sockets here may be half open, for HTTP/1.1; whoever ends one that carries HTTP/2 has gone.
    socket.on("end", () => socket.destroy());
    socket.on("close", () => {
      connection.closed();
      this.connections.delete(connection);
      if (this.connections.size === 0) this.#onEmpty?.();
    });
  }

  /** What several streams write in one turn of the event loop leaves in one write. */
  touch(connection: Http2Connection): void {
    if (connection.touched) return;
    connection.touched = true;
    if (this.#touched.push(connection) === 1) setImmediate(() => this.#turn());
  }

  sweep(nowMs: number): void {
    for (const connection of this.connections) connection.watch(nowMs);
  }

  /** Clients are told to send no more (GOAWAY); what is in process finishes. Resolves when all connections are closed. */
  finish(): Promise<void> {
    for (const connection of this.connections) connection.finish();
    return new Promise((resolve) => {
      if (this.connections.size === 0) resolve();
      else this.#onEmpty = resolve;
    });
  }

  #turn(): void {
    const touched = this.#touched;
    this.#touched = [];
    for (const connection of touched) {
      connection.touched = false;
      connection.turn();
    }
  }
}
