/** HPACK: the RFC's own examples, what is no HPACK, and Node's HTTP/2 as the other side. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HpackDecoder } from "../../src/wire/hpack-decoder.ts";
import { encodedBytesMax, putLines, putStatus } from "../../src/wire/hpack-encoder.ts";
import { codeBits, decodeHuffman } from "../../src/wire/huffman.ts";
import { h2Client, withBits } from "./http2-peer.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

/** The fields of a block, or null where it is none. */
function decoded(decoder: HpackDecoder, bytes: Uint8Array): string[] | null {
  const fields: string[] = [];
  const whole = decoder.decode(bytes, 0, bytes.length, {
    field: (line, nameEnd, valueEnd) => {
      const text = Buffer.from(line).toString("latin1", 0, valueEnd + 2);
      assert.equal(text.slice(nameEnd, nameEnd + 2) + text.slice(valueEnd), ": \r\n");
      fields.push(text.slice(0, valueEnd));
    },
  });
  return whole ? fields : null;
}

interface Example {
  readonly of: string;
  /** SETTINGS_HEADER_TABLE_SIZE. */
  readonly tableBytesMax: number;
  /** Each with its fields, and the table's size behind it. */
  readonly blocks: readonly (readonly [string, readonly string[], number])[];
}

const requests: readonly (readonly string[])[] = [
  [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"],
  [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache"],
  [":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com", "custom-key: custom-value"],
];
const date = (second: number) => `date: Mon, 21 Oct 2013 20:13:${second} GMT`;
const answers: readonly (readonly string[])[] = [
  [":status: 302", "cache-control: private", date(21), "location: https://www.example.com"],
  [":status: 307", "cache-control: private", date(21), "location: https://www.example.com"],
  [
    ":status: 200",
    "cache-control: private",
    date(22),
    "location: https://www.example.com",
    "content-encoding: gzip",
    "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
  ],
];
const rows = (blocks: readonly string[], fields: readonly (readonly string[])[], sizes: readonly number[]) =>
  blocks.map((block, at) => [block, fields[at] ?? [], sizes[at] ?? 0] as const);

const examples: readonly Example[] = [
  {
    of: "C.2.1",
    tableBytesMax: 4096,
    blocks: [["400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", ["custom-key: custom-header"], 55]],
  },
  { of: "C.2.2", tableBytesMax: 4096, blocks: [["040c 2f73 616d 706c 652f 7061 7468", [":path: /sample/path"], 0]] },
  { of: "C.2.3", tableBytesMax: 4096, blocks: [["1008 7061 7373 776f 7264 0673 6563 7265 74", ["password: secret"], 0]] },
  { of: "C.2.4", tableBytesMax: 4096, blocks: [["82", [":method: GET"], 0]] },
  {
    of: "C.3",
    tableBytesMax: 4096,
    blocks: rows(
      [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
      ],
      requests,
      [57, 110, 164],
    ),
  },
  {
    of: "C.4",
    tableBytesMax: 4096,
    blocks: rows(
      [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
      ],
      requests,
      [57, 110, 164],
    ),
  },
  {
    of: "C.5",
    tableBytesMax: 256,
    blocks: rows(
      [
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
      ],
      answers,
      [222, 222, 215],
    ),
  },
  {
    of: "C.6",
    tableBytesMax: 256,
    blocks: rows(
      [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
      ],
      answers,
      [222, 222, 215],
    ),
  },
];

for (const { of, tableBytesMax, blocks } of examples)
  test(`HPACK: RFC 7541, ${of}`, () => {
    const decoder = new HpackDecoder();
    decoder.table.resize(tableBytesMax);
    for (const [block, fields, bytes] of blocks) {
      assert.deepEqual(decoded(decoder, hex(block)), fields);
      assert.equal(decoder.table.bytes, bytes);
    }
  });

test("HPACK: what is none is told", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["index 0", "80"],
    ["an index that nobody has learnt", "be"],
    ["a name that nobody has learnt", "7f 00 0161"],
    ["a number without its end", "ff"],
    ["a number without end", "ff ff ff ff ff ff 01"],
    ["a string longer than the block", "00 05 6161"],
    ["a value that is missing", "00 01 61"],
    ["a table larger than offered", "3f e2 1f"],
    ["a table's size behind a field", "82 20"],
    ["padding of zeros", "00 01 61 81 18"],
    ["padding of eight bits", "00 01 61 82 1f ff"],
    ["the end of string in a string", "00 01 61 84 ff ff ff ff"],
  ];
  for (const [what, bytes] of cases) assert.equal(decoded(new HpackDecoder(), hex(bytes)), null, what);
  assert.deepEqual(decoded(new HpackDecoder(), hex("3f e1 1f 20 82")), [":method: GET"]);
});

