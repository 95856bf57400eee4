/**
 * A stream of HTTP/2 as an exchange's client: the request's fields and data become the bytes that an HTTP/1.1 client would have
 * sent, and what is written for such a client becomes the answer's frames. So the rules of a request (saving,
 * sending again, parking, holding answers) are the very same code.
 */
import { BodyReader } from "../wire/body.ts";
import { framing, whole } from "../wire/head.ts";
import { errorCode } from "../wire/http2.ts";
import type { RequestText } from "../wire/http2-request.ts";
import { RequestHead } from "../wire/request-head.ts";
import type { Client, ClientContext, Pinned } from "./client.ts";
import { Exchange } from "./exchange.ts";
import type { ClientFacts } from "./headers.ts";
import { Http2Answer } from "./http2-answer.ts";
import { AnswerBody, type SharedOutput } from "./http2-answer-body.ts";
import { Upload, type UploadTaker } from "./http2-upload.ts";
import { refusalOf, written } from "./refusals.ts";
import { Taking } from "./taking.ts";
import { Tunnel, type TunnelClient, type TunnelOptions } from "./tunnel.ts";

/** A stream may wait for so many times as long as its connection may. */
const turnsMax = 10;
const nothing = Buffer.alloc(0);

/** What all streams of one connection have in common. */
export interface StreamOrigin extends SharedOutput {
  readonly context: ClientContext;
  readonly facts: ClientFacts;
  readonly addressLine: Buffer;
  /** A client's window for a new stream. */
  readonly initialWindowBytes: number;
  /** When data of any stream last went out, or the client asked for more. */
  readonly movedMs: number;
  /** Since when the client may send at all; infinite while what came of its streams waits to be taken, and leaves it no room. */
  readonly maySendSinceMs: number;
  /** Something was put into the output. */
  touch(): void;
  /** So much of what came was taken. */
  taken(bytes: number): void;
  /** Its client broke the protocol on it: that counts as a reset. */
  streamBroken(): void;
  /** It is over; `reset`: by us, and more of it may still come. */
  streamOver(stream: ClientStream, reset: boolean): void;
}

/** One serves all: it keeps nothing from one call to the next. */
const requestHead = new RequestHead();
const noBody = new BodyReader();

export class ClientStream implements Client, TunnelClient, UploadTaker {
  readonly id: number;
  readonly body: BodyReader;
  /** Of what is awaited from the client; zero: none. */
  deadlineMs = 0;
  bytesWritten = 0;
  /** The client has ended its side: no body, or its last frame came. */
  ended: boolean;
  readonly answer: AnswerBody;
  readonly upload: Upload | null;
  /** For a WebSocket: what follows the request's head is said to whom the server becomes then, and is no body. */
  readonly asksByConnect: boolean;
  readonly hearsOfConnection = false;
  readonly pinnedTo = null;
  readonly #origin: StreamOrigin;
  readonly #written: Http2Answer;
  #tunnel: Tunnel | null = null;
  #exchange: Exchange | null = null;
  #started = false;
  /** The request's body goes on in chunks: nobody said its length. */
  #chunked = false;
  #requestTrailers: Buffer = nothing;
  /** Once the answer is out: what still comes of the request nobody reads. */
  #resets = false;
  #gone = false;
  readonly #taking = new Taking();

