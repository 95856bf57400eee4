/**
 * A client's bytes as frames (RFC 9113 §3.4, §4, §6.1, §6.2, §6.10), however they were cut: the preface, then SETTINGS, then whatever
 * comes. DATA is passed on as it comes and never kept; any other frame is passed on whole, out of the bytes that were
 * read where it lies in them, else out of a copy. A head with its CONTINUATION frames counts as one frame.
 *
 * Whatever is an error of the whole connection ends the reading and is returned as its code; nothing may be read after it.
 */
import { errorCode, faultOfHead, flag, frameHeadBytes, frameType, preface, uint32 } from "./http2.ts";

/** More frames for one head than this are a flood, whatever they hold. */
const continuationsMax = 64;

/** Each returns an error code of the connection, or `errorCode.none`. Positions are valid during the call. */
export interface FrameSink {
  /** A part of a DATA frame. `heldBytes`: what it takes of windows, with padding. `ends`: the stream's last. */
  data(stream: number, bytes: Uint8Array, from: number, to: number, heldBytes: number, ends: boolean): number;
  /** All fields of a head or of trailers, compressed. */
  headers(stream: number, bytes: Uint8Array, from: number, to: number, ends: boolean): number;
  /** Any other frame that is known. */
  control(type: number, flags: number, stream: number, bytes: Uint8Array, from: number, to: number): number;
  /** A frame that costs and brings nothing: of DATA or CONTINUATION without a byte, or of a type that nobody knows. */
  idle(): number;
}

export class FrameReader {
  /** A frame that is not DATA, or a head, has begun to come. */
  midway = true;
  /** How many have come whole. */
  frames = 0;
  readonly #headersBytesMax: number;
  #prefaceBytes = 0;
  readonly #head = new Uint8Array(frameHeadBytes);
  #headBytes = 0;
  // The frame whose payload is awaited.
  #type = -1;
  #flags = 0;
  #stream = 0;
  /** Of its payload, as far as it has not come. */
  #left = 0;
  /** DATA: of these, padding at the end; −1: not known yet. */
  #padding = 0;
  /** DATA: some of it was data. */
  #carries = false;
  #kept: Uint8Array | null = null;
  // The head that comes in several frames; stream zero: none.
  #openStream = 0;
  #openFlags = 0;
  #openParts: Uint8Array[] = [];
  #openBytes = 0;

  /** `headersBytesMax`: of one head, compressed. */
  constructor(headersBytesMax: number) {
    this.#headersBytesMax = headersBytesMax;
  }

