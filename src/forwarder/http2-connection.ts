/**
 * A client's connection of HTTP/2 (RFC 9113): what its frames mean, which streams it has, and its end. A stream that breaks the
 * protocol is reset; what breaks the connection's own state ends it with GOAWAY. Whatever a client can make us keep or do is
 * bounded: see http2-patience.ts, http2-output.ts, http2-upload.ts and wire/http2-frame-reader.ts.
 */
import type { Socket } from "node:net";
import { HpackDecoder } from "../wire/hpack-decoder.ts";
import { fieldOverheadBytes } from "../wire/hpack-table.ts";
import { errorCode, flag, frameType, readSettings, setting, uint32, windowBytesFirst, windowBytesMax } from "../wire/http2.ts";
import { FrameReader, type FrameSink } from "../wire/http2-frame-reader.ts";
import type { RequestText } from "../wire/http2-request.ts";
import type { ClientContext } from "./client.ts";
import { addressLineOf, type ClientFacts } from "./headers.ts";
import type { AnswerBody } from "./http2-answer-body.ts";
import { Http2Deadlines } from "./http2-deadlines.ts";
import { Http2Output } from "./http2-output.ts";
import { Patience } from "./http2-patience.ts";
import { ClientStream, type StreamOrigin } from "./http2-stream.ts";
import { Http2Turns } from "./http2-turns.ts";
import { uploadWindowBytes } from "./http2-upload.ts";
import type { Idler } from "./idlers.ts";
import { ReceiveWindow } from "./receive-window.ts";
import { StreamNumbers } from "./stream-numbers.ts";
import { queuedBytes, Taking } from "./taking.ts";

/** What a browser keeps below; more wait at the client. */
const streamsMax = 100;
/** Of all uploads on a connection together. */
const windowBytes = 4 * uploadWindowBytes;
/** A head, compressed, may be so many times as long as is passed on, and is answered; more is no mistake. */
const headersFactor = 4;
/** Said to clients: heads of so many fields as there are seldom fit. */
const fieldsMax = 128;
/** A client that was told that its connection ends has so long to close it. */
const lingerMs = 2_000;
const streamMax = 0x7fff_ffff;
/** A ping that comes back when the client has read what went before. */
const farewell = Buffer.from("farewell");

/** What all connections of one listener share. */
export interface Http2Shared {
  readonly context: ClientContext;
  /** Where requests are put together, one at a time. */
  readonly text: RequestText;
  readonly textBytes: Buffer;
  /** Calls the connection's `turn` before the event loop goes on. */
  touch(connection: Http2Connection): void;
}

export class Http2Connection implements FrameSink, StreamOrigin, Idler {
  readonly context: ClientContext;
  readonly facts: ClientFacts;
  readonly addressLine: Buffer;
  readonly output: Http2Output;
  sendWindowBytes = windowBytesFirst;
  initialWindowBytes = windowBytesFirst;
  movedMs = 0;
  /** Its turn comes. */
  touched = false;
  readonly #shared: Http2Shared;
  readonly #socket: Socket;
  readonly #carrier: Socket;
  readonly #reader: FrameReader;
  readonly #decoder = new HpackDecoder();
  readonly #window = new ReceiveWindow(windowBytes);
  /** When something was last taken of a window that was full. */
  #openedMs = Number.NEGATIVE_INFINITY;
  readonly #patience: Patience;
  readonly #taking = new Taking();
  readonly #deadlines: Http2Deadlines;
  readonly #streams = new Map<number, ClientStream>();
  readonly #numbers = new StreamNumbers();
  readonly #turns = new Http2Turns();
  /** Until when the client is to hear that it should send no more; zero: nobody told it. */
  #farewellMs = 0;
  /** Nothing more is read or written. */
  #ended = false;

