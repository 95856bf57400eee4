/**
 * Frames: how Coppice's processes talk over Unix sockets. One frame is a JSON head and an opaque body:
 *
 *     u32 big-endian  length of all that follows
 *     u32 big-endian  length of the head
 *     head            JSON, UTF-8
 *     body            bytes, may be empty
 *
 * The decoder takes bytes in any chunking, copies a body once, and never one that lies in one chunk. It knows
 * nothing of sockets; what a head may hold is declared in src/model.
 */
import { CoppiceError } from "../model/errors.ts";

/** A frame may not be longer: a session of 16 MiB is a mistake, a corrupt length must not eat the memory. */
export const frameBytesMax = 32 * 1024 * 1024;

const prefixBytes = 8;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const noBytes = new Uint8Array(0);

export interface Frame {
  readonly head: unknown;
  readonly body: Uint8Array;
}

/** @throws CoppiceError COPPICE_FRAME if the frame would be longer than `frameBytesMax`. */
export function encodeFrame(head: object, body: Uint8Array = noBytes): Uint8Array {
  const headBytes = encoder.encode(JSON.stringify(head));
  const length = 4 + headBytes.length + body.length;
  if (length > frameBytesMax) {
    throw new CoppiceError("COPPICE_FRAME", `a frame of ${length} bytes is longer than ${frameBytesMax}`, {
      facts: { length, frameBytesMax },
    });
  }
  const frame = new Uint8Array(4 + length);
  writeUint32(frame, 0, length);
  writeUint32(frame, 4, headBytes.length);
  frame.set(headBytes, prefixBytes);
  frame.set(body, prefixBytes + headBytes.length);
  return frame;
}

export class FrameDecoder {
  /** What has come of frames that are not whole. */
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** With so many bytes there is more to be said: the prefix, or the first frame. */
  #neededBytes = prefixBytes;

  /**
   * The frames that `chunk` completes, in order. Bodies may share memory with the chunk.
   * @throws CoppiceError COPPICE_FRAME on a length or a head that no encoder makes; the stream is then lost.
   */
  push(chunk: Uint8Array): Frame[] {
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.#pendingBytes < this.#neededBytes) return [];
    const bytes = this.#pending.length === 1 ? chunk : join(this.#pending, this.#pendingBytes);
    const frames: Frame[] = [];
    let at = 0;
    this.#neededBytes = prefixBytes;
    while (bytes.length - at >= prefixBytes) {
      const length = readUint32(bytes, at);
      const headLength = readUint32(bytes, at + 4);
      if (length > frameBytesMax || headLength + 4 > length) {
        throw new CoppiceError("COPPICE_FRAME", `not a frame: length ${length}, head ${headLength}`);
      }
      const end = at + 4 + length;
      if (bytes.length < end) {
        this.#neededBytes = end - at;
        break;
      }
      const headEnd = at + prefixBytes + headLength;
      frames.push({ head: parseHead(bytes.subarray(at + prefixBytes, headEnd)), body: bytes.subarray(headEnd, end) });
      at = end;
    }
    this.#pending = at === bytes.length ? [] : [bytes.subarray(at)];
    this.#pendingBytes = bytes.length - at;
    return frames;
  }
}

function parseHead(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new CoppiceError("COPPICE_FRAME", "the head of a frame is not JSON", { cause });
  }
}

function join(chunks: readonly Uint8Array[], bytes: number): Uint8Array {
  const joined = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function readUint32(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = bytes.subarray(at, at + 4);
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
