/** Frames of HTTP/2: the same whatever cut the bytes; and what a frame may not be. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { errorCode, flag, frameType, putFrameHead, readSettings, setting } from "../../src/wire/http2.ts";
import { FrameReader } from "../../src/wire/http2-frame-reader.ts";

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  putFrameHead(head, 0, payload.length, type, flags, stream);
  return Buffer.concat([head, payload]);
}

const opening = Buffer.concat([preface, frame(frameType.settings, 0, 0)]);

/** What a reader tells, data put together; the last is the error where there was one. */
function told(chunks: readonly Uint8Array[], headersBytesMax = 1_000): unknown[] {
  const events: unknown[] = [];
  let data = Buffer.alloc(0);
  let held = 0;
  const reader = new FrameReader(headersBytesMax);
  const sink = {
    data: (stream: number, bytes: Uint8Array, from: number, to: number, heldBytes: number, ends: boolean) => {
      data = Buffer.concat([data, bytes.subarray(from, to)]);
      held += heldBytes;
      // A frame's last part says whether the stream ends; frames of data that end nothing are one with the next.
      if (!ends) return errorCode.none;
      events.push(["data", stream, data.toString("hex"), held]);
      data = Buffer.alloc(0);
      held = 0;
      return errorCode.none;
    },
    headers: (stream: number, bytes: Uint8Array, from: number, to: number, ends: boolean) => {
      events.push(["headers", stream, Buffer.from(bytes.subarray(from, to)).toString("hex"), ends]);
      return errorCode.none;
    },
    control: (type: number, flags: number, stream: number, bytes: Uint8Array, from: number, to: number) => {
      events.push([type, flags, stream, Buffer.from(bytes.subarray(from, to)).toString("hex")]);
      return errorCode.none;
    },
    idle: () => {
      events.push("idle");
      return errorCode.none;
    },
  };
  for (const chunk of chunks) {
    const fault = reader.read(chunk, sink);
    if (fault !== errorCode.none) return [...events, data.toString("hex"), fault];
  }
  return [...events, data.toString("hex"), reader.midway];
}

const payload = (maxLength: number) => fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes));
const padded = (inside: Buffer, pad: number | null) =>
  pad === null ? inside : Buffer.concat([Buffer.from([pad]), inside, Buffer.alloc(pad)]);
const padding = fc.option(fc.nat(20));

const dataFrame = fc
  .tuple(payload(300), padding, fc.boolean())
  .map(([bytes, pad, ends]) =>
    frame(frameType.data, (ends ? flag.endStream : 0) | (pad === null ? 0 : flag.padded), 1, padded(bytes, pad)),
  );
const headersFrames = fc
  .tuple(payload(200), padding, fc.boolean(), fc.array(payload(100), { maxLength: 3 }))
  .map(([bytes, pad, prioritized, more]) => {
    const inside = prioritized ? Buffer.concat([Buffer.alloc(5), bytes]) : bytes;
    const flags = (pad === null ? 0 : flag.padded) | (prioritized ? flag.priority : 0) | (more.length === 0 ? flag.endHeaders : 0);
    const continuations = more.map((part, at) => frame(frameType.continuation, at === more.length - 1 ? flag.endHeaders : 0, 3, part));
    return Buffer.concat([frame(frameType.headers, flags, 3, padded(inside, pad)), ...continuations]);
  });
const otherFrame = fc.oneof(
  payload(8).map((bytes) => frame(frameType.ping, 0, 0, Buffer.concat([bytes, Buffer.alloc(8)]).subarray(0, 8))),
  fc.constant(frame(frameType.windowUpdate, 0, 0, Buffer.from([0, 0, 1, 0]))),
  fc.constant(frame(frameType.reset, 0, 5, Buffer.alloc(4))),
  payload(50).map((bytes) => frame(0xfa, 0xff, 7, bytes)),
);

test("HTTP/2 frames: any cut of the bytes tells the same", () => {
  const frames = fc.array(fc.oneof(dataFrame, headersFrames, otherFrame), { maxLength: 12 });
  const property = fc.property(frames, fc.array(fc.nat(4_000), { maxLength: 30 }), fc.boolean(), (some, places, each) => {
    const bytes = Buffer.concat([opening, ...some]);
    const cuts = each ? Array.from(bytes, (_, at) => at) : places.map((place) => place % bytes.length).sort((a, b) => a - b);
    const chunks = [...cuts, bytes.length].map((end, at) => bytes.subarray(at === 0 ? 0 : cuts[at - 1], end));
    assert.deepEqual(told(chunks), told([bytes]));
    assert.equal(told([bytes]).at(-1), false, "nothing is left over");
  });
  fc.assert(property, { numRuns: 500 });
});

test("HTTP/2 frames: mutated bytes are told the same however they are cut, and never thrown at", () => {
  const frames = fc.array(fc.oneof(dataFrame, headersFrames, otherFrame), { minLength: 1, maxLength: 6 });
  const change = fc.tuple(fc.nat(1_000), fc.nat(255));
  const property = fc.property(frames, fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(1_000), (some, changes, cut) => {
    const bytes = Buffer.concat([opening, ...some]);
    for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
    const at = cut % bytes.length;
    assert.deepEqual(told([bytes.subarray(0, at), bytes.subarray(at)]), told([bytes]));
  });
  fc.assert(property, { numRuns: 2_000 });
});

test("HTTP/2 frames: what padding and priority take is not data", () => {
  const one = frame(frameType.data, flag.padded | flag.endStream, 1, Buffer.from([2, 7, 7, 7, 0, 0]));
  assert.deepEqual(told([opening, one])[1], ["data", 1, "070707", 6]);
  const head = frame(frameType.headers, flag.padded | flag.priority | flag.endHeaders, 1, Buffer.from([1, 9, 9, 9, 9, 9, 7, 7, 0]));
  assert.deepEqual(told([opening, head])[1], ["headers", 1, "0707", false]);
});

