/**
 * The words of HTTP/2 (RFC 9113 §6, §7): types and flags of frames, settings, error codes; how a frame begins; and what
 * is wrong with one by its first nine bytes alone.
 */
import { ascii } from "./http-bytes.ts";

export const preface = ascii("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
export const frameHeadBytes = 9;
/** What we take in one frame, and what every client takes (SETTINGS_MAX_FRAME_SIZE as it is from the start). */
export const frameBytesMax = 16_384;
/** A window as it is from the start; and as large as one can be. */
export const windowBytesFirst = 65_535;
export const windowBytesMax = 0x7fff_ffff;

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const setting = {
  enablePush: 2,
  streamsMax: 3,
  initialWindow: 4,
  frameBytesMax: 5,
  fieldBytesMax: 6,
  connectProtocol: 8,
} as const;

/** What a stream is reset with, or a connection ended. `none` also says that nothing is wrong. */
export const errorCode = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  enhanceYourCalm: 11,
  http11Required: 13,
} as const;

export function uint32(bytes: Uint8Array, at: number): number {
  return (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0;
}

export function putUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Returns where the frame's payload begins. */
export function putFrameHead(bytes: Uint8Array, at: number, length: number, type: number, flags: number, stream: number): number {
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  putUint32(bytes, at + 5, stream);
  return at + frameHeadBytes;
}

/** The error of the whole connection that a frame is by its head alone, or `none`. Types that nobody knows are let pass. */
export function faultOfHead(type: number, flags: number, stream: number, length: number): number {
  if (length > frameBytesMax) return errorCode.frameSize;
  switch (type) {
    case frameType.data:
    case frameType.headers:
      if (stream === 0) return errorCode.protocol;
      return length < leastBytes(flags, type) ? errorCode.frameSize : errorCode.none;
    case frameType.priority:
      return stream === 0 ? errorCode.protocol : sized(length === 5);
    case frameType.reset:
      return stream === 0 ? errorCode.protocol : sized(length === 4);
    case frameType.settings:
      if (stream !== 0) return errorCode.protocol;
      return sized((flags & flag.ack) === 0 ? length % 6 === 0 : length === 0);
    case frameType.pushPromise:
      return errorCode.protocol;
    case frameType.ping:
      return stream !== 0 ? errorCode.protocol : sized(length === 8);
    case frameType.goAway:
      return stream !== 0 ? errorCode.protocol : sized(length >= 8);
    case frameType.windowUpdate:
      return sized(length === 4);
    default:
      return errorCode.none;
  }
}

function sized(fits: boolean): number {
  return fits ? errorCode.none : errorCode.frameSize;
}

/** What padding and priority take at least. */
function leastBytes(flags: number, type: number): number {
  const priorityBytes = type === frameType.headers && (flags & flag.priority) !== 0 ? 5 : 0;
  return priorityBytes + ((flags & flag.padded) !== 0 ? 1 : 0);
}

/** What of a client's settings matters here (§6.5.2), and what is wrong with them. All are read before any is in force. */
export function readSettings(
  bytes: Uint8Array,
  from: number,
  to: number,
  windowBytesBefore: number,
): { readonly fault: number; readonly initialWindowBytes: number } {
  let initialWindowBytes = windowBytesBefore;
  let fault: number = errorCode.none;
  for (let at = from; at < to; at += 6) {
    const id = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    const value = uint32(bytes, at + 2);
    if (id === setting.enablePush && value > 1) fault ||= errorCode.protocol;
    else if (id === setting.frameBytesMax && (value < frameBytesMax || value >= 2 ** 24)) fault ||= errorCode.protocol;
    else if (id === setting.initialWindow && value > windowBytesMax) fault ||= errorCode.flowControl;
    else if (id === setting.initialWindow) initialWindowBytes = value;
  }
  return { fault, initialWindowBytes };
}