  /** `carrier`: the TCP socket below. */
  constructor(socket: Socket, facts: ClientFacts, carrier: Socket, shared: Http2Shared) {
    const { context } = shared;
    const { headBytesMax } = context.dispatcher.settings;
    this.context = context;
    this.facts = facts;
    this.addressLine = addressLineOf(facts);
    this.#shared = shared;
    this.#socket = socket;
    this.#carrier = carrier;
    this.#reader = new FrameReader(headersFactor * headBytesMax);
    this.#patience = new Patience(context.nowMs);
    this.#deadlines = new Http2Deadlines(context);
    this.output = new Http2Output(socket, () => this.#written());
    this.output.settings([
      [setting.streamsMax, streamsMax],
      [setting.initialWindow, uploadWindowBytes],
      [setting.fieldBytesMax, headBytesMax + fieldsMax * fieldOverheadBytes],
      [setting.connectProtocol, 1],
    ]);
    this.output.windowUpdate(0, windowBytes - windowBytesFirst);
    this.touch();
  }

  get idles(): boolean {
    return this.#streams.size === 0 && !this.#ended && this.#socket.writableLength === 0;
  }

  get idleSinceMs(): number {
    return this.#deadlines.heardMs;
  }

  /** To another connection, so at once. */
  giveWay(): void {
    this.#fail(errorCode.none);
    this.#socket.destroySoon();
  }

  received(bytes: Buffer): void {
    if (this.#ended) return;
    this.#deadlines.happened();
    const fault = this.#reader.read(bytes, this);
    if (fault !== errorCode.none) return this.#fail(fault);
    this.#deadlines.frameBegan(this.#reader);
    // One that came whole goes on at once; what is to come of another may be in the next read, and go in one piece with it.
    if (!this.#turns.startWhole()) this.touch();
  }

  /** Once in each turn of the event loop in which something happened. */
  turn(): void {
    if (this.#ended) return;
    this.#turns.startAll();
    this.#turns.send();
    if (this.#numbers.closed && this.#streams.size === 0) return this.#end();
    this.output.flush();
    // A client that asks and does not read must not fill the memory with answers.
    if (this.output.isClogged) this.#socket.pause();
  }

  /** The connection is no more. */
  closed(): void {
    this.#ended = true;
    for (const stream of [...this.#streams.values()]) stream.closed();
    this.#streams.clear();
  }

  /**
   * The client is told to send no more; what is in process finishes. Requests that are on their way meanwhile are still taken:
   * the last number is said when the client has heard of it, or had the time to (RFC 9113 §6.8).
   */
  finish(): void {
    if (this.#farewellMs !== 0 || this.#ended) return;
    this.#farewellMs = this.context.nowMs + lingerMs;
    this.output.goAway(streamMax, errorCode.none);
    this.output.ping(farewell);
    this.touch();
  }

  /** No further request is looked at. */
  #takeNoMore(): void {
    if (this.#numbers.closed || this.#ended) return;
    this.#numbers.closed = true;
    this.output.goAway(this.#numbers.last, errorCode.none);
    this.touch();
  }

  /** For each sweep. */
  watch(nowMs: number): void {
    const { writeTimeoutMs } = this.context.dispatcher.settings;
    const queued = queuedBytes(this.#carrier);
    if (this.#taking.stalledMs(nowMs, queued, 0, queued) >= writeTimeoutMs) {
      this.context.dispatcher.clientStalled(this.facts.address);
      this.#carrier.destroy();
      this.#socket.destroy();
      return;
    }
    let stalled = false;
    for (const stream of [...this.#streams.values()]) {
      if (stream.deadlineMs !== 0 && stream.deadlineMs <= nowMs) stream.late();
      stalled = stream.watch(nowMs) || stalled;
    }
    if (stalled) this.context.dispatcher.clientStalled(this.facts.address);
    const fault = this.#deadlines.faultAt(nowMs);
    if (fault !== errorCode.none) this.#fail(fault);
    else if (this.#farewellMs !== 0 && this.#farewellMs <= nowMs) this.#takeNoMore();
    else if (this.#streams.size === 0 && this.#deadlines.isIdle(nowMs)) this.finish();
  }

  // ---- what streams ask

  touch(): void {
    this.#shared.touch(this);
  }

  get maySendSinceMs(): number {
    return this.#window.full ? Number.POSITIVE_INFINITY : this.#openedMs;
  }

  taken(bytes: number): void {
    if (this.#window.full) this.#openedMs = this.context.nowMs;
    const announced = this.#window.taken(bytes);
    if (announced === 0 || this.#ended) return;
    this.output.windowUpdate(0, announced);
    this.touch();
  }

  dataLeft(bytes: number, drop: boolean): void {
    this.movedMs = this.context.nowMs;
    if (!drop) this.#patience.taken(bytes);
  }

  get othersWait(): boolean {
    return this.#turns.someWait;
  }

  waits(body: AnswerBody): void {
    this.#turns.waits(body);
  }

  /** Told in the midst of a read, or long after it: what it amounts to shows when the next stream begins. */
  streamBroken(): void {
    this.#patience.reset(this.context.nowMs);
  }

  streamOver(stream: ClientStream, reset: boolean): void {
    this.#streams.delete(stream.id);
    this.#numbers.ended(stream.id, reset);
    this.#deadlines.happened();
    this.touch();
  }

  // ---- frames

  data(stream: number, bytes: Uint8Array, from: number, to: number, heldBytes: number, ends: boolean): number {
    if (!this.#window.came(heldBytes)) return errorCode.flowControl;
    const open = this.#streams.get(stream);
    const upload = open?.takesNoMore === false ? open.upload : null;
    if (open === undefined || upload === null) {
      this.taken(heldBytes);
      if (open !== undefined) return this.#reset(open, errorCode.streamClosed);
      return this.#numbers.faultOfContent(stream) || this.idle();
    }
    // What was taken before may be worth telling now that so much less is left.
    this.taken(0);
    // The bytes are the read's own, which Node gives away.
    return upload.came(bytes as Buffer, from, to, heldBytes, ends) ? errorCode.none : this.#reset(open, errorCode.flowControl);
  }

  headers(stream: number, bytes: Uint8Array, from: number, to: number, ends: boolean): number {
    const { text } = this.#shared;
    const open = this.#streams.get(stream);
    text.begin(open !== undefined);
    // Whatever becomes of it, what it teaches the decoder later heads refer to.
    if (!this.#decoder.decode(bytes, from, to, text)) return errorCode.compression;
    if (open !== undefined) return this.#trailers(open, ends);
    if (!this.#numbers.mayOpen(stream)) return this.#numbers.faultOfContent(stream) || this.idle();
    this.#numbers.last = stream;
    text.finish(!ends && !text.hasLength && !text.asksWebSocket);
    if (this.#streams.size >= streamsMax) return this.#refuse(stream, errorCode.refusedStream);
    if (text.malformed || (ends && text.asksWebSocket)) return this.#refuse(stream, errorCode.protocol);
    if (!this.#patience.requested()) return errorCode.enhanceYourCalm;
    const served = new ClientStream(stream, !ends, text, this);
    this.#streams.set(stream, served);
    this.#turns.begins(served);
    served.begin(text, this.#shared.textBytes);
    return errorCode.none;
  }

  control(type: number, flags: number, stream: number, bytes: Uint8Array, from: number, to: number): number {
    if (type === frameType.reset) return this.#resetCame(stream);
    const fault = this.idle();
    if (fault !== errorCode.none) return fault;
    switch (type) {
      case frameType.settings:
        if ((flags & flag.ack) === 0) return this.#settings(bytes, from, to);
        this.#deadlines.settingsTaken();
        return errorCode.none;
      case frameType.ping:
        if ((flags & flag.ack) === 0) this.output.pingAck(bytes, from, to);
        else if (this.#farewellMs !== 0) this.#takeNoMore();
        this.touch();
        return errorCode.none;
      case frameType.windowUpdate:
        return this.#windowUpdate(stream, uint32(bytes, from) & windowBytesMax);
      case frameType.goAway:
        if (uint32(bytes, from + 4) === errorCode.none) this.#takeNoMore();
        else this.#socket.destroy();
        return errorCode.none;
      default:
        return errorCode.none; // PRIORITY means nothing any more
    }
  }

  idle(): number {
    return this.#patience.idleFrame(this.context.nowMs) ? errorCode.none : errorCode.enhanceYourCalm;
  }

  #trailers(open: ClientStream, ends: boolean): number {
    if (open.takesNoMore) return this.#reset(open, errorCode.streamClosed);
    const { malformed, overlong, end } = this.#shared.text;
    if (malformed || !ends) return this.#reset(open, errorCode.protocol);
    open.trailersCame(overlong ? null : Buffer.from(this.#shared.textBytes.subarray(0, end)));
    return errorCode.none;
  }

  #resetCame(stream: number): number {
    const open = this.#streams.get(stream);
    if (open === undefined) return this.#numbers.faultOfIdle(stream) || this.idle();
    this.streamOver(open, false);
    open.closed();
    return this.#patience.reset(this.context.nowMs) ? errorCode.none : errorCode.enhanceYourCalm;
  }

  #settings(bytes: Uint8Array, from: number, to: number): number {
    const read = readSettings(bytes, from, to, this.initialWindowBytes);
    if (read.fault !== errorCode.none) return read.fault;
    const change = read.initialWindowBytes - this.initialWindowBytes;
    this.initialWindowBytes = read.initialWindowBytes;
    if (change !== 0) for (const { answer } of this.#streams.values()) if (!answer.widen(change)) return errorCode.flowControl;
    this.output.settingsAck();
    this.touch();
    return errorCode.none;
  }

  #windowUpdate(stream: number, bytes: number): number {
    this.movedMs = this.context.nowMs;
    this.touch();
    if (stream === 0) {
      this.sendWindowBytes += bytes;
      if (bytes === 0) return errorCode.protocol;
      return this.sendWindowBytes > windowBytesMax ? errorCode.flowControl : errorCode.none;
    }
    const open = this.#streams.get(stream);
    if (open === undefined) return this.#numbers.faultOfIdle(stream);
    if (bytes === 0) return this.#reset(open, errorCode.protocol);
    return open.answer.widen(bytes) ? errorCode.none : this.#reset(open, errorCode.flowControl);
  }

  /** A stream error that the client drew. */
  #reset(open: ClientStream, code: number): number {
    open.reset(code);
    return this.#patience.reset(this.context.nowMs) ? errorCode.none : errorCode.enhanceYourCalm;
  }

  /** One that is none of ours yet. */
  #refuse(stream: number, code: number): number {
    this.output.reset(stream, code);
    this.#numbers.ended(stream, true);
    this.touch();
    return this.#patience.reset(this.context.nowMs) ? errorCode.none : errorCode.enhanceYourCalm;
  }

  #written(): void {
    if (this.#ended) return;
    this.turn();
    if (!this.output.isClogged && this.#socket.isPaused()) this.#socket.resume();
  }

  // ---- ends

  #fail(code: number): void {
    if (this.#ended) return;
    this.output.goAway(this.#numbers.last, code);
    this.#end();
    this.closed();
    setTimeout(() => this.#socket.destroy(), lingerMs).unref();
  }

  #end(): void {
    this.#ended = true;
    this.output.end();
    this.#destroyLater();
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** What waits for a client that is slow is to arrive; for one that takes nothing see `watch`. */
  #destroyLater(): void {
    setTimeout(() => {
      if (this.#socket.writableLength === 0 || this.#socket.destroyed) this.#socket.destroy();
      else this.#destroyLater();
    }, lingerMs).unref();
  }
}