test("HTTP/2 frames: an error of the connection is told by its code", () => {
  const { protocol, frameSize, enhanceYourCalm } = errorCode;
  const open = frame(frameType.headers, 0, 1, Buffer.from([0x82]));
  const more = (bytes: number) => frame(frameType.continuation, 0, 1, Buffer.alloc(bytes));
  const cases: readonly (readonly [string, number, readonly Buffer[]])[] = [
    ["another protocol", protocol, [Buffer.from("GET / HTTP/1.1\r\n")]],
    ["no settings first", protocol, [preface, frame(frameType.ping, 0, 0, Buffer.alloc(8))]],
    ["an acknowledgement first", protocol, [preface, frame(frameType.settings, flag.ack, 0)]],
    ["too large", frameSize, [opening, frame(frameType.data, 0, 1, Buffer.alloc(16_385))]],
    ["too large, of no known type", frameSize, [opening, frame(0xfa, 0, 1, Buffer.alloc(16_385))]],
    ["data on stream 0", protocol, [opening, frame(frameType.data, 0, 0, Buffer.alloc(1))]],
    ["a head on stream 0", protocol, [opening, frame(frameType.headers, flag.endHeaders, 0)]],
    ["a reset on stream 0", protocol, [opening, frame(frameType.reset, 0, 0, Buffer.alloc(4))]],
    ["a priority on stream 0", protocol, [opening, frame(frameType.priority, 0, 0, Buffer.alloc(5))]],
    ["settings on a stream", protocol, [opening, frame(frameType.settings, 0, 1)]],
    ["a ping on a stream", protocol, [opening, frame(frameType.ping, 0, 1, Buffer.alloc(8))]],
    ["a farewell on a stream", protocol, [opening, frame(frameType.goAway, 0, 1, Buffer.alloc(8))]],
    ["a promise", protocol, [opening, frame(frameType.pushPromise, flag.endHeaders, 1, Buffer.alloc(4))]],
    ["settings of five bytes", frameSize, [opening, frame(frameType.settings, 0, 0, Buffer.alloc(5))]],
    ["an acknowledgement that says something", frameSize, [opening, frame(frameType.settings, flag.ack, 0, Buffer.alloc(6))]],
    ["a ping of seven bytes", frameSize, [opening, frame(frameType.ping, 0, 0, Buffer.alloc(7))]],
    ["a reset of five bytes", frameSize, [opening, frame(frameType.reset, 0, 1, Buffer.alloc(5))]],
    ["a window of three bytes", frameSize, [opening, frame(frameType.windowUpdate, 0, 1, Buffer.alloc(3))]],
    ["a priority of four bytes", frameSize, [opening, frame(frameType.priority, 0, 1, Buffer.alloc(4))]],
    ["a farewell of seven bytes", frameSize, [opening, frame(frameType.goAway, 0, 0, Buffer.alloc(7))]],
    ["data without its padding's length", frameSize, [opening, frame(frameType.data, flag.padded, 1)]],
    ["a head without its priority", frameSize, [opening, frame(frameType.headers, flag.priority, 1, Buffer.alloc(4))]],
    ["more padding than data", protocol, [opening, frame(frameType.data, flag.padded, 1, Buffer.from([3, 0, 0]))]],
    ["more padding than head", protocol, [opening, frame(frameType.headers, flag.padded | flag.endHeaders, 1, Buffer.from([2, 0]))]],
    ["a continuation of nothing", protocol, [opening, more(1)]],
    ["another frame within a head", protocol, [opening, open, frame(frameType.ping, 0, 0, Buffer.alloc(8))]],
    ["a frame of no known type within a head", protocol, [opening, open, frame(0xfa, 0, 1)]],
    ["another stream's continuation", protocol, [opening, open, frame(frameType.continuation, flag.endHeaders, 3)]],
    ["a head that is too long", enhanceYourCalm, [opening, open, more(500), more(500)]],
    ["a head in too many frames", enhanceYourCalm, [opening, open, ...Array.from({ length: 64 }, () => more(1))]],
  ];
  for (const [what, code, chunks] of cases) {
    assert.equal(told(chunks).at(-1), code, what);
    assert.equal(told([Buffer.concat(chunks)]).at(-1), code, `${what}, in one read`);
  }
});

test("HTTP/2 settings: what they may not say; the last of several holds, and unknown ones say nothing", () => {
  const read = (...settings: readonly (readonly [number, number])[]) => {
    const bytes = Buffer.alloc(6 * settings.length);
    for (const [at, [id, value]] of settings.entries()) {
      bytes.writeUInt16BE(id, 6 * at);
      bytes.writeUInt32BE(value, 6 * at + 2);
    }
    const { fault, initialWindowBytes } = readSettings(bytes, 0, bytes.length, 65_535);
    return fault === errorCode.none ? initialWindowBytes : -fault;
  };
  assert.equal(read(), 65_535);
  assert.equal(read([setting.initialWindow, 1], [setting.initialWindow, 0]), 0);
  assert.equal(read([setting.initialWindow, 2 ** 31 - 1], [0xfafa, 7], [setting.enablePush, 1]), 2 ** 31 - 1);
  assert.equal(read([setting.initialWindow, 2 ** 31]), -errorCode.flowControl);
  assert.equal(read([setting.enablePush, 2]), -errorCode.protocol);
  assert.equal(read([setting.frameBytesMax, 16_383]), -errorCode.protocol);
  assert.equal(read([setting.frameBytesMax, 2 ** 24]), -errorCode.protocol);
  assert.equal(read([setting.frameBytesMax, 2 ** 24 - 1]), 65_535);
});
