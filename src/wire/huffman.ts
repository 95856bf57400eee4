/**
 * HPACK's Huffman code (RFC 7541 §5.2, appendix B). The code is canonical: among codes of one length the symbols ascend, and
 * each length goes on where the shorter one ended; so the lengths say all. The decoder is a table over half bytes: from each
 * inner node of the code's tree, where four bits lead, and which symbol they end.
 */

/** By symbol; the last is the end of string, which may not occur. */
// biome-ignore format: sixteen in a row
export const codeBits = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
] as const;
const endOfString = 256;
const longestBits = 30;

/** By node and half byte: the next node, and in the bits above, the symbol that ended, or neither. */
const steps = new Uint32Array(256 * 16);
const emits = 0x1_0000;
const fails = 0x2_0000;
/** Nodes at which a string may end: the root, or up to seven ones below it (§5.2). */
const mayEnd = new Uint8Array(256);

build();

function build(): void {
  // Of each inner node its two children: a node's number, or a symbol as −1 − symbol.
  const children: [number, number][] = [[0, 0]];
  let code = 0;
  for (let bits = 1; bits <= longestBits; bits += 1) {
    for (let symbol = 0; symbol < codeBits.length; symbol += 1) {
      if (codeBits[symbol] !== bits) continue;
      plant(children, code, bits, symbol);
      code += 1;
    }
    code *= 2;
  }
  for (let node = 0; node < children.length; node += 1)
    for (let half = 0; half < 16; half += 1) steps[node * 16 + half] = stepFrom(children, node, half);
  for (let node = 0, ones = 0; ones < 8; ones += 1) {
    mayEnd[node] = 1;
    node = children[node]?.[1] ?? 0;
  }
}

function plant(children: [number, number][], code: number, bits: number, symbol: number): void {
  let node = 0;
  for (let bit = bits - 1; bit > 0; bit -= 1) {
    const pair = children[node] as [number, number]; // planted before
    const side = (code >>> bit) & 1;
    if (pair[side] === 0) pair[side] = children.push([0, 0]) - 1;
    node = pair[side] as number; // just seen to
  }
  (children[node] as [number, number])[code & 1] = -1 - symbol; // as above
}

function stepFrom(children: readonly (readonly [number, number])[], from: number, half: number): number {
  let node = from;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit -= 1) {
    const next = children[node]?.[(half >>> bit) & 1] ?? 0;
    if (next === -1 - endOfString) return fails;
    if (next < 0) emitted = emits | ((-1 - next) << 8);
    node = Math.max(next, 0);
  }
  return emitted | node;
}

/** A string of so many bytes becomes no longer than this. */
export function decodedBytesMax(bytes: number): number {
  return (bytes * 8) / 5;
}

/** Decodes `bytes[from..to)` into `target`; returns where that ends, or −1: it is no such string. */
export function decodeHuffman(bytes: Uint8Array, from: number, to: number, target: Uint8Array, at: number): number {
  let node = 0;
  let end = at;
  for (let position = from; position < to; position += 1) {
    const byte = bytes[position] as number; // inside
    const high = steps[node * 16 + (byte >>> 4)] as number; // inside
    if (high >= emits) {
      if (high >= fails) return -1;
      target[end] = (high >>> 8) & 0xff;
      end += 1;
    }
    const low = steps[(high & 0xff) * 16 + (byte & 0xf)] as number; // inside
    if (low >= emits) {
      if (low >= fails) return -1;
      target[end] = (low >>> 8) & 0xff;
      end += 1;
    }
    node = low & 0xff;
  }
  return mayEnd[node] === 1 ? end : -1;
}
