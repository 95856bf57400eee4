/**
 * An upgraded connection (WebSocket and others): after the server's 101, bytes both ways as they come,
 * with backpressure and half-close. On a drain a WebSocket is told 1012 (service restart, RFC 6455 §7.4
 * and the IANA registry) and ended, so that its client connects again, elsewhere.
 */
import type { Upstream } from "../routing/upstream-table.ts";
import type { ClientConnection } from "./client-connection.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { UpstreamConnection, UpstreamUser } from "./upstream-connection.ts";

/** An unmasked close frame with status 1012. */
const serviceRestart = Buffer.from([0x88, 0x02, 0x03, 0xf4]);

export interface TunnelOptions {
  readonly dispatcher: Dispatcher;
  readonly upstream: Upstream;
  readonly server: UpstreamConnection;
  /** As the request was counted. */
  readonly unsafe: boolean;
  readonly isWebSocket: boolean;
}

export class Tunnel implements UpstreamUser {
  readonly #options: TunnelOptions;
  readonly #client: ClientConnection;
  readonly #server: UpstreamConnection;
  #serverEnded = false;
  #closed = false;

  /** Takes over two connections; the request stays in process until one of them closes. */
  constructor(client: ClientConnection, options: TunnelOptions) {
    this.#options = options;
    this.#client = client;
    this.#server = options.server;
    options.server.user = this;
    options.dispatcher.streams.add(this);
  }

  streamsFrom(upstream: Upstream): boolean {
    return this.#options.upstream === upstream;
  }

  endStream(): void {
    if (this.#options.isWebSocket) this.#client.write(serviceRestart);
    this.#client.end();
    this.#close();
  }

  fromClient(bytes: Buffer, length: number): void {
    // A copy: the client's bytes lie in a block that all clients share.
    if (this.#server.write(Buffer.from(bytes.subarray(0, length)))) return;
    this.#client.pause();
    this.#server.afterFlush(() => this.#client.resume());
  }

  clientEnded(): void {
    if (this.#serverEnded) this.#close();
    else this.#server.endWriting();
  }

  clientClosed(): void {
    this.#close();
  }

  upstreamRead(): void {
    const server = this.#server;
    const flushed = this.#client.write(server.block.subarray(server.from, server.to));
    server.taken();
    if (!flushed) server.holdUntilFlushed(this.#client);
  }

  upstreamEnded(error: NodeJS.ErrnoException | null): void {
    this.#serverEnded = true;
    if (error !== null) this.#client.destroy();
    else this.#client.endWriting();
    // The client may have more to say; its own end, or the close of the server's connection, ends the tunnel.
    if (error !== null || this.#server.destroyed || this.#client.hasEnded) this.#close();
    else this.#server.onceClosed(() => this.#close());
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#server.user = null;
    this.#server.destroy();
    const { dispatcher, upstream, unsafe } = this.#options;
    dispatcher.streams.delete(this);
    dispatcher.end(upstream, unsafe);
    this.#client.end();
  }
}
