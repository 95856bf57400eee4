/**
 * The servers towards clients, one for each listening socket that init hands over. They accept, bound and
 * watch the deadlines; what happens to a request is the exchange's business.
 *
 * Node's own server cannot read into memory of ours, so connections are accepted from the handle itself,
 * as `net.Server` does, and given to sockets that can (`onread`): all clients' requests are read into one
 * block, out of which whatever must outlive the read is copied.
 */
import { Socket, type SocketConstructorOpts } from "node:net";
import { getSystemErrorName } from "node:util";
import type { ListenerId } from "../model/node.ts";
import { ClientConnection, type ClientContext } from "./client-connection.ts";
import type { Dispatcher } from "./dispatcher.ts";

const backlog = 511;
const readBytes = 64 * 1024;
/** How exact deadlines are. */
const sweepMs = 250;

/** A listening TCP handle of Node's, opaque but for these. */
interface ListeningHandle {
  onconnection: (status: number, accepted: AcceptedHandle) => void;
  listen(backlog: number): number;
  close(): void;
}

interface AcceptedHandle {
  close(): void;
}

export class PublicServers {
  readonly #dispatcher: Dispatcher;
  readonly #handles = new Map<ListenerId, ListeningHandle>();
  readonly #contexts: { -readonly [K in keyof ClientContext]: ClientContext[K] }[] = [];
  readonly #connections = new Set<ClientConnection>();
  readonly #readBlock = Buffer.allocUnsafeSlow(readBytes);
  #onEmpty: (() => void) | null = null;

  constructor(dispatcher: Dispatcher) {
    this.#dispatcher = dispatcher;
    setInterval(() => this.#sweep(performance.now()), sweepMs).unref();
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Accepts on a socket that init holds. */
  listen(id: ListenerId, given: object, onError: (error: NodeJS.ErrnoException) => void): void {
    if (this.#handles.has(id)) return;
    const handle = given as ListeningHandle; // what Node's channel gives for a TCP handle
    const context = { dispatcher: this.#dispatcher, listener: id, nowMs: performance.now(), finishing: false };
    this.#contexts.push(context);
    this.#handles.set(id, handle);
    handle.onconnection = (status, accepted) => {
      if (status === 0) this.#accept(accepted, context);
    };
    const status = handle.listen(backlog);
    if (status !== 0) onError(Object.assign(new Error(`listen ${getSystemErrorName(status)}`), { code: getSystemErrorName(status) }));
  }

  /** No new connections; those that are there end with their answers. Resolves when all have. */
  async finish(): Promise<void> {
    for (const handle of this.#handles.values()) handle.close();
    for (const context of this.#contexts) context.finishing = true;
    for (const connection of this.#connections) if (connection.idle) connection.end();
    if (this.#connections.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  #accept(accepted: AcceptedHandle, context: ClientContext): void {
    if (this.#connections.size >= this.#dispatcher.settings.connectionsMax) return accepted.close();
    let connection: ClientConnection | null = null;
    const options = {
      handle: accepted, // as net.Server passes it; not in Node's type declarations
      allowHalfOpen: true,
      onread: {
        buffer: this.#readBlock,
        callback: (length: number, block: Buffer) => {
          connection?.received(block, length);
          return true;
        },
      },
    };
    const socket = new Socket(options as unknown as SocketConstructorOpts); // see above
    socket.setNoDelay(true);
    const { remoteAddress = "-", remotePort = 0 } = socket;
    connection = this.#add(socket, new ClientConnection(socket, { address: remoteAddress, port: remotePort, encrypted: false }, context));
  }

  #add(socket: Socket, connection: ClientConnection): ClientConnection {
    this.#connections.add(connection);
    socket.on("end", () => connection.ended());
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#connections.delete(connection);
      connection.closed();
      if (this.#connections.size === 0) this.#onEmpty?.();
    });
    return connection;
  }

  #sweep(nowMs: number): void {
    for (const context of this.#contexts) context.nowMs = nowMs;
    for (const connection of this.#connections) {
      if (connection.deadlineMs !== 0 && connection.deadlineMs <= nowMs) connection.late(nowMs);
    }
    this.#dispatcher.sweep(nowMs);
  }
}
