/**
 * How a connection becomes one that requests are read from, where more comes first than a request: what a load
 * balancer says of its client (PROXY protocol), a TLS handshake, HTTP/2 where the client chose it. All of it must
 * come within the time that a request's head has. Plain connections do not pass through here (public-servers.ts).
 */
import type { Socket } from "node:net";
import type { Server, TLSSocket } from "node:tls";
import { readProxyHeader } from "../wire/proxy-protocol.ts";
import type { Certificates } from "./certificates.ts";
import type { ClientContext } from "./client.ts";
import type { ClientFacts } from "./headers.ts";
import { Http2Front } from "./http2-front.ts";
import type { Idler } from "./idlers.ts";

export interface ArrivalOptions {
  readonly certificates: Certificates;
  readonly context: ClientContext;
  /** From here on requests of HTTP/1.1 are read from it. */
  readonly serve: (socket: TLSSocket, facts: ClientFacts, carrier: Socket) => void;
}

export class Arrivals {
  readonly #context: ClientContext;
  readonly #proxyProtocol: boolean;
  readonly #tls: Server;
  readonly #http2: Http2Front;
  readonly #arriving = new Set<Socket>();
  /** By the addresses and ports of both sides: no other connection has them while this one lives. */
  readonly #known = new Map<string, { readonly socket: Socket; readonly facts: ClientFacts }>();

  constructor(options: ArrivalOptions) {
    const { certificates, context, serve } = options;
    const { headTimeoutMs, proxyProtocol } = context.dispatcher.settings;
    this.#context = context;
    this.#proxyProtocol = proxyProtocol;
    this.#http2 = new Http2Front(context);
    this.#tls = certificates.createServer(headTimeoutMs);
    this.#tls.on("secureConnection", (socket) => {
      socket.on("error", () => socket.destroy());
      const known = this.#known.get(keyOf(socket));
      if (known === undefined) return void socket.destroy(); // its connection has closed meanwhile
      this.#arriving.delete(known.socket);
      if (socket.alpnProtocol === "h2") return this.#http2.accept(socket, known.facts, known.socket);
      // Who closes its side while it shakes hands, or with HTTP/2, has gone.
      socket.allowHalfOpen = true;
      serve(socket, known.facts, known.socket);
    });
    this.#tls.on("tlsClientError", (_error, socket) => socket.destroy());
  }

  /** Connections that carry no request yet, and those of HTTP/2. */
  get size(): number {
    return this.#arriving.size + this.#http2.connections.size;
  }

  get http2Connections(): ReadonlySet<Idler> {
    return this.#http2.connections;
  }

  take(socket: Socket): void {
    const { remoteAddress = "-", remotePort = 0 } = socket;
    const key = keyOf(socket);
    this.#arriving.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#arriving.delete(socket);
      this.#known.delete(key);
    });
    const handshake = (client: { readonly address: string; readonly port: number }) => {
      this.#known.set(key, { socket, facts: { ...client, encrypted: true } });
      this.#tls.emit("connection", socket);
    };
    if (this.#proxyProtocol) readAnnounced(socket, this.#context.dispatcher.settings.headTimeoutMs, handshake);
    else handshake({ address: remoteAddress, port: remotePort });
  }

  sweep(nowMs: number): void {
    this.#http2.sweep(nowMs);
  }

  /** Resolves when none is left. */
  finish(): Promise<void> {
    for (const socket of this.#arriving) socket.destroy();
    return this.#http2.finish();
  }
}

/** A client may use one port towards several addresses of ours. */
function keyOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

/** Takes the balancer's header off a connection's beginning; what is none ends the connection. */
function readAnnounced(
  socket: Socket,
  timeoutMs: number,
  then: (client: { readonly address: string; readonly port: number }) => void,
): void {
  const announcement = new Announcement(socket, timeoutMs);
  const read = (chunk: Buffer) => {
    const rest = announcement.read(chunk);
    if (rest === null) return;
    socket.off("data", read);
    socket.pause();
    if (rest.length > 0) socket.unshift(rest);
    then(announcement.client);
  };
  socket.on("data", read);
}

/** The PROXY header of one connection, in as many parts as it comes. */
export class Announcement {
  readonly #socket: Socket;
  readonly #late: NodeJS.Timeout;
  readonly #giveUp: () => void;
  #bytes: Buffer = Buffer.alloc(0);
  /** Who it is that the balancer speaks for; the connection's other side until then. */
  client: { readonly address: string; readonly port: number };

  /** It must be there within `timeoutMs`. */
  constructor(socket: Socket, timeoutMs: number) {
    this.#socket = socket;
    this.#giveUp = () => socket.destroy();
    this.#late = setTimeout(this.#giveUp, timeoutMs);
    socket.on("error", this.#giveUp);
    socket.on("end", this.#giveUp);
    socket.on("close", () => clearTimeout(this.#late));
    this.client = { address: socket.remoteAddress ?? "-", port: socket.remotePort ?? 0 };
  }

  /** What follows the header, once it is whole; null before. */
  read(chunk: Buffer): Buffer | null {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const header = readProxyHeader(this.#bytes);
    if (header === "malformed") this.#socket.destroy();
    if (typeof header === "string") return null;
    clearTimeout(this.#late);
    // A client that closes its side behind its request is still to get the answer.
    this.#socket.off("end", this.#giveUp);
    this.client = header.client ?? this.client;
    return this.#bytes.subarray(header.length);
  }
}
