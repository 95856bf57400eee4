/**
 * The servers towards clients, one for each listening socket that init hands over. They accept, frame and
 * bound; what happens to a request is the exchange's business.
 */
import { createServer, type Server } from "node:http";
import type { ListenerId } from "../model/node.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { Exchange } from "./exchange.ts";
import { Tunnel } from "./tunnel.ts";

/** A client that has not sent its request's head by then is not going to. */
const headersTimeoutMs = 60_000;
/** Longer than the common load balancers' idle time, so that they end idle connections first. */
const keepAliveMs = 75_000;

/** While finishing: how soon after its last answer a connection is ended. */
const idleSweepMs = 20;

export class PublicServers {
  readonly #dispatcher: Dispatcher;
  readonly #servers = new Map<ListenerId, Server>();
  #finishing = false;

  constructor(dispatcher: Dispatcher) {
    this.#dispatcher = dispatcher;
  }

  get connections(): number {
    return [...this.#connectionCounts.values()].reduce((sum, count) => sum + count, 0);
  }

  readonly #connectionCounts = new Map<ListenerId, number>();

  /** Accepts on a socket that init holds. */
  listen(id: ListenerId, handle: object, onError: (error: NodeJS.ErrnoException) => void): void {
    if (this.#servers.has(id)) return;
    const server = createServer(
      { headersTimeout: headersTimeoutMs, requestTimeout: 0, keepAliveTimeout: keepAliveMs, highWaterMark: 64 * 1024 },
      (request, response) => {
        if (this.#finishing) response.shouldKeepAlive = false;
        new Exchange(this.#dispatcher, id, request, response);
      },
    );
    server.on("upgrade", (request, socket, head: Buffer) => {
      new Tunnel(this.#dispatcher, id, request, socket as import("node:net").Socket, head); // a plain HTTP server's sockets
    });
    server.on("connection", (socket) => {
      this.#connectionCounts.set(id, (this.#connectionCounts.get(id) ?? 0) + 1);
      socket.on("close", () => this.#connectionCounts.set(id, (this.#connectionCounts.get(id) ?? 1) - 1));
    });
    server.on("error", onError);
    this.#servers.set(id, server);
    server.listen(handle);
  }

  /** No new connections; those that are there end with their answers. Resolves when all have. */
  async finish(): Promise<void> {
    this.#finishing = true;
    const servers = [...this.#servers.values()];
    const sweep = setInterval(() => {
      for (const server of servers) server.closeIdleConnections();
    }, idleSweepMs);
    await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
    clearInterval(sweep);
  }
}
