/** Frames: what one side encodes the other decodes, however the bytes were cut. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CoppiceError } from "../../src/model/errors.ts";
import { encodeFrame, FrameDecoder, frameBytesMax } from "../../src/wire/frame.ts";

const anyFrame = fc.record({
  head: fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean())),
  body: fc.uint8Array({ maxLength: 300 }),
});

test("frames: any sequence survives any chunking, byte for byte", () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 6 }), fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (frames, cuts) => {
      const stream = Buffer.concat(frames.map(({ head, body }) => encodeFrame(head, body)));
      const decoder = new FrameDecoder();
      const decoded: { head: unknown; body: Uint8Array }[] = [];
      for (let at = 0, turn = 0; at < stream.length; turn += 1) {
        const length = cuts[turn % cuts.length] ?? 1;
        // A copy, as a socket's buffer is: the decoder must not count on the next chunk lying behind it.
        for (const frame of decoder.push(Uint8Array.from(stream.subarray(at, at + length))))
          decoded.push({ head: frame.head, body: Uint8Array.from(frame.body) });
        at += length;
      }
      assert.deepEqual(
        decoded.map(({ head, body }) => [JSON.stringify(head), [...body]]),
        frames.map(({ head, body }) => [JSON.stringify(head), [...body]]),
      );
    }),
  );
});

test("frames: a length that no encoder writes is refused, not waited for", () => {
  const tooLong = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2]);
  const headBeyondEnd = new Uint8Array([0, 0, 0, 6, 0, 0, 0, 9]);
  const notJson = new Uint8Array([0, 0, 0, 6, 0, 0, 0, 2, 0x7b, 0x7b]);
  for (const bytes of [tooLong, headBeyondEnd, notJson]) {
    assert.throws(
      () => new FrameDecoder().push(bytes),
      (error) => error instanceof CoppiceError && error.code === "COPPICE_FRAME",
    );
  }
});

test("frames: one that is too long is refused by the side that makes it", () => {
  assert.throws(() => encodeFrame({}, new Uint8Array(frameBytesMax)), /longer than/);
});

test("frames: a body that comes in many chunks is copied once", (t) => {
  const stream = encodeFrame({ type: "state" }, new Uint8Array(4 * 1024 * 1024));
  let copied = 0;
  const set = Uint8Array.prototype.set;
  t.mock.method(Uint8Array.prototype, "set", function (this: Uint8Array, from: ArrayLike<number>, at?: number) {
    copied += from.length;
    set.call(this, from, at);
  });
  const decoder = new FrameDecoder();
  const frames = [];
  for (let at = 0; at < stream.length; at += 4_096) frames.push(...decoder.push(stream.subarray(at, at + 4_096)));
  assert.equal(frames.length, 1);
  assert.ok(copied > 0 && copied <= 2 * stream.length, `${copied} bytes copied for ${stream.length}`);
});
