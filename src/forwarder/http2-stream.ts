/**
 * A stream of HTTP/2 as an exchange's client: the request's frames become the bytes that an HTTP/1.1 client would have
 * sent, and what is written for such a client becomes the answer's frames. So the rules of a request (saving,
 * sending again, parking, holding answers) are the very same code.
 *
 * What is written is copied, always: Node's HTTP/2 may still hold bytes of a stream that is gone, and a block given
 * back by then would carry another client's.
 */
import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { AnswerHead } from "../wire/answer-head.ts";
import { type BodyParts, BodyReader } from "../wire/body.ts";
import { framing, whole } from "../wire/head.ts";
import { RequestHead } from "../wire/request-head.ts";
import type { Client, ClientContext } from "./client.ts";
import { Exchange } from "./exchange.ts";
import type { ClientFacts } from "./headers.ts";
import { answerFields, fieldsOf, requestText, trailerText } from "./http2-heads.ts";
import { refusalOf, written } from "./refusals.ts";
import { Taking } from "./taking.ts";

/** So much of an answer may wait for the client before its server is held back. */
const waitingBytesMax = 64 * 1024;
/** A stream may wait for so many times as long as its connection may. */
const turnsMax = 10;
const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;
const nothing = Buffer.alloc(0);

/** What all streams of one connection have in common. */
export interface StreamOrigin {
  readonly context: ClientContext;
  readonly facts: ClientFacts;
  readonly addressLine: Buffer;
  /** When anything of this connection was last seen to move. */
  movedMs(nowMs: number): number;
}

// One of each serves all: they keep nothing from one call to the next.
const requestHead = new RequestHead();
const answerHead = new AnswerHead();

/** Brings together what is data in a part of an answer's body. */
class Gathering implements BodyParts {
  trailers = "";
  #source: Buffer = nothing;
  #target: Buffer = nothing;
  #length = 0;

  read(body: BodyReader, source: Buffer, from: number): Buffer {
    this.trailers = "";
    this.#source = source;
    this.#target = Buffer.allocUnsafe(source.length - from);
    this.#length = 0;
    body.read(source, from, source.length, this);
    this.#source = nothing;
    return this.#target.subarray(0, this.#length);
  }

  data(from: number, to: number): void {
    this.#source.copy(this.#target, this.#length, from, to);
    this.#length += to - from;
  }

