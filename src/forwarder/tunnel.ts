/**
 * An upgraded connection (WebSocket and others): after the request's head, bytes both ways as they come,
 * with backpressure and half-close. On a drain a WebSocket is told 1012 (service restart, RFC 6455 §7.4
 * and the IANA registry) and ended, so that its client connects again, elsewhere.
 */
import type { IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import type { ListenerId } from "../model/node.ts";
import { cookieValue } from "../routing/affinity.ts";
import type { Upstream } from "../routing/upstream-table.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { clientHeader, forwardedHeaders, upgradeHeaders } from "./headers.ts";
import { upstreamAddress } from "./upstream-address.ts";

/** An unmasked close frame with status 1012. */
const serviceRestart = Buffer.from([0x88, 0x02, 0x03, 0xf4]);
const unavailable = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\nretry-after: 5\r\n\r\n";

export class Tunnel {
  readonly #dispatcher: Dispatcher;
  readonly #request: IncomingMessage;
  readonly #client: Socket;
  #upstream: Upstream | null = null;
  #server: Socket | null = null;

  constructor(dispatcher: Dispatcher, listener: ListenerId, request: IncomingMessage, client: Socket, head: Buffer) {
    this.#dispatcher = dispatcher;
    this.#request = request;
    this.#client = client;
    client.on("error", () => client.destroy());
    const { cookie } = request.headers;
    const session = cookie === undefined ? null : cookieValue(cookie, dispatcher.table.affinityCookies);
    const upstream = dispatcher.choose(listener, session, []);
    if (upstream === null) client.end(unavailable);
    else this.#open(upstream, listener, head);
  }

  streamsFrom(upstream: Upstream): boolean {
    return this.#upstream === upstream;
  }

  endStream(): void {
    if (this.#request.headers.upgrade?.toLowerCase() === "websocket" && this.#client.writable) this.#client.write(serviceRestart);
    this.#client.end();
    this.#server?.destroy();
  }

  #open(upstream: Upstream, listener: ListenerId, head: Buffer): void {
    const { table, streams } = this.#dispatcher;
    const path = upstream.route.sockets[listener];
    if (path === undefined) return void this.#client.end(unavailable);
    const server = connect({ ...upstreamAddress(path), allowHalfOpen: true });
    this.#upstream = upstream;
    this.#server = server;
    table.begin(upstream, false);
    streams.add(this);
    server.write(this.#head(upstream));
    if (head.length > 0) server.write(head);
    let answered = false;
    server.once("data", () => {
      answered = true;
    });
    this.#client.setTimeout(0);
    this.#client.pipe(server);
    server.pipe(this.#client);
    server.on("error", () => {
      if (answered) this.#client.destroy();
      else this.#client.end(unavailable);
    });
    server.once("close", () => {
      streams.delete(this);
      table.end(upstream, false);
      this.#client.end();
    });
    this.#client.once("close", () => server.destroy());
  }

  #head(upstream: Upstream): string {
    const { method = "GET", url = "/", httpVersion, rawHeaders, socket } = this.#request;
    const first = upstream.route.probed
      ? [clientHeader, `${this.#dispatcher.markOf(upstream.id)} ${socket.remoteAddress ?? "-"} ${socket.remotePort ?? 0}`]
      : forwardedHeaders(this.#request);
    const headers = upgradeHeaders(rawHeaders, first);
    let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
    for (let at = 0; at + 1 < headers.length; at += 2) head += `${headers[at]}: ${headers[at + 1]}\r\n`;
    return `${head}\r\n`;
  }
}