test("HPACK: an entry larger than the table empties it; a table of no size keeps nothing", () => {
  const decoder = new HpackDecoder();
  const literal = (name: string, value: string) => Buffer.concat([hex("40"), text(name), text(value)]);
  const text = (of: string) =>
    of.length < 127
      ? Buffer.concat([Buffer.from([of.length]), Buffer.from(of)])
      : Buffer.concat([Buffer.from([127, ((of.length - 127) & 127) | 128, (of.length - 127) >> 7]), Buffer.from(of)]);
  decoded(decoder, literal("a", "b"));
  assert.deepEqual([decoder.table.count, decoder.table.bytes], [1, 34]);
  assert.deepEqual(decoded(decoder, literal("a", "x".repeat(5_000))), [`a: ${"x".repeat(5_000)}`]);
  assert.deepEqual([decoder.table.count, decoder.table.bytes], [0, 0]);
  for (let count = 0; count < 300; count += 1) decoded(decoder, literal("", ""));
  assert.deepEqual([decoder.table.count, decoder.table.bytes], [128, 4096]);
  decoded(decoder, hex("20"));
  assert.deepEqual([decoder.table.count, decoder.table.bytes], [0, 0]);
});

test("HPACK: Huffman: any bytes at all are decoded as bit by bit, or told to be none", () => {
  const property = fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    const target = Buffer.alloc(100);
    const end = decodeHuffman(bytes, 0, bytes.length, target, 0);
    const wanted = withBits(bytes);
    assert.deepEqual(end < 0 ? null : target.toString("latin1", 0, end), wanted);
  });
  fc.assert(property, { numRuns: 2_000 });
});

const name = fc
  .stringMatching(/^[a-z0-9!#$%&'*+.^_`|~-]{1,40}$/)
  .filter((one) => !/^(connection|host|te|upgrade|cookie|keep-alive)$/.test(one));
const value = fc
  .array(fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff })), { maxLength: 200 })
  .map((bytes) => Buffer.from(bytes).toString("latin1").trim());

test("HPACK: what Node's HTTP/2 encodes is decoded, request after request on one connection", async () => {
  const property = fc.asyncProperty(
    fc.array(fc.array(fc.tuple(name, value), { maxLength: 20 }), { minLength: 1, maxLength: 8 }),
    async (heads) => {
      const decoder = new HpackDecoder();
      const client = h2Client();
      for (const head of heads) {
        const pairs = [":method", "GET", ":scheme", "http", ":path", "/x", ":authority", "a.example", ...head.flat()];
        const block = await client.request(pairs);
        const wanted = Array.from({ length: pairs.length / 2 }, (_, at) => `${pairs[2 * at]}: ${pairs[2 * at + 1]}`);
        assert.deepEqual(decoded(decoder, block), wanted);
      }
      client.close();
    },
  );
  await fc.assert(property, { numRuns: 60 });
});

test("HPACK: the Huffman code is whole, and each of its symbols that a field may hold is Node's", async () => {
  assert.equal(
    codeBits.reduce((sum, bits) => sum + 2 ** -bits, 0),
    1,
  );
  const decoder = new HpackDecoder();
  const client = h2Client();
  for (const byte of [0x09, ...Array.from({ length: 0xe0 }, (_, at) => 0x20 + at)]) {
    if (byte === 0x7f) continue;
    // Long enough that the rare one does not make the code longer than the letters.
    const value = "a".repeat(20) + String.fromCharCode(byte) + "a".repeat(20);
    const block = await client.request([":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a", "x", value]);
    assert.ok(!block.includes("aaaa"), `${byte} was not encoded`);
    assert.equal(decoded(decoder, block)?.at(-1), `x: ${value}`);
  }
  client.close();
});

test("HPACK: what is encoded here its decoder reads, without what is of one connection of HTTP/1.1", () => {
  const property = fc.property(fc.integer({ min: 100, max: 999 }), fc.array(fc.tuple(name, value), { maxLength: 20 }), (status, fields) => {
    const lines = Buffer.from(
      [...fields, ["Connection", "close"] as const, ["Transfer-Encoding", "chunked"] as const]
        .map(([one, said]) => `${one.replace(/^[a-z]/, (letter) => letter.toUpperCase())}: ${said}\r\n`)
        .join(""),
      "latin1",
    );
    const target = Buffer.alloc(encodedBytesMax(lines.length));
    const end = putLines(target, putStatus(target, 0, status), lines, 0, lines.length);
    assert.ok(end <= target.length);
    const wanted = [`:status: ${status}`, ...fields.map(([one, said]) => `${one}: ${said}`)];
    assert.deepEqual(decoded(new HpackDecoder(), target.subarray(0, end)), wanted);
  });
  fc.assert(property, { numRuns: 500 });
});
