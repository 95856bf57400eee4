/**
 * The data of one answer of HTTP/2 on its way into frames, as the client's windows and the room in the output allow. What must
 * wait is copied up to a bound; past it the server is held back, and the bytes stay where they are until they have left.
 */
import { windowBytesMax } from "../wire/http2.ts";
import type { Http2Output } from "./http2-output.ts";

/** So much of an answer may wait for the client before its server is held back. */
const waitingBytesMax = 64 * 1024;
/** Frames cut shorter than this, and not by their answer's end, are drops. */
const dropBytes = 256;
const nothing = Buffer.alloc(0);

/** What the answers on one connection share. */
export interface SharedOutput {
  readonly output: Http2Output;
  /** Of the connection (RFC 9113 §5.2.1). */
  sendWindowBytes: number;
  /** Others wait for what all share: who comes anew waits behind them. */
  readonly othersWait: boolean;
  /** So much data left in a frame. `drop`: little, though more was there. */
  dataLeft(bytes: number, drop: boolean): void;
  /** `send` is to be called whenever there may be room. */
  waits(body: AnswerBody): void;
}

export class AnswerBody {
  readonly stream: number;
  /** The frame that ends the stream is out. */
  ended = false;
  waitingBytes = 0;
  leftBytes = 0;
  /** The stream's own; a client may make it negative (§6.9.2). */
  #window: number;
  readonly #shared: SharedOutput;
  readonly #onEnded: () => void;
  readonly #waiting: Buffer[] = [];
  /** How much of the first has left. */
  #firstAt = 0;
  #ends = false;
  #trailers: Buffer | null = null;
  #borrows = false;
  #flushing: (() => void)[] = [];

  constructor(stream: number, windowBytes: number, shared: SharedOutput, onEnded: () => void) {
    this.stream = stream;
    this.#window = windowBytes;
    this.#shared = shared;
    this.#onEnded = onEnded;
  }

  /** All has left, or was copied and is not too much. */
  get flushed(): boolean {
    return this.waitingBytes === 0 || (!this.#borrows && this.waitingBytes <= waitingBytesMax);
  }

  /** Not for its own client's window alone. */
  get waitsForShared(): boolean {
    return this.waitingBytes > 0 && this.#window > 0;
  }

  /** An end was written, though it may still wait. */
  get ending(): boolean {
    return this.#ends;
  }

  /** `owned`: the bytes stay as they are after this call. */
  write(bytes: Buffer, from: number, to: number, owned: boolean): void {
    const at = this.waitingBytes === 0 && !this.#shared.othersWait ? this.#put(bytes, from, to) : from;
    if (at < to) this.#keep(bytes.subarray(at, to), owned);
  }

  /** Nothing more follows but trailers, lines that end with CR LF, where there are some. */
  end(trailers: Buffer | null): void {
    if (this.#ends) return;
    this.#ends = true;
    this.#trailers = trailers;
    if (this.waitingBytes === 0) this.#end();
  }

  /** The last of the data: its frame ends the stream too. */
  endWith(bytes: Buffer, from: number, to: number, owned: boolean): void {
    this.#ends = true;
    this.write(bytes, from, to, owned);
    if (this.waitingBytes === 0) this.#end();
  }

  /** The answer's head said already that nothing follows. */
  endedByHead(): void {
    this.#ends = true;
    this.ended = true;
    this.#onEnded();
  }

  /** Puts one frame of what waits; false: there is no room for it. */
  send(): boolean {
    const [first] = this.#waiting;
    if (first === undefined) return false;
    const length = this.#fitting(first.length - this.#firstAt);
    if (length <= 0) return false;
    this.#frame(first, this.#firstAt, this.#firstAt + length, length === this.waitingBytes);
    this.waitingBytes -= length;
    this.#firstAt += length;
    if (this.#firstAt < first.length) return true;
    this.#firstAt = 0;
    this.#waiting.shift();
    if (this.waitingBytes > 0) return true;
    this.#borrows = false;
    if (this.#ends) this.#end();
    this.#flush();
    return true;
  }

  /** False: larger than a window can be (§6.9.1). */
  widen(bytes: number): boolean {
    this.#window += bytes;
    return this.#window <= windowBytesMax;
  }

  afterFlush(then: () => void): void {
    if (this.waitingBytes === 0) process.nextTick(then);
    else this.#flushing.push(then);
  }

  /** The stream is no more. */
  drop(): void {
    this.waitingBytes = 0;
    this.#waiting.length = 0;
    this.#ends = true;
    this.#flush();
  }

  #put(bytes: Buffer, from: number, to: number): number {
    let at = from;
    while (at < to) {
      const length = this.#fitting(to - at);
      if (length <= 0) break;
      this.#frame(bytes, at, at + length, at + length === to);
      at += length;
    }
    return at;
  }

  #fitting(bytes: number): number {
    return Math.min(bytes, this.#shared.output.room, this.#shared.sendWindowBytes, this.#window);
  }

  /** `last`: nothing that was written follows. */
  #frame(bytes: Buffer, from: number, to: number, last: boolean): void {
    const length = to - from;
    this.ended = last && this.#ends && this.#trailers === null;
    this.#shared.output.data(this.stream, bytes, from, to, this.ended);
    this.#window -= length;
    this.#shared.sendWindowBytes -= length;
    this.leftBytes += length;
    this.#shared.dataLeft(length, length < dropBytes && !last);
  }

  #end(): void {
    if (this.#trailers !== null) this.#shared.output.headers(this.stream, 0, this.#trailers, 0, this.#trailers.length, true);
    else if (!this.ended) this.#shared.output.data(this.stream, nothing, 0, 0, true);
    this.ended = true;
    this.#onEnded();
  }

  #keep(bytes: Buffer, owned: boolean): void {
    const copies = !owned && this.waitingBytes + bytes.length <= waitingBytesMax;
    this.#waiting.push(copies ? Buffer.from(bytes) : bytes);
    this.#borrows ||= !copies && !owned;
    this.waitingBytes += bytes.length;
    this.#shared.waits(this);
  }

  #flush(): void {
    for (const then of this.#flushing.splice(0)) then();
  }
}
