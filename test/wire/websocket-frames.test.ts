import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { WebSocketFrames } from "../../src/wire/websocket-frames.ts";

interface Sent {
  readonly opcode: number;
  readonly masked: boolean;
  readonly length: number;
}

/** Every way of writing a length, and its edges. */
const lengths = fc.oneof(fc.constantFrom(0, 1, 125, 126, 127, 65_535, 65_536), fc.nat({ max: 300 }));
const frames: fc.Arbitrary<Sent[]> = fc.array(
  fc.record({ opcode: fc.constantFrom(0, 1, 2, 9, 10), masked: fc.boolean(), length: lengths }),
  { minLength: 1, maxLength: 8 },
);

function written({ opcode, masked, length }: Sent): Buffer {
  const head = Buffer.alloc(10);
  head[0] = 0x80 | opcode;
  head[1] = (masked ? 0x80 : 0) | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (length >= 65_536) head.writeBigUInt64BE(BigInt(length), 2);
  else if (length >= 126) head.writeUInt16BE(length, 2);
  const headBytes = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  return Buffer.concat([head.subarray(0, headBytes), Buffer.alloc(length + (masked ? 4 : 0), 0x88)]);
}

/** Where frames end, with the bytes cut into pieces of these sizes, over and over. */
function endsFound(bytes: Buffer, pieces: readonly number[]): number[] {
  const reader = new WebSocketFrames();
  const ends: number[] = [];
  let from = 0;
  for (let turn = 0; from < bytes.length; turn += 1) {
    const end = Math.min(bytes.length, from + (pieces[turn % pieces.length] ?? 1));
    while (from < end) {
      from = reader.read(bytes, from, end);
      if (reader.between) ends.push(from);
      else assert.equal(from, end, "all that is there is read");
    }
  }
  assert.equal(reader.closed, false);
  return ends;
}

test("frames: their ends are found, whatever pieces they come in", () => {
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 5 }), (sent, pieces) => {
      const parts = sent.map(written);
      let end = 0;
      const ends = parts.map(({ length }) => {
        end += length;
        return end;
      });
      assert.deepEqual(endsFound(Buffer.concat(parts), pieces), ends);
    }),
    { numRuns: 200 },
  );
});

test("frames: one byte at a time, too, and a close frame is known as one", () => {
  const sent: Sent[] = [
    { opcode: 1, masked: false, length: 0 },
    { opcode: 2, masked: true, length: 126 },
    { opcode: 9, masked: true, length: 0 },
  ];
  assert.deepEqual(endsFound(Buffer.concat(sent.map(written)), [1]), [2, 136, 142]);
  const reader = new WebSocketFrames();
  reader.read(Uint8Array.of(0x88, 0x02, 0x03), 0, 3);
  assert.deepEqual([reader.closed, reader.between], [false, false]);
  reader.read(Uint8Array.of(0xf4), 0, 1);
  assert.deepEqual([reader.closed, reader.between], [true, true]);
});

test("frames: one whose length nobody can send never ends, and nothing stands still for it", () => {
  const reader = new WebSocketFrames();
  const head = Uint8Array.of(0x82, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
  assert.equal(reader.read(head, 0, head.length), head.length);
  assert.equal(reader.read(new Uint8Array(1_000), 0, 1_000), 1_000);
  assert.equal(reader.between, false);
});
