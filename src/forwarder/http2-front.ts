/**
 * HTTP/2 towards clients (RFC 9113), on Node's own module: here are its sessions and their bounds; a stream of
 * theirs is a client like any (http2-stream.ts).
 *
 * A client may ask for much at little cost. Node ends a session that resets streams in a flood (CVE-2023-44487),
 * sends a head without end in CONTINUATION frames (CVE-2024-27316), or leaves too many acknowledgements, invalid
 * frames or refused streams behind; its numbers stand here where ours must fit them.
 */
import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream, type ServerSessionOptions } from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { ClientContext } from "./client.ts";
import { addressLineOf, type ClientFacts } from "./headers.ts";
import { ClientStream, type StreamOrigin } from "./http2-stream.ts";
import { queuedBytes, Taking } from "./taking.ts";

/** What a browser keeps below; more wait at the client. */
const streamsMax = 100;
/** So many resets a client may give at once, and so many a second: a user who leaves a page full of pictures resets some hundreds. */
const streamResetBurst = 1_000;
const streamResetRate = 33;
/** HTTP/2 counts this for each field beside its letters (RFC 9113 §6.5.2). */
const fieldOverheadBytes = 32;
/** Node's bound on fields, which refuses without a word; heads that are too long for us get an answer. */
const fieldsMax = 128;
/** A client that was told that its session ends has so long to close its connection. */
const lingerMs = 2_000;

/** What all streams of one connection have in common. */
class Session implements StreamOrigin {
  readonly session: ServerHttp2Session;
  readonly context: ClientContext;
  readonly facts: ClientFacts;
  readonly addressLine: Buffer;
  readonly #carrier: Socket;
  readonly #taking = new Taking();
  #windowBytes = 0;
  #lookedMs = 0;
  #movedMs = 0;

  constructor(session: ServerHttp2Session, context: ClientContext, facts: ClientFacts, carrier: Socket) {
    this.session = session;
    this.context = context;
    this.facts = facts;
    this.addressLine = addressLineOf(facts);
    this.#carrier = carrier;
  }

  /** When data of any stream was last seen to go out, or the client to ask for more. */
  movedMs(nowMs: number): number {
    if (this.#lookedMs === nowMs) return this.#movedMs;
    this.#lookedMs = nowMs;
    const { remoteWindowSize = 0 } = this.session.state;
    if (remoteWindowSize !== this.#windowBytes) this.#movedMs = nowMs;
    this.#windowBytes = remoteWindowSize;
    return this.#movedMs;
  }

  /** For each sweep: one whose client takes nothing at all is ended. */
  watch(nowMs: number): void {
    const queued = queuedBytes(this.#carrier);
    if (this.#taking.stalledMs(nowMs, queued, 0, queued) < this.context.dispatcher.settings.writeTimeoutMs) return;
    this.context.dispatcher.clientStalled(this.facts.address);
    this.session.destroy();
    this.#carrier.destroy();
  }
}

export class Http2Front {
  readonly #context: ClientContext;
  readonly #options: ServerSessionOptions;
  readonly #sessions = new Set<Session>();
  readonly #streams = new Set<ClientStream>();
  #onEmpty: (() => void) | null = null;

  constructor(context: ClientContext) {
    this.#context = context;
    const { headBytesMax } = context.dispatcher.settings;
    this.#options = {
      settings: { maxConcurrentStreams: streamsMax, maxHeaderListSize: headBytesMax + fieldsMax * fieldOverheadBytes },
      maxHeaderListPairs: fieldsMax,
      streamResetBurst,
      streamResetRate,
    };
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /** Takes a connection that agreed on `h2`. A session without a stream is closed after the idle time. */
  accept(socket: TLSSocket, facts: ClientFacts, carrier: Socket): void {
    const session = performServerHandshake(socket, this.#options);
    const origin = new Session(session, this.#context, facts, carrier);
    this.#sessions.add(origin);
    session.setTimeout(this.#context.dispatcher.settings.idleTimeoutMs, () => session.close());
    session.on("stream", (stream, headers, _flags, raw) => this.#serve(stream, headers[":method"], raw, origin));
    session.on("error", () => {}); // "close" follows
    // Sockets here may be half open, for HTTP/1.1; whoever ends one that carries HTTP/2 has gone.
    socket.on("end", () => session.destroy());
    session.on("close", () => {
      this.#sessions.delete(origin);
      setTimeout(() => socket.destroy(), lingerMs).unref();
      if (this.#sessions.size === 0) this.#onEmpty?.();
    });
  }

  sweep(nowMs: number): void {
    for (const session of this.#sessions) session.watch(nowMs);
    for (const stream of this.#streams) {
      if (stream.deadlineMs !== 0 && stream.deadlineMs <= nowMs) stream.late(nowMs);
      stream.watch(nowMs);
    }
  }

  /** Clients are told to send no more (GOAWAY); what is in process finishes. Resolves when all sessions are closed. */
  finish(): Promise<void> {
    for (const { session } of this.#sessions) session.close();
    return new Promise((resolve) => {
      if (this.#sessions.size === 0) resolve();
      else this.#onEmpty = resolve;
    });
  }

  #serve(stream: ServerHttp2Stream, method: string | undefined, raw: readonly string[], origin: Session): void {
    stream.on("error", () => {}); // "close" follows
    if (stream.destroyed) return;
    const served = new ClientStream(stream, method, !stream.endAfterHeaders, origin);
    this.#streams.add(served);
    stream.on("close", () => {
      this.#streams.delete(served);
      served.closed();
    });
    served.begin(raw);
  }
}
