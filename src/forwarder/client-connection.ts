/**
 * A client's connection: it reads requests one after the other, strictly, and hands each to an exchange.
 * The socket may be any stream (TCP, TLS) as long as what it reads is passed to `received`
 * and its end to `ended`. Bytes that come while an answer is awaited are kept for the next request; reading
 * goes on while they are few, so that a client's end is seen, and then rests: nobody makes us keep many of them.
 *
 * A client that closes its side after its request may have gone or may still listen: nobody can tell. It
 * gets its answer if that comes soon, or is coming; else it counts as gone. One that closes it amid its request's body has
 * given that up, and gets what is coming already.
 */
import type { Socket } from "node:net";
import type { Upstream } from "../routing/upstream-table.ts";
import { BodyReader, badBody } from "../wire/body.ts";
import { needMore, whole } from "../wire/head.ts";
import { valueBytes } from "../wire/http-bytes.ts";
import { overlong, RequestHead } from "../wire/request-head.ts";
import { giveBack, largeBlocks } from "./blocks.ts";
import type { Client, ClientContext, Pinned } from "./client.ts";
import { Exchange } from "./exchange.ts";
import { addressLineOf, type ClientFacts } from "./headers.ts";
import type { Idler } from "./idlers.ts";
import { type Refusal, refusalOf, tooSlow, written } from "./refusals.ts";
import { queuedBytes, Taking } from "./taking.ts";
import { Tunnel, type TunnelClient, type TunnelOptions } from "./tunnel.ts";

/** How long a client that closed its side may wait for the first byte of its answer. */
const halfClosedMs = 2_000;
/** And once that has begun, for more of it: whoever closed both sides would be noticed at the next write alone. */
const halfClosedRestMs = 10_000;
/** After a refusal what still comes is read and dropped for so long, lest a reset take the refusal along. */
const lingerMs = 2_000;
/** What is copied at most, and what of it may wait. */
const copyBytesMax = 16 * 1024;
const copiedBytesMax = 64 * 1024;
/** Of requests behind the one in process; and no more than one read beyond it. */
const aheadBytesMax = 16 * 1024;
const carriageReturn = 0x0d;
const nothing = Buffer.alloc(0);

/** One serves all: it keeps nothing from one call to the next. */
const head = new RequestHead();

export class ClientConnection implements Client, Idler, TunnelClient {
  readonly facts: ClientFacts;
  /** The end of the private header's line. */
  readonly addressLine: Buffer;
  readonly body = new BodyReader();
  /** Zero: none. */
  deadlineMs: number;
  /** Where it is idle. */
  idleSinceMs: number;
  tunnel: Tunnel | null = null;
  readonly asksByConnect = false;
  readonly hearsOfConnection = true;
  hasEnded = false;
  readonly #socket: Socket;
  readonly #carrier: Socket;
  readonly #taking = new Taking();
  readonly #context: ClientContext;
  #exchange: Exchange | null = null;
  /** The beginning of a head that has not come whole. */
  #partial: Buffer | null = null;
  #partialBytes = 0;
  /** What came behind the request that is in process. */
  #ahead: Buffer | null = null;
  #ownBlock: Buffer | null = null;
  #pinned: Pinned | null = null;
  #closing = false;
  #paused = false;
  #writtenAtEnd = 0;
  #written = 0;
  /** Bytes that lie in somebody's block are still to leave. */
  #borrows = false;

  /** `carrier`: the TCP socket below. */
  constructor(socket: Socket, facts: ClientFacts, context: ClientContext, carrier: Socket) {
    this.#socket = socket;
    this.#carrier = carrier;
    this.facts = facts;
    this.#context = context;
    this.addressLine = addressLineOf(facts);
    this.idleSinceMs = context.nowMs;
    this.deadlineMs = context.nowMs + context.dispatcher.settings.headTimeoutMs;
  }

  get idle(): boolean {
    return this.#exchange === null && this.tunnel === null && this.#partial === null && this.#ahead === null;
  }