  /** `goesOn`: more than the head comes. */
  constructor(id: number, goesOn: boolean, { isHead, asksWebSocket }: RequestText, origin: StreamOrigin) {
    const hasBody = goesOn && !asksWebSocket;
    this.id = id;
    this.body = hasBody ? new BodyReader() : noBody;
    this.body.done = !hasBody;
    this.ended = !goesOn;
    this.upload = goesOn ? new Upload(this) : null;
    if (asksWebSocket) this.upload?.pause();
    this.answer = new AnswerBody(id, origin.initialWindowBytes, origin, () => this.#settle());
    this.#origin = origin;
    this.#written = new Http2Answer(this.answer, origin.output, isHead);
    this.asksByConnect = asksWebSocket;
  }

  /** Nothing more may come of it: its last frame was read, whether or not that was told. */
  get takesNoMore(): boolean {
    return this.ended || this.upload === null || this.upload.ending;
  }

  get facts(): ClientFacts {
    return this.#origin.facts;
  }

  get addressLine(): Buffer {
    return this.#origin.addressLine;
  }

  get finishing(): boolean {
    return this.#origin.context.finishing;
  }

  /** Heads wait for no window: what of them nobody takes shows in the output. */
  get flushed(): boolean {
    return this.answer.flushed && !this.#origin.output.isClogged;
  }

  /** The stream's head has come, in `source`. */
  begin({ ambiguous, overlong, hasLength, end }: RequestText, source: Buffer): void {
    const hasBody = !this.ended && !this.asksByConnect;
    const { dispatcher, listener } = this.#origin.context;
    if (overlong) return this.#refuse(431);
    if (ambiguous) return this.#refuse(400);
    this.#chunked = hasBody && !hasLength;
    const verdict = requestHead.read(source, 0, end);
    if (verdict !== whole || requestHead.end !== end) return this.#refuse(verdict > whole ? verdict : 400);
    if (this.asksByConnect && !requestHead.upgrades) return this.#refuse(400);
    if (!hasBody && requestHead.framing !== framing.none) return this.#break(errorCode.protocol);
    // A connection of HTTP/2 is no client's place at a server: who must have one asks again, in HTTP/1.1 (RFC 9113 §7), as browsers do.
    if (requestHead.authorizesInSteps) return this.#break(errorCode.http11Required);
    if (hasBody) this.body.begin(requestHead.framing, requestHead.contentLength);
    this.#exchange = new Exchange(dispatcher, listener, this, requestHead, source);
    if (hasBody) this.awaitBody();
  }

  /** What of the request came along with its head was read. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#exchange?.start();
  }

  /** Lines that follow the body; null: they are more than can be passed on. */
  trailersCame(lines: Buffer | null): void {
    if (this.asksByConnect) return this.#break(errorCode.protocol);
    if (lines === null) {
      this.ended = true;
      this.#refuseBody();
      return this.#settle();
    }
    this.#requestTrailers = lines;
    this.upload?.came(nothing, 0, 0, 0, true);
  }

  /** The client reset the stream, or its connection is no more. */
  closed(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.deadlineMs = 0;
    const exchange = this.#exchange;
    // From here on nobody hears of an end that may still lie behind what is dropped: half a request is no whole one.
    this.#exchange = null;
    const tunnel = this.#tunnel;
    this.#tunnel = null;
    this.answer.drop();
    this.upload?.drop();
    exchange?.clientClosed();
    tunnel?.clientClosed();
  }

  /** The deadline of whatever is awaited has passed. */
  late(): void {
    this.deadlineMs = 0;
    // An answer that is taken slowly is no silence: see `watch`.
    if (this.#exchange === null && !this.answer.ended) this.deadlineMs = this.#bodyDeadlineMs;
    else if (this.#exchange === null) this.reset(errorCode.none);
    else if (this.#isExcused && !this.#exchange.answered) this.awaitBody();
    else this.#exchange.bodyLate();
  }

  /** Its body was not taken, or could not be sent for want of room: its client is not to blame. */
  get #isExcused(): boolean {
    const { context, maySendSinceMs } = this.#origin;
    return this.upload?.paused === true || context.nowMs < maySendSinceMs + context.dispatcher.settings.bodyTimeoutMs;
  }

  /**
   * For each sweep: a stream whose client takes nothing of it is reset. One that waits while others of its connection
   * move may only have its turn late, for the connection is slow; it has longer. True: it was reset.
   */
  watch(nowMs: number): boolean {
    const stalledMs = this.#taking.stalledMs(nowMs, this.answer.waitingBytes, this.answer.leftBytes, 0);
    const { writeTimeoutMs } = this.#origin.context.dispatcher.settings;
    if (stalledMs < writeTimeoutMs) return false;
    if (nowMs - this.#origin.movedMs < writeTimeoutMs && stalledMs < turnsMax * writeTimeoutMs) return false;
    this.reset(errorCode.cancel);
    return true;
  }

  write(bytes: Buffer): boolean {
    this.bytesWritten += bytes.length;
    if (this.#gone) return true;
    this.#written.write(bytes);
    this.#origin.touch();
    return this.flushed;
  }

  afterFlush(then: () => void): void {
    this.answer.afterFlush(then);
  }

  pause(): void {
    this.upload?.pause();
  }

  resume(): void {
    this.upload?.resume();
  }

  /** A client that waits to be told to go on is not late, however long the server takes. */
  awaitBody(): void {
    this.deadlineMs = this.body.done || this.#exchange?.awaitsContinue === true ? 0 : this.#bodyDeadlineMs;
  }

  /** Who came in one step (Kerberos) does so with each request: no connection is kept for that. */
  pin({ connection }: Pinned): void {
    connection.destroy();
  }

  takePinned(): null {
    return null;
  }

  destroy(): void {
    this.reset(errorCode.internal);
  }

  reset(code: number): void {
    if (this.#gone) return;
    this.#origin.output.reset(this.id, code);
    this.#origin.touch();
    this.#origin.streamOver(this, true);
    this.closed();
  }

  exchangeDone(): void {
    this.#exchange = null;
    if (this.#gone) return;
    this.deadlineMs = this.ended ? 0 : this.#bodyDeadlineMs;
    // What still comes nobody reads (RFC 9113 §8.1); the answer goes out before. After a whole body comes only its end.
    this.#resets = !this.body.done || this.asksByConnect;
    this.answer.end(null);
    this.#origin.touch();
    this.upload?.drop();
    this.#settle();
  }

  becomeTunnel(options: TunnelOptions): void {
    const { server } = options;
    this.#written.agree(server.block, server.from, server.to);
    server.from = server.scanned;
    this.#exchange = null;
    const tunnel = new Tunnel(this, options);
    this.#tunnel = tunnel;
    tunnel.upstreamRead();
    this.upload?.resume();
    if (this.ended) tunnel.clientEnded();
    this.#origin.touch();
  }

  get hasEnded(): boolean {
    return this.ended;
  }

  endWriting(): void {
    this.answer.end(null);
    this.#origin.touch();
  }

  end(): void {
    this.#tunnel = null;
    this.exchangeDone();
  }

  bodyCame(data: Buffer, from: number, to: number): void {
    if (this.#tunnel !== null) return this.#tunnel.fromClient(data.subarray(from, to), to - from);
    const bytes = this.#chunked ? chunkOf(data, from, to) : data.subarray(from, to);
    if (this.#bodyRead(bytes)) this.awaitBody();
    else this.#break(errorCode.protocol); // more than was said
  }

  bodyEnded(): void {
    this.ended = true;
    if (this.#tunnel !== null) return this.#tunnel.clientEnded();
    if (this.#exchange === null) this.deadlineMs = 0;
    else {
      const last = this.#chunked ? Buffer.concat([lastChunk, this.#requestTrailers, lineEnd]) : nothing;
      if (this.#chunked && !this.#bodyRead(last)) this.#refuseBody();
      else if (!this.body.done) return this.#break(errorCode.protocol); // less than was said
    }
    this.#settle();
  }

  bodyTaken(bytes: number, own: number): void {
    this.#origin.taken(bytes);
    if (own === 0 || this.#gone) return;
    this.#origin.output.windowUpdate(this.id, own);
    this.#origin.touch();
  }

  #break(code: number): void {
    this.#origin.streamBroken();
    this.reset(code);
  }

  #refuseBody(): void {
    this.#origin.streamBroken();
    this.#exchange?.badBody();
  }

  /** False: it is no body. */
  #bodyRead(bytes: Buffer): boolean {
    const exchange = this.#exchange;
    if (exchange === null) return true;
    if (this.body.read(bytes, 0, bytes.length) !== bytes.length) return false;
    if (this.#started) exchange.bodyRead(bytes, 0, bytes.length, true);
    else exchange.bodyBegan(bytes, 0, bytes.length);
    return true;
  }

  get #bodyDeadlineMs(): number {
    return this.#origin.context.nowMs + this.#origin.context.dispatcher.settings.bodyTimeoutMs;
  }

  /** Both sides may have come to their end. */
  #settle(): void {
    if (this.#gone || this.#exchange !== null || this.#tunnel !== null || !this.answer.ended) return;
    if (this.ended) {
      this.#origin.streamOver(this, false);
      this.closed();
    } else if (this.#resets) this.reset(errorCode.none);
  }

  #refuse(status: number): void {
    this.write(written(refusalOf(status), "", !this.#written.forHead, true));
    this.#origin.context.dispatcher.accessLog?.unreadable(this.facts.address, status, this.bytesWritten);
    this.exchangeDone();
  }
}

const lastChunk = Buffer.from("0\r\n");
const lineEnd = Buffer.from("\r\n");

/** A chunk of HTTP/1.1. */
function chunkOf(data: Buffer, from: number, to: number): Buffer {
  const size = `${(to - from).toString(16)}\r\n`;
  const chunk = Buffer.allocUnsafe(size.length + to - from + 2);
  chunk.write(size, 0, "latin1");
  data.copy(chunk, size.length, from, to);
  chunk.write("\r\n", size.length + to - from, "latin1");
  return chunk;
}
