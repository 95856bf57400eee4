/**
 * The cluster's health for an orchestrator, on an address of its own: `/live` and `/ready`. Init answers, so
 * that it holds whoever of the others is away: what init cannot know (which instances take requests) the
 * monitor tells it, and without a monitor the last word stands, less the instances that have ended since.
 * No request waits here for anything, and none keeps a connection.
 */
import type { Server } from "node:http";
import type { ListenAddress } from "../model/node.ts";

// Imported as a module, node:http brings 12 MiB of fetch and WebSocket along; asked for like this it does not.
const { createServer } = process.getBuiltinModule("node:http");

const connectionsMax = 64;
const requestTimeoutMs = 2_000;

export interface Health {
  /** Whether starting Coppice anew would be better than leaving it be. */
  readonly live: boolean;
  /** Whether requests are served: sent here, they need not wait. */
  readonly ready: boolean;
  /** In a few words, for whoever reads it. */
  readonly text: string;
}

export class HealthServer {
  readonly #server: Server;

  constructor(health: () => Health) {
    this.#server = createServer({ headersTimeout: requestTimeoutMs, requestTimeout: requestTimeoutMs }, (request, response) => {
      const { live, ready, text } = health();
      const path = request.url?.split("?")[0];
      const good = path === "/live" ? live : path === "/ready" ? ready : null;
      response.setHeader("Connection", "close");
      response.setHeader("Content-Type", "text/plain");
      response.statusCode = good === null ? 404 : good ? 200 : 503;
      response.end(good === null ? "there are /live and /ready\n" : `${text}\n`);
    });
    this.#server.maxConnections = connectionsMax;
  }

  /** Rejects with the system's error if the address cannot be had. */
  listen(at: ListenAddress): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ port: at.port, ...(at.address === null ? {} : { host: at.address }) }, resolve);
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