  get idles(): boolean {
    return this.idle && !this.#closing && this.#socket.writableLength === 0;
  }

  get bytesWritten(): number {
    return this.#written;
  }

  get finishing(): boolean {
    return this.#context.finishing;
  }

  /** What was written has left, or was copied and is not too much. */
  get flushed(): boolean {
    const left = this.#socket.writableLength;
    if (left === 0) this.#borrows = false;
    return left === 0 || (!this.#borrows && left <= copiedBytesMax);
  }

  /** `bytes[0..length)` are the caller's again when this returns. */
  received(bytes: Buffer, length: number): void {
    if (this.#closing) return;
    if (this.tunnel !== null) this.tunnel.fromClient(bytes, length);
    else if (this.#exchange !== null) this.#duringExchange(this.#exchange, bytes, length);
    else if (this.#ahead !== null) this.#keepAhead(bytes, 0, length, false);
    else if (this.#partial !== null) this.#readOn(this.#partial, bytes, length);
    else this.#readHead(bytes, 0, length, false);
  }

  /** The client closed its side. */
  ended(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    if (this.tunnel !== null) this.tunnel.clientEnded();
    else if (this.#exchange === null) {
      // What lies ahead has its turn first, and the end then (see `#next`).
      if (this.#ahead === null) this.end();
    } else if (!this.body.done && !this.#exchange.answers) this.#socket.destroy();
    else if (this.#exchange.answered) this.#exchange.bodyLate();
    else {
      this.#writtenAtEnd = this.#written;
      this.deadlineMs = this.#context.nowMs + halfClosedMs;
    }
  }

  /** The connection is no more. */
  closed(): void {
    this.#closing = true;
    this.#dropPartial();
    this.#exchange?.clientClosed();
    this.#exchange = null;
    this.tunnel?.clientClosed();
    this.tunnel = null;
    this.takePinned()?.connection.destroy();
  }

  pin(pinned: Pinned): void {
    this.#pinned = pinned;
  }

  get pinnedTo(): Upstream | null {
    return this.#pinned?.upstream ?? null;
  }

  takePinned(): Pinned | null {
    const pinned = this.#pinned;
    this.#pinned = null;
    return pinned;
  }

  /** The deadline of whatever is awaited has passed. */
  late(nowMs: number): void {
    const { bodyTimeoutMs } = this.#context.dispatcher.settings;
    // What waits for a client that is slow is no silence: see `watch`.
    if ((this.#closing || this.hasEnded || this.idle) && this.#socket.writableLength > 0) this.deadlineMs = nowMs + lingerMs;
    else if (this.#closing || this.idle) this.#socket.destroy();
    else if (this.#exchange === null) this.refuse(tooSlow);
    else if (this.hasEnded) {
      if (this.#written === this.#writtenAtEnd) return void this.#socket.destroy();
      this.#writtenAtEnd = this.#written;
      this.deadlineMs = nowMs + halfClosedRestMs;
    } else if (this.#paused && !this.#exchange.answered) this.deadlineMs = nowMs + bodyTimeoutMs;
    else this.#exchange.bodyLate();
  }

  /** For each sweep: a client that has taken nothing for too long has gone, or holds our memory on purpose. */
  watch(nowMs: number): void {
    const waiting = this.#socket.writableLength;
    const stalledMs = this.#taking.stalledMs(nowMs, waiting, this.#written - waiting, queuedBytes(this.#carrier));
    if (stalledMs < this.#context.dispatcher.settings.writeTimeoutMs) return;
    this.#context.dispatcher.clientStalled(this.facts.address);
    this.destroy();
  }

  write(bytes: Buffer): boolean {
    this.#written += bytes.length;
    // Through TLS no write is done at once: copying a short answer is cheaper than waiting for it to leave.
    const copies = this.facts.encrypted && bytes.length <= copyBytesMax;
    this.#socket.write(copies ? Buffer.from(bytes) : bytes);
    this.#borrows ||= !copies;
    return this.flushed;
  }

  /** Calls when all that was written before has left, or never will. */
  afterFlush(then: () => void): void {
    this.#socket.write(nothing, () => then());
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#socket.resume();
  }

  /** A client that waits to be told to go on is not late, however long the server takes. */
  awaitBody(): void {
    this.deadlineMs = this.#exchange?.awaitsContinue === true ? 0 : this.#bodyDeadlineMs;
  }

  end(): void {
    this.#closing = true;
    this.deadlineMs = this.#context.nowMs + lingerMs;
    this.endWriting();
    if (this.#paused) this.resume();
  }

  /** To another connection, so at once. */
  giveWay(): void {
    this.#closing = true;
    this.#socket.destroySoon();
  }

  /** Half-closes: what comes from the client still counts. */
  endWriting(): void {
    // A second end would make an error, stack and all, for nobody.
    if (!this.#socket.writableEnded) this.#socket.end();
  }

  /** By a reset: an end in order would make half of an answer that ends with its connection look like all of it. */
  destroy(): void {
    this.#carrier.resetAndDestroy();
    this.#socket.destroy();
  }

  /** Where the next read goes: into the block of all; where a body is kept; or one of its own while a body streams that is not. */
  blockFor(shared: Buffer): Buffer {
    if (!this.body.done && this.#exchange !== null) {
      if (this.#exchange.streamsBody) {
        this.#ownBlock ??= largeBlocks.take();
        return this.#ownBlock;
      }
      const room = this.#exchange.bodyRoom;
      if (room !== null) return room;
    }
    if (this.#ownBlock !== null && this.#exchange?.bodyFlushed === true) giveBack(this.#ownBlock);
    this.#ownBlock = null;
    return shared;
  }

  /** What came is no request: ends with an answer of the forwarder's own; what the client still sends is dropped. */
  refuse(refusal: Refusal): void {
    const answer = written(refusal, "", true, true);
    this.write(answer);
    this.#context.dispatcher.accessLog?.unreadable(this.facts.address, refusal.status, answer.length);
    this.#dropPartial();
    this.end();
  }

  becomeTunnel(options: TunnelOptions): void {
    const tunnel = new Tunnel(this, options);
    tunnel.upstreamRead();
    this.#exchange = null;
    this.tunnel = tunnel;
    this.deadlineMs = 0;
    const ahead = this.#ahead;
    this.#ahead = null;
    if (ahead !== null) tunnel.fromClient(ahead, ahead.length);
    if (this.hasEnded) tunnel.clientEnded();
    if (!this.hasEnded) this.resume();
  }

  /** The exchange is over, its request read to the end. */
  exchangeDone(keep: boolean): void {
    this.#exchange = null;
    if (!keep || this.#context.finishing || (this.hasEnded && this.#ahead === null)) this.end();
    else if (this.flushed) this.#next();
    else {
      // A client that asks and does not read must not fill the memory with answers.
      this.pause();
      this.afterFlush(() => this.#next());
    }
  }

  #next(): void {
    if (this.#closing || this.#exchange !== null) return;
    this.idleSinceMs = this.#context.nowMs;
    this.deadlineMs = this.idleSinceMs + this.#context.dispatcher.settings.idleTimeoutMs;
    if (this.#ahead === null) {
      if (this.#paused) this.resume();
      return;
    }
    // Its own turn: a long row of requests must not become a deep one of calls.
    setImmediate(() => {
      const ahead = this.#ahead;
      this.#ahead = null;
      if (ahead === null || this.#closing) return;
      this.resume();
      this.#readHead(ahead, 0, ahead.length, true);
      // An end that came behind what lay ahead is this request's now.
      if (!this.hasEnded || (this.#exchange === null && this.#ahead !== null)) return;
      this.hasEnded = false;
      this.ended();
    });
  }

  /** `owned`: the bytes stay as they are after this call. */
  #readHead(source: Buffer, from: number, to: number, owned: boolean): void {
    const { headBytesMax, headTimeoutMs } = this.#context.dispatcher.settings;
    const verdict = head.read(source, from, to);
    if (verdict === whole && head.end - head.start <= headBytesMax) this.#begin(source, to, owned);
    else if (verdict === needMore && to - from <= headBytesMax) {
      // Empty lines alone are no beginning of a request: who sent them is idle.
      if (head.start === to) this.#dropPartial();
      else if (this.#partial === null || head.start > from) {
        this.#partial ??= this.#context.dispatcher.headBlocks.take();
        this.#partialBytes = source.copy(this.#partial, 0, head.start, to);
        if (this.#partial[0] !== carriageReturn) this.deadlineMs = this.#context.nowMs + headTimeoutMs;
      }
    } else if (verdict > whole) this.refuse(refusalOf(verdict));
    else this.refuse(refusalOf(overlong(source.subarray(0, to), from, headBytesMax)));
  }

  #readOn(partial: Buffer, bytes: Buffer, length: number): void {
    const room = partial.length - this.#partialBytes;
    const taken = bytes.copy(partial, this.#partialBytes, 0, Math.min(length, room));
    const before = this.#partialBytes;
    this.#partialBytes += taken;
    const { headBytesMax } = this.#context.dispatcher.settings;
    // In the midst of a line nothing new shows before its end, or a byte that none may hold.
    if (this.#partialBytes <= headBytesMax && isWithinLine(partial, before - 1, this.#partialBytes)) return;
    this.#readHead(partial, 0, this.#partialBytes, false);
    // A head that ended in there has taken what it needs; the rest of this read belongs behind it.
    if (this.#partial === null && taken < length && !this.#closing) this.received(bytes.subarray(taken), length - taken);
  }

  #begin(source: Buffer, to: number, owned: boolean): void {
    const { dispatcher, listener } = this.#context;
    const bodyAt = head.end;
    this.body.begin(head.framing, head.contentLength);
    const bodyEnd = this.body.read(source, bodyAt, to);
    if (bodyEnd === badBody) return this.refuse(refusalOf(400));
    const exchange = new Exchange(dispatcher, listener, this, head, source);
    this.#exchange = exchange;
    if (bodyEnd > bodyAt) exchange.bodyBegan(source, bodyAt, bodyEnd);
    this.awaitBody();
    if (bodyEnd < to) this.#keepAhead(source, bodyEnd, to, owned);
    this.#dropPartial();
    exchange.start();
  }

  #duringExchange(exchange: Exchange, bytes: Buffer, length: number): void {
    if (this.body.done) return this.#keepAhead(bytes, 0, length, false);
    const bodyEnd = this.body.read(bytes, 0, length);
    if (bodyEnd === badBody) return exchange.badBody();
    this.deadlineMs = this.#bodyDeadlineMs;
    if (bodyEnd < length) this.#keepAhead(bytes, bodyEnd, length, false);
    exchange.bodyRead(bytes, 0, bodyEnd, bytes === this.#ownBlock);
  }

  get #bodyDeadlineMs(): number {
    return this.body.done ? 0 : this.#context.nowMs + this.#context.dispatcher.settings.bodyTimeoutMs;
  }

  #keepAhead(source: Buffer, from: number, to: number, owned: boolean): void {
    const rest = owned ? source.subarray(from, to) : Buffer.from(source.subarray(from, to));
    this.#ahead = this.#ahead === null ? rest : Buffer.concat([this.#ahead, rest]);
    if (this.#ahead.length > aheadBytesMax) this.pause();
  }

  #dropPartial(): void {
    if (this.#partial !== null) this.#context.dispatcher.headBlocks.give(this.#partial);
    this.#partial = null;
    this.#partialBytes = 0;
  }
}

function isWithinLine(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (valueBytes[bytes[at] as number] !== 1) return false; // inside
  return true;
}