  read(bytes: Uint8Array, sink: FrameSink): number {
    let at = 0;
    while (this.#prefaceBytes < preface.length && at < bytes.length) {
      if (bytes[at] !== preface[this.#prefaceBytes]) return errorCode.protocol;
      this.#prefaceBytes += 1;
      at += 1;
    }
    while (at < bytes.length || (this.#type >= 0 && this.#left === 0)) {
      if (this.#type < 0) {
        const payloadAt = this.#readHead(bytes, at);
        if (payloadAt < 0) return -payloadAt;
        at = payloadAt;
      } else {
        const end = Math.min(at + this.#left, bytes.length);
        const fault = this.#type === frameType.data ? this.#readData(bytes, at, end, sink) : this.#readFrame(bytes, at, end, sink);
        if (fault !== errorCode.none) return fault;
        at = end;
      }
    }
    this.midway = this.#headBytes > 0 || (this.#type >= 0 && this.#type !== frameType.data) || this.#openStream !== 0 || this.frames === 0;
    return errorCode.none;
  }

  /** Returns where the payload begins, or an error's code as a negative number. */
  #readHead(bytes: Uint8Array, from: number): number {
    let at = from;
    let head = bytes;
    let headAt = from;
    if (this.#headBytes > 0 || bytes.length - from < frameHeadBytes) {
      for (; at < bytes.length && this.#headBytes < frameHeadBytes; at += 1, this.#headBytes += 1)
        this.#head[this.#headBytes] = bytes[at] ?? 0;
      if (this.#headBytes < frameHeadBytes) return at;
      head = this.#head;
      headAt = 0;
      this.#headBytes = 0;
    } else at += frameHeadBytes;
    const start = uint32(head, headAt);
    this.#left = start >>> 8;
    const type = start & 0xff;
    this.#flags = head[headAt + 4] ?? 0;
    this.#stream = uint32(head, headAt + 5) & 0x7fff_ffff;
    this.#padding = type === frameType.data && (this.#flags & flag.padded) !== 0 ? -1 : 0;
    const fault = faultOfHead(type, this.#flags, this.#stream, this.#left) || this.#faultOfPlace(type);
    this.#type = type;
    this.#carries = false;
    return fault === errorCode.none ? at : -fault;
  }

  /** SETTINGS come first; nothing comes between the frames of a head. */
  #faultOfPlace(type: number): number {
    if (this.frames === 0 && (type !== frameType.settings || (this.#flags & flag.ack) !== 0)) return errorCode.protocol;
    const fits =
      this.#openStream === 0 ? type !== frameType.continuation : type === frameType.continuation && this.#stream === this.#openStream;
    return fits ? errorCode.none : errorCode.protocol;
  }

  #readData(bytes: Uint8Array, from: number, end: number, sink: FrameSink): number {
    let dataAt = from;
    if (this.#padding < 0) {
      this.#padding = bytes[from] ?? 0;
      this.#left -= 1;
      dataAt += 1;
      if (this.#padding > this.#left) return errorCode.protocol;
    }
    const dataEnd = dataAt + Math.min(end - dataAt, this.#left - this.#padding);
    this.#left -= end - dataAt;
    this.#padding = Math.min(this.#padding, this.#left);
    const whole = this.#left === 0;
    const ends = whole && (this.#flags & flag.endStream) !== 0;
    if (whole) this.#frameRead();
    this.#carries ||= dataEnd > dataAt;
    if (whole && !ends && !this.#carries) {
      const fault = sink.idle();
      if (fault !== errorCode.none) return fault;
    }
    return sink.data(this.#stream, bytes, dataAt, dataEnd, end - from, ends);
  }

  #readFrame(bytes: Uint8Array, from: number, end: number, sink: FrameSink): number {
    if (this.#kept === null && end - from === this.#left) return this.#pass(bytes, from, end, sink);
    this.#kept ??= new Uint8Array(this.#left);
    this.#kept.set(bytes.subarray(from, end), this.#kept.length - this.#left);
    this.#left -= end - from;
    if (this.#left > 0) return errorCode.none;
    const kept = this.#kept;
    this.#kept = null;
    return this.#pass(kept, 0, kept.length, sink);
  }

  #frameRead(): void {
    this.#type = -1;
    this.#left = 0;
    if (this.#openStream === 0) this.frames += 1;
  }

  #pass(bytes: Uint8Array, from: number, to: number, sink: FrameSink): number {
    const type = this.#type;
    this.#frameRead();
    if (type === frameType.headers) return this.#passHeaders(bytes, from, to, sink);
    if (type === frameType.continuation) return this.#passContinuation(bytes, from, to, sink);
    if (type > frameType.continuation) return sink.idle();
    return sink.control(type, this.#flags, this.#stream, bytes, from, to);
  }

  #passHeaders(bytes: Uint8Array, from: number, to: number, sink: FrameSink): number {
    const padded = (this.#flags & flag.padded) !== 0;
    const at = from + (padded ? 1 : 0) + ((this.#flags & flag.priority) !== 0 ? 5 : 0);
    const end = to - (padded ? (bytes[from] ?? 0) : 0);
    if (end < at) return errorCode.protocol;
    if ((this.#flags & flag.endHeaders) !== 0) return sink.headers(this.#stream, bytes, at, end, (this.#flags & flag.endStream) !== 0);
    this.#openStream = this.#stream;
    this.#openFlags = this.#flags;
    this.#openParts = [bytes.slice(at, end)];
    this.#openBytes = end - at;
    return errorCode.none;
  }

  #passContinuation(bytes: Uint8Array, from: number, to: number, sink: FrameSink): number {
    this.#openParts.push(bytes.slice(from, to));
    this.#openBytes += to - from;
    if (this.#openBytes > this.#headersBytesMax || this.#openParts.length > continuationsMax) return errorCode.enhanceYourCalm;
    if ((this.#flags & flag.endHeaders) === 0) return from === to ? sink.idle() : errorCode.none;
    const all = new Uint8Array(this.#openBytes);
    let at = 0;
    for (const part of this.#openParts) {
      all.set(part, at);
      at += part.length;
    }
    const stream = this.#openStream;
    this.#openStream = 0;
    this.#openParts = [];
    this.frames += 1;
    return sink.headers(stream, all, 0, all.length, (this.#openFlags & flag.endStream) !== 0);
  }
}
