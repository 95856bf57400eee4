/**
 * HTTP/2 towards clients (RFC 9113). Each stream becomes an HTTP/1.1 request on a connection inside this process
 * (two ends of a pair of streams), whose other end is served as any client's connection is: all rules of a
 * request (saving, sending again, parking, holding answers) are the same, and written once. Connections of one
 * HTTP/2 session belong to one client and are kept for its next requests.
 */
import { Agent, type ClientRequest, type IncomingMessage, request as sendRequest } from "node:http";
import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { type Duplex, duplexPair } from "node:stream";
import type { TLSSocket } from "node:tls";

/** What a browser keeps below; more wait at the client. */
const streamsMax = 128;
/** RFC 9113 §8.2.2: of one connection only, and forbidden in HTTP/2. */
const connectionOnly: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "te",
  "expect",
]);

/** `connection` carries HTTP/1.1; `from` is the client's own connection, for its address. */
export type ServeInside = (connection: Duplex, from: TLSSocket) => void;

/** What Node's agent calls on connections that it keeps; those inside the process have nothing of these. */
const without = (): void => {};
const likeSocket = { setKeepAlive: without, setNoDelay: without, setTimeout: without, ref: without, unref: without };

/** The connections of one session. */
class InsideAgent extends Agent {
  readonly #connect: () => Duplex;

  constructor(connect: () => Duplex) {
    super({ keepAlive: true, maxFreeSockets: streamsMax });
    this.#connect = connect;
  }

  override createConnection(): Duplex {
    return Object.assign(this.#connect(), likeSocket);
  }
}

export class Http2Front {
  readonly #idleMs: number;
  readonly #serve: ServeInside;
  readonly #server: Http2Server;
  readonly #sessions = new Map<ServerHttp2Session, InsideAgent>();
  #onEmpty: (() => void) | null = null;

  /** A session without a stream is closed after `idleMs`. */
  constructor(idleMs: number, serve: ServeInside) {
    this.#idleMs = idleMs;
    this.#serve = serve;
    this.#server = createServer({ settings: { maxConcurrentStreams: streamsMax } });
    this.#server.on("session", (session) => this.#begin(session));
    this.#server.on("stream", (stream, headers, _flags, raw) => this.#forward(stream, headers, raw));
    this.#server.on("sessionError", () => {}); // the client's fault; its session ends by itself
  }

  /** Takes a connection that agreed on `h2`. */
  accept(socket: TLSSocket): void {
    this.#server.emit("connection", socket);
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /** Clients are told to send no more (GOAWAY); what is in process finishes. Resolves when all sessions are closed. */
  finish(): Promise<void> {
    for (const session of this.#sessions.keys()) session.close();
    return new Promise((resolve) => {
      if (this.#sessions.size === 0) resolve();
      else this.#onEmpty = resolve;
    });
  }

  #begin(session: ServerHttp2Session): void {
    const from = session.socket as TLSSocket; // only such are accepted
    const agent = new InsideAgent(() => {
      const [near, far] = duplexPair();
      this.#serve(far, from);
      return near;
    });
    this.#sessions.set(session, agent);
    session.setTimeout(this.#idleMs, () => session.close());
    session.on("error", () => {}); // "close" follows
    session.on("close", () => {
      this.#sessions.delete(session);
      agent.destroy();
      if (this.#sessions.size === 0) this.#onEmpty?.();
    });
  }

  #forward(stream: ServerHttp2Stream, pseudo: IncomingHttpHeaders, raw: readonly string[]): void {
    stream.on("error", () => {}); // "close" follows
    const session = stream.session as ServerHttp2Session | undefined; // of a server
    const agent = session === undefined ? undefined : this.#sessions.get(session);
    const { ":method": method = "", ":path": path = "", ":authority": authority = "" } = pseudo;
    if (agent === undefined) return stream.close(constants.NGHTTP2_CANCEL);
    if (method === "CONNECT") return stream.respond({ ":status": 501 }, { endStream: true });
    const withBody = !stream.endAfterHeaders;
    let outgoing: ClientRequest;
    try {
      const headers = requestHeaders(raw, authority, withBody) as unknown as NodeJS.Dict<string>; // a flat array goes out as it is
      outgoing = sendRequest({ agent, method, path, headers, setHost: false });
    } catch {
      return stream.respond({ ":status": 400 }, { endStream: true }); // not to be said in HTTP/1.1
    }
    stream.on("close", () => outgoing.destroy());
    outgoing.on("error", () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    outgoing.on("information", ({ statusCode, rawHeaders }) => {
      if (!stream.headersSent && !stream.destroyed && statusCode !== 100)
        say(stream, () => stream.additionalHeaders({ ...answerHeaders(rawHeaders), ":status": statusCode }));
    });
    outgoing.on("response", (answer) => answerWith(stream, answer));
    if (withBody) stream.pipe(outgoing);
    else outgoing.end();
  }
}

function answerWith(stream: ServerHttp2Stream, answer: IncomingMessage): void {
  if (stream.destroyed) return void answer.destroy();
  answer.on("error", () => stream.close(constants.NGHTTP2_INTERNAL_ERROR)); // cut short: the client must see it
  say(stream, () => stream.respond({ ...answerHeaders(answer.rawHeaders), ":status": answer.statusCode }, { waitForTrailers: true }));
  stream.on("wantTrailers", () => say(stream, () => stream.sendTrailers(answerHeaders(answer.rawTrailers))));
  answer.pipe(stream);
}

/** Fields that HTTP/2 forbids and HTTP/1.1 does not are not the client's fault, and not to be passed on. */
function say(stream: ServerHttp2Stream, it: () => void): void {
  try {
    it();
  } catch {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}

/** Name and value in turn. Cookies may come in crumbs and go on in one piece (RFC 9113 §8.2.3). */
function requestHeaders(raw: readonly string[], authority: string, withBody: boolean): string[] {
  const headers: string[] = [];
  const cookies: string[] = [];
  let host = authority;
  let framed = false;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? "";
    const value = raw[at + 1] ?? "";
    if (name.startsWith(":") || connectionOnly.has(name)) continue;
    if (name === "cookie") cookies.push(value);
    else if (name === "host") host ||= value;
    else headers.push(name, value);
    framed ||= name === "content-length";
  }
  if (cookies.length > 0) headers.push("cookie", cookies.join("; "));
  if (withBody && !framed) headers.push("transfer-encoding", "chunked");
  return ["host", host, ...headers];
}

function answerHeaders(raw: readonly string[]): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = {};
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? "").toLowerCase();
    const value = raw[at + 1] ?? "";
    if (connectionOnly.has(name)) continue;
    const known = headers[name];
    headers[name] = known === undefined ? value : [known, value].flat();
  }
  return headers;
}
