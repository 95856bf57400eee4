/**
 * What goes out on one connection of HTTP/2. Frames are put together in a block, straight from where their content lies, and what
 * was put there in one turn of the event loop leaves in one write; so nothing that was given is needed any longer when a call
 * returns. While a write is under way the next block fills, and no data is put behind a full one: that waits in its stream.
 */
import type { Socket } from "node:net";
import { encodedBytesMax, putLines, putNoTable, putStatus } from "../wire/hpack-encoder.ts";
import { flag, frameBytesMax, frameHeadBytes, frameType, putFrameHead, putUint32 } from "../wire/http2.ts";
import { Blocks } from "./blocks.ts";

/** Four records of TLS. */
const blockBytes = 64 * 1024;
const blocks = new Blocks(blockBytes, 256);
/** With its head a frame of data fills one record of TLS. */
const dataBytesMax = frameBytesMax - frameHeadBytes;
/** Room for less is not worth a frame. */
const roomBytesMin = 1_024;
/** Heads and acknowledgements that nobody takes: no further frame is read while more than this waits. */
const waitingBytesMax = 256 * 1024;

export class Http2Output {
  readonly #socket: Socket;
  readonly #onRoom: () => void;
  /** Being filled; null: nothing is there. */
  #block: Buffer | null = null;
  #at = 0;
  /** Full ones before it. */
  readonly #full: Buffer[] = [];
  #fullBytes = 0;
  #writingBytes = 0;
  #saidNoTable = false;

  /** `onRoom`: a write is done. */
  constructor(socket: Socket, onRoom: () => void) {
    this.#socket = socket;
    this.#onRoom = onRoom;
  }

  /** More waits than a client that reads leaves behind. */
  get isClogged(): boolean {
    return this.#writingBytes + this.#fullBytes + this.#at > waitingBytesMax;
  }

  /** So much data may be put now in one frame. */
  get room(): number {
    if (this.#fullBytes > 0) return 0;
    const room = blockBytes - this.#at - frameHeadBytes;
    return room < roomBytesMin ? 0 : Math.min(room, dataBytesMax);
  }

  /** No more than `room`. */
  data(stream: number, bytes: Buffer, from: number, to: number, ends: boolean): void {
    const length = to - from;
    const block = this.#blockFor(frameHeadBytes + length);
    const at = putFrameHead(block, this.#at, length, frameType.data, ends ? flag.endStream : 0, stream);
    bytes.copy(block, at, from, to);
    this.#at = at + length;
  }

  /** A head with its status, or with none trailers, from lines that each end with CR LF. */
  headers(stream: number, status: number, bytes: Uint8Array, linesAt: number, linesEnd: number, ends: boolean): void {
    const block = this.#blockFor(frameHeadBytes + encodedBytesMax(linesEnd - linesAt));
    const from = this.#at + frameHeadBytes;
    let at = this.#saidNoTable ? from : putNoTable(block, from);
    this.#saidNoTable = true;
    if (status !== 0) at = putStatus(block, at, status);
    at = putLines(block, at, bytes, linesAt, linesEnd);
    const flags = ends ? flag.endStream : 0;
    if (at - from <= frameBytesMax) {
      putFrameHead(block, this.#at, at - from, frameType.headers, flags | flag.endHeaders, stream);
      this.#at = at;
    } else this.#inFrames(stream, Buffer.from(block.subarray(from, at)), flags);
  }

  reset(stream: number, code: number): void {
    this.#uint32(frameType.reset, stream, code);
  }

  windowUpdate(stream: number, bytes: number): void {
    this.#uint32(frameType.windowUpdate, stream, bytes);
  }

  settings(settings: readonly (readonly [number, number])[]): void {
    const payload = Buffer.alloc(6 * settings.length);
    for (const [index, [id, value]] of settings.entries()) {
      payload.writeUInt16BE(id, 6 * index);
      payload.writeUInt32BE(value, 6 * index + 2);
    }
    this.#frame(frameType.settings, 0, 0, payload, 0, payload.length);
  }

  settingsAck(): void {
    this.#frame(frameType.settings, flag.ack, 0, null, 0, 0);
  }

  ping(payload: Buffer): void {
    this.#frame(frameType.ping, 0, 0, payload, 0, payload.length);
  }

  pingAck(bytes: Uint8Array, from: number, to: number): void {
    this.#frame(frameType.ping, flag.ack, 0, bytes, from, to);
  }

  goAway(lastStream: number, code: number): void {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(lastStream, 0);
    payload.writeUInt32BE(code, 4);
    this.#frame(frameType.goAway, 0, 0, payload, 0, payload.length);
  }

  /** Writes what is there, unless a write is under way: then that follows it. */
  flush(): void {
    if (this.#writingBytes === 0) this.#write();
  }

  /** Writes what is there, and ends. */
  end(): void {
    this.#write();
    if (!this.#socket.writableEnded) this.#socket.end();
  }

  #write(): void {
    const block = this.#block;
    if (block === null) return;
    const bytes = this.#fullBytes + this.#at;
    const last = block.subarray(0, this.#at);
    const full = this.#full.splice(0);
    this.#writingBytes += bytes;
    this.#block = null;
    this.#at = 0;
    this.#fullBytes = 0;
    if (full.length > 0) this.#socket.cork();
    for (const one of full) this.#socket.write(one);
    this.#socket.write(last, () => {
      blocks.give(block);
      this.#writingBytes -= bytes;
      if (this.#writingBytes === 0) this.#onRoom();
    });
    if (full.length > 0) this.#socket.uncork();
  }

  /** A block with so much room behind `#at`. */
  #blockFor(bytes: number): Buffer {
    const block = this.#block;
    if (block !== null && block.length - this.#at >= bytes) return block;
    if (block !== null) {
      this.#full.push(block.subarray(0, this.#at));
      this.#fullBytes += this.#at;
    }
    this.#at = 0;
    this.#block = bytes <= blockBytes ? blocks.take() : Buffer.allocUnsafeSlow(bytes);
    return this.#block;
  }

  #frame(type: number, flags: number, stream: number, bytes: Uint8Array | null, from: number, to: number): void {
    const block = this.#blockFor(frameHeadBytes + to - from);
    let at = putFrameHead(block, this.#at, to - from, type, flags, stream);
    for (let index = from; index < to; index += 1, at += 1) block[at] = bytes?.[index] ?? 0;
    this.#at = at;
  }

  #uint32(type: number, stream: number, value: number): void {
    const block = this.#blockFor(frameHeadBytes + 4);
    const at = putFrameHead(block, this.#at, 4, type, 0, stream);
    putUint32(block, at, value);
    this.#at = at + 4;
  }

  /** Fields that are too long for one frame (RFC 9113 §6.10). */
  #inFrames(stream: number, fields: Buffer, flags: number): void {
    for (let from = 0; from < fields.length; from += frameBytesMax) {
      const to = Math.min(from + frameBytesMax, fields.length);
      const type = from === 0 ? frameType.headers : frameType.continuation;
      this.#frame(type, (from === 0 ? flags : 0) | (to === fields.length ? flag.endHeaders : 0), stream, fields, from, to);
    }
  }
}
