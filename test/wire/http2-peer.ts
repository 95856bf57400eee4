/** The other side for tests of HTTP/2's wire: Node's own client, in memory, and a Huffman decoder that is slow and plain. */
import { once } from "node:events";
import { connect } from "node:http2";
import { duplexPair } from "node:stream";
import { codeBits } from "../../src/wire/huffman.ts";

interface PeerFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** A client that says what it would send. */
export function h2Client(): { request(pairs: readonly string[]): Promise<Buffer>; close(): void } {
  const [near, far] = duplexPair();
  const session = connect("http://a.example", { createConnection: () => near }).on("error", () => {});
  const frames: PeerFrame[] = [];
  let bytes = Buffer.alloc(0);
  let prefaceLeft = 24;
  far.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    if (prefaceLeft > 0 && bytes.length >= prefaceLeft) {
      bytes = bytes.subarray(prefaceLeft);
      prefaceLeft = 0;
    }
    while (prefaceLeft === 0 && bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
      const end = 9 + bytes.readUIntBE(0, 3);
      frames.push({ type: bytes[3] ?? 0, flags: bytes[4] ?? 0, stream: bytes.readUInt32BE(5), payload: bytes.subarray(9, end) });
      bytes = bytes.subarray(end);
    }
  });
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  far.write(settings);
  return {
    async request(pairs) {
      const before = frames.length;
      session.request(pairs as unknown as Record<string, string>).on("error", () => {}); // a list of pairs is taken too
      const parts = () => frames.slice(before).filter(({ type }) => type === 1 || type === 9);
      while (!parts().some(({ flags }) => (flags & 4) !== 0)) await once(far, "data");
      return Buffer.concat(parts().map(({ flags, payload }) => ((flags & 0x20) === 0 ? payload : payload.subarray(5))));
    },
    close: () => session.destroy(),
  };
}

/** Symbols by their codes as text of bits: in ascending order, by length and then by symbol. */
const symbols = new Map<string, number>();
let code = 0;
for (let bits = 1; bits <= 30; bits += 1) {
  for (const [symbol, length] of codeBits.entries()) {
    if (length !== bits) continue;
    symbols.set(code.toString(2).padStart(bits, "0"), symbol);
    code += 1;
  }
  code *= 2;
}

/** Decodes bit by bit; null: no Huffman string. */
export function withBits(bytes: Uint8Array): string | null {
  let text = "";
  let bits = "";
  for (const byte of bytes)
    for (const bit of byte.toString(2).padStart(8, "0")) {
      bits += bit;
      const symbol = symbols.get(bits);
      if (symbol === undefined) continue;
      if (symbol === 256) return null;
      text += String.fromCharCode(symbol);
      bits = "";
    }
  return bits.length < 8 && !bits.includes("0") ? text : null;
}