  trailer(at: number): void {
    this.trailers += String.fromCharCode(this.#source[at] as number); // inside
  }
}

const gathering = new Gathering();
/** Reads the next answer's body; a stream whose answer does not come in one piece takes it along. */
let spare = new BodyReader();
const noBody = new BodyReader();

export class ClientStream implements Client {
  readonly body: BodyReader;
  /** Of what is awaited from the client; zero: none. */
  deadlineMs = 0;
  bytesWritten = 0;
  readonly #origin: StreamOrigin;
  readonly #stream: ServerHttp2Stream;
  readonly #forHead: boolean;
  #exchange: Exchange | null = null;
  #started = false;
  /** The request's body goes on in chunks: nobody said its length. */
  #chunked = false;
  #paused = false;
  /** The client has ended its side: no body, or its last frame came. */
  #ended: boolean;
  /** The head of the final answer went out. */
  #answered = false;
  #answerBody = noBody;
  #trailers = "";
  readonly #taking = new Taking();
  #flushing: (() => void)[] = [];
  readonly #left = () => {
    if (this.#stream.writableLength > 0 && !this.#stream.destroyed) return;
    for (const then of this.#flushing.splice(0)) then();
  };

  constructor(stream: ServerHttp2Stream, method: string | undefined, hasBody: boolean, origin: StreamOrigin) {
    this.body = hasBody ? new BodyReader() : noBody;
    this.body.done = !hasBody;
    this.#ended = !hasBody;
    this.#stream = stream;
    this.#origin = origin;
    this.#forHead = method === "HEAD";
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

  get flushed(): boolean {
    return this.#stream.writableLength <= waitingBytesMax || this.#gone;
  }

  get #gone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  /** The stream's head has come, its fields as name and value in turn. */
  begin(raw: readonly string[]): void {
    const hasBody = !this.body.done;
    const { dispatcher, listener } = this.#origin.context;
    const { headBytesMax } = dispatcher.settings;
    this.#chunked = hasBody && !raw.includes("content-length");
    const text = requestText(raw, this.#chunked);
    if (text === null) return this.#refuse(400);
    if (text.length > headBytesMax) return this.#refuse(431);
    const source = Buffer.from(text, "latin1");
    const verdict = requestHead.read(source, 0, source.length);
    if (verdict !== whole || requestHead.end !== source.length) return this.#refuse(verdict > whole ? verdict : 400);
    // Node's HTTP/2 sees to it too that as much comes as was said.
    if (!hasBody && requestHead.framing !== framing.none) return this.#refuse(400);
    if (hasBody) this.body.begin(requestHead.framing, requestHead.contentLength);
    this.#exchange = new Exchange(dispatcher, listener, this, requestHead, source);
    // One of no bytes too: Node resets a stream that nobody reads as soon as it is answered, before its client could end it.
    if (hasBody) this.#readBody();
    if (this.body.done) return this.#start();
    // What of the body came along is read by then.
    setImmediate(() => this.#start());
  }

  /** The client reset the stream, or its connection is no more. */
  closed(): void {
    this.deadlineMs = 0;
    this.#exchange?.clientClosed();
    this.#exchange = null;
    this.#left();
  }

  /** The deadline of whatever is awaited has passed. */
  late(nowMs: number): void {
    this.deadlineMs = 0;
    if (this.#exchange === null) return this.#stream.close(NGHTTP2_NO_ERROR);
    if (this.#paused && !this.#exchange.answered) this.#awaitBody(nowMs);
    else this.#exchange.bodyLate();
  }

  /**
   * For each sweep: a stream whose client takes nothing of it is reset. One that waits while others of its connection
   * move may only have its turn late, for the connection is slow; it has longer.
   */
  watch(nowMs: number): void {
    const waiting = this.#gone ? 0 : this.#stream.writableLength;
    const stalledMs = this.#taking.stalledMs(nowMs, waiting, this.bytesWritten - waiting, 0);
    const { dispatcher } = this.#origin.context;
    const { writeTimeoutMs } = dispatcher.settings;
    if (stalledMs < writeTimeoutMs) return;
    if (nowMs - this.#origin.movedMs(nowMs) < writeTimeoutMs && stalledMs < turnsMax * writeTimeoutMs) return;
    dispatcher.clientStalled(this.facts.address);
    this.#stream.close(NGHTTP2_CANCEL);
    this.#stream.destroy();
  }

  write(bytes: Buffer): boolean {
    this.bytesWritten += bytes.length;
    if (this.#gone) return true;
    try {
      if (this.#answered) this.#writeData(gathering.read(this.#answerBody, bytes, 0));
      else this.#writeHeads(bytes);
    } catch {
      // Fields that HTTP/2 forbids and HTTP/1.1 does not.
      this.destroy();
    }
    return this.flushed;
  }

  afterFlush(then: () => void): void {
    if (this.#stream.writableLength === 0 || this.#stream.destroyed) process.nextTick(then);
    else this.#flushing.push(then);
  }

  pause(): void {
    this.#paused = true;
    this.#stream.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#stream.resume();
  }

  destroy(): void {
    this.#stream.close(NGHTTP2_INTERNAL_ERROR);
  }

  exchangeDone(): void {
    this.#exchange = null;
    this.deadlineMs = this.#ended ? 0 : this.#origin.context.nowMs + this.#origin.context.dispatcher.settings.bodyTimeoutMs;
    if (this.#stream.closed)
      this.#stream.destroy(); // Node waits for somebody to read what still lies there
    else if (!this.#stream.writableEnded) this.#stream.end(this.#left);
    // What still comes nobody reads (RFC 9113 §8.1); the answer goes out before. After a whole body comes only its end.
    if (!this.body.done) this.#stream.close(NGHTTP2_NO_ERROR);
    else if (!this.#ended) this.#stream.resume();
  }

  /** HTTP/2 has no Upgrade: no request of its asks for one, and an answer that gives one unasked is none. */
  becomeTunnel(): never {
    throw new Error("a stream of HTTP/2 was upgraded");
  }

  #start(): void {
    this.#started = true;
    this.#exchange?.start();
  }

  #refuse(status: number): void {
    this.write(written(refusalOf(status), "", !this.#forHead, true));
    this.#origin.context.dispatcher.accessLog?.unreadable(this.facts.address, status, this.bytesWritten);
    this.exchangeDone();
  }

  #awaitBody(nowMs: number): void {
    this.deadlineMs = this.body.done ? 0 : nowMs + this.#origin.context.dispatcher.settings.bodyTimeoutMs;
  }

  #readBody(): void {
    this.#awaitBody(this.#origin.context.nowMs);
    let trailers: string | null = "";
    this.#stream.on("data", (data: Buffer) => this.#bodyRead(this.#chunked ? chunkOf(data) : data));
    this.#stream.on("trailers", (_fields, _flags, raw: readonly string[]) => {
      trailers = trailerText(raw);
    });
    this.#stream.on("end", () => {
      this.#ended = true;
      if (this.#exchange === null) this.deadlineMs = 0;
      // Node ends the reading of a stream that was reset too: what came is not the whole body then.
      if (this.#stream.closed) return void this.#stream.destroy();
      if (this.#chunked && trailers !== null) this.#bodyRead(Buffer.from(`0\r\n${trailers}\r\n`, "latin1"));
      if (!this.body.done) this.#exchange?.badBody();
    });
  }

  #bodyRead(bytes: Buffer): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    if (this.body.read(bytes, 0, bytes.length) !== bytes.length) return exchange.badBody();
    this.#awaitBody(this.#origin.context.nowMs);
    if (this.#started) exchange.bodyRead(bytes, 0, bytes.length, true);
    else exchange.bodyBegan(bytes, 0, bytes.length);
  }

  #writeHeads(bytes: Buffer): void {
    for (let from = 0; from < bytes.length && !this.#answered; from = answerHead.end) {
      answerHead.read(bytes, from, bytes.length, this.#forHead, false, false); // whole, for it was read before
      const fields = answerFields(bytes, answerHead);
      fields[":status"] = answerHead.status;
      if (answerHead.isInterim) this.#stream.additionalHeaders(fields);
      else this.#respond(fields, bytes);
    }
  }

  #respond(fields: OutgoingHttpHeaders, bytes: Buffer): void {
    this.#answered = true;
    this.#answerBody = spare;
    this.#answerBody.begin(answerHead.framing, answerHead.contentLength);
    const data = gathering.read(this.#answerBody, bytes, answerHead.end);
    if (this.#answerBody.done) this.#answerBody = noBody;
    else spare = new BodyReader();
    const ends = this.#answerBody.done && gathering.trailers === "";
    const waitForTrailers = answerHead.framing === framing.chunked && !ends;
    this.#stream.respond(fields, { endStream: ends && data.length === 0, waitForTrailers });
    if (waitForTrailers) this.#stream.once("wantTrailers", () => this.#sendTrailers());
    this.#writeData(data);
  }

  #writeData(data: Buffer): void {
    this.#trailers += gathering.trailers;
    if (this.#stream.writableEnded) return; // there is to be none
    if (!this.#answerBody.done) this.#stream.write(data, this.#left);
    else if (data.length === 0) this.#stream.end(this.#left);
    else this.#stream.end(data, this.#left);
  }

  #sendTrailers(): void {
    if (this.#gone) return;
    try {
      this.#stream.sendTrailers(fieldsOf(this.#trailers, "\r"));
    } catch {
      this.destroy(); // as above
    }
  }
}

/** A chunk of HTTP/1.1. */
function chunkOf(data: Buffer): Buffer {
  const size = `${data.length.toString(16)}\r\n`;
  const chunk = Buffer.allocUnsafe(size.length + data.length + 2);
  chunk.write(size, 0, "latin1");
  data.copy(chunk, size.length);
  chunk.write("\r\n", size.length + data.length, "latin1");
  return chunk;
}
