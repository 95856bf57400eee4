/**
 * An upgraded connection (WebSocket and others): after the server's 101, bytes both ways as they come,
 * with backpressure and half-close. On a drain a WebSocket is told 1012 (service restart, RFC 6455 §7.4
 * and the IANA registry), between two frames of the server's, so that its client connects again, elsewhere.
 * From then on nothing of the server's goes out; what the client says still arrives, up to its own close frame,
 * and the server ends the connection as after any goodbye, or we do.
 */
import type { Upstream } from "../routing/upstream-table.ts";
import { WebSocketFrames } from "../wire/websocket-frames.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Stream } from "./streams.ts";
import type { Flushing, UpstreamConnection, UpstreamUser } from "./upstream-connection.ts";

/** An unmasked close frame with status 1012. */
const serviceRestart = Buffer.from([0x88, 0x02, 0x03, 0xf4]);
/** How long both sides may take to say goodbye. */
const goodbyeMsMax = 2_000;

export interface TunnelOptions {
  readonly dispatcher: Dispatcher;
  readonly upstream: Upstream;
  readonly server: UpstreamConnection;
  /** As the request was counted. */
  readonly unsafe: boolean;
  readonly isWebSocket: boolean;
}

/** A connection of HTTP/1.1, or a stream of HTTP/2. */
export interface TunnelClient extends Flushing {
  /** It says nothing more. */
  readonly hasEnded: boolean;
  write(bytes: Buffer): boolean;
  pause(): void;
  resume(): void;
  /** Nothing more is said to it; what comes from it still counts. */
  endWriting(): void;
  /** Both sides are over. */
  end(): void;
  destroy(): void;
}

export class Tunnel implements UpstreamUser, Stream {
  readonly #options: TunnelOptions;
  readonly #client: TunnelClient;
  readonly #server: UpstreamConnection;
  /** The server's; null where it speaks something else. */
  readonly #frames: WebSocketFrames | null;
  #ending: "no" | "after this frame" | "told" = "no";
  #late: NodeJS.Timeout | null = null;
  #serverEnded = false;
  #closed = false;

  /** Takes over two connections; the request stays in process until one of them closes. */
  constructor(client: TunnelClient, options: TunnelOptions) {
    this.#options = options;
    this.#client = client;
    this.#server = options.server;
    this.#frames = options.isWebSocket ? new WebSocketFrames() : null;
    options.server.user = this;
    options.dispatcher.streams.add(this, options.upstream);
  }

  streamsFrom(upstream: Upstream): boolean {
    return this.#options.upstream === upstream;
  }

  endStream(): void {
    if (this.#ending !== "no") return;
    if (this.#frames === null) this.#close();
    else if (this.#frames.between) this.#sayGoodbye(this.#frames);
    else this.#ending = "after this frame";
  }

  fromClient(bytes: Buffer, length: number): void {
    // A copy: the client's bytes lie in a block that all clients share.
    if (this.#server.write(Buffer.from(bytes.subarray(0, length)))) return;
    this.#client.pause();
    this.#server.afterFlush(() => this.#client.resume());
  }

  clientEnded(): void {
    if (this.#serverEnded) return this.#close();
    this.#server.endWriting();
    this.#awaitOtherEnd();
  }

  clientClosed(): void {
    this.#close();
  }

  upstreamRead(): void {
    const server = this.#server;
    const { block, from } = server;
    const end = this.#passable(server);
    const flushed = end === from || this.#client.write(block.subarray(from, end));
    server.taken();
    if (!flushed) server.holdUntilFlushed(this.#client);
    if (this.#ending === "after this frame" && this.#frames?.between === true) this.#sayGoodbye(this.#frames);
  }

  upstreamEnded(error: NodeJS.ErrnoException | null): void {
    this.#serverEnded = true;
    if (this.#ending === "told") return this.#close();
    const broken = error !== null && !this.#server.heardOut;
    if (broken) this.#client.destroy();
    else this.#client.endWriting();
    // The client may have more to say; its own end, or the close of the server's connection, ends the tunnel.
    if (broken || this.#server.destroyed || this.#client.hasEnded) return this.#close();
    this.#server.onceClosed(() => this.#close());
    this.#awaitOtherEnd();
  }

  /** WebSockets know no half-closed connection: one that the other side does not end would stay for ever. */
  #awaitOtherEnd(): void {
    if (this.#frames !== null) this.#closeWithin(goodbyeMsMax);
  }

  /** How far what was read goes on to the client. The first read begins with the head of the 101. */
  #passable({ block, from, scanned, to }: UpstreamConnection): number {
    if (this.#ending === "told") return from;
    const frames = this.#frames;
    if (frames === null) return to;
    for (let at = scanned; at < to; ) {
      at = frames.read(block, at, to);
      if (this.#ending === "after this frame" && frames.between) return at;
    }
    return to;
  }

  #sayGoodbye(frames: WebSocketFrames): void {
    this.#ending = "told";
    if (!frames.closed) this.#client.write(serviceRestart);
    const { drainTimeoutMs } = this.#options.dispatcher.settings;
    this.#closeWithin(Math.min(goodbyeMsMax, drainTimeoutMs / 4));
  }

  #closeWithin(ms: number): void {
    if (this.#late !== null) clearTimeout(this.#late);
    this.#late = setTimeout(() => this.#close(), ms);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#late !== null) clearTimeout(this.#late);
    this.#server.user = null;
    this.#server.destroy();
    const { dispatcher, upstream, unsafe } = this.#options;
    dispatcher.streams.delete(this);
    dispatcher.end(upstream, unsafe);
    this.#client.end();
  }
}
