/**
 * Where a body ends. Bytes are looked at as they pass and never copied: a counted body is counted, a
 * chunked one is followed through its framing (RFC 9112 §7.1), trailers included, one byte or a megabyte
 * at a time. Chunk extensions are let pass as the grammar has them, bounded; white space around sizes and
 * bare line ends are not, nor any line end within a quoted extension: there two servers could see different ends.
 */
import { framing } from "./head.ts";
import { colon, cr, field, fieldOf, hexDigit, lf, tokenBytes, valueBytes } from "./http-bytes.ts";

/** What `read` gives beside a position: the bytes are no body. */
export const badBody = -1;

/** Thirteen hexadecimal digits are 4 PiB, and exact as a number. */
const sizeDigitsMax = 13;
/** Leading zeros count too. */
const sizeBytesMax = 16;
/** Beyond as many bytes as there were of data: a long body may have one at each of its chunks. */
const extensionBytesMax = 4 * 1024;
const trailerBytesMax = 16 * 1024;
const trailersMax = 64;
/** Longer names are not ones that matter here. */
const trailerNameMax = 32;

const at = { size: 0, extension: 1, sizeLf: 2, data: 3, dataCr: 4, dataLf: 5, line: 6, name: 7, value: 8, lineLf: 9, endLf: 10 } as const;
/** Within a chunk extension. */
const part = { nameAt: 0, name: 1, valueAt: 2, value: 3, quoted: 4, escaped: 5, quotedEnd: 6 } as const;
const semicolon = 0x3b;
const equals = 0x3d;
const quote = 0x22;
const backslash = 0x5c;

/** Is told where the data lies in what is read, and each byte of a chunked body's trailer lines, of whose ends only CR. */
export interface BodyParts {
  data(from: number, to: number): void;
  trailer(at: number): void;
}

export class BodyReader {
  /** Everything has been read. */
  done = true;
  /** Of what was read: no sizes of chunks, nothing around them. */
  dataBytes = 0;
  #framing: number = framing.none;
  /** Of the counted body, or of the chunk. */
  #left = 0;
  #state: number = at.size;
  #sizeBytes = 0;
  #sizeDigits = 0;
  #extensionBytes = 0;
  #part: number = part.nameAt;
  #trailerBytes = 0;
  #trailers = 0;
  readonly #name = new Uint8Array(trailerNameMax);
  #nameBytes = 0;

  begin(how: number, length: number): void {
    this.dataBytes = 0;
    this.#framing = how;
    this.#left = how === framing.length ? length : 0;
    this.done = how === framing.none || (how === framing.length && length === 0);
    if (how !== framing.chunked) return;
    this.#state = at.size;
    this.#sizeBytes = 0;
    this.#sizeDigits = 0;
    this.#extensionBytes = 0;
    this.#trailerBytes = 0;
    this.#trailers = 0;
  }

  /** At least so many more bytes will come; what a caller may prepare for. */
  get left(): number {
    return this.#left;
  }

  /** Between two chunks: a last chunk of our own would be understood. */
  get betweenChunks(): boolean {
    return this.#framing === framing.chunked && this.#state === at.size && this.#sizeBytes === 0;
  }

  /** Position after the last byte of `bytes[from..end)` that belongs to the body, or `badBody`. */
  read(bytes: Uint8Array, from: number, end: number, parts: BodyParts | null = null): number {
    if (this.done) return from;
    if (this.#framing === framing.chunked) return this.#readChunked(bytes, from, end, parts);
    let to = end;
    if (this.#framing === framing.length) {
      to = from + Math.min(this.#left, end - from);
      this.#left -= to - from;
      this.done = this.#left === 0;
    }
    this.dataBytes += to - from;
    if (to > from) parts?.data(from, to);
    return to;
  }

  #readChunked(bytes: Uint8Array, from: number, end: number, parts: BodyParts | null): number {
    let position = from;
    while (position < end) {
      if (this.#state === at.data) {
        const take = Math.min(this.#left, end - position);
        parts?.data(position, position + take);
        this.dataBytes += take;
        this.#left -= take;
        position += take;
        if (this.#left === 0) this.#state = at.dataCr;
        continue;
      }
      const next = this.#step(bytes[position] as number); // inside
      if (next < 0) return badBody;
      if (parts !== null && next > at.line && next < at.endLf) parts.trailer(position);
      this.#state = next;
      position += 1;
      if (this.done) return position;
    }
    return position;
  }

  /** The state after one byte that is not data; −1: it may not stand there. */
  #step(byte: number): number {
    switch (this.#state) {
      case at.size:
        return this.#size(byte);
      case at.extension:
        this.#extensionBytes += 1;
        return this.#extensionBytes > extensionBytesMax ? -1 : this.#extension(byte);
      case at.sizeLf:
        if (byte !== lf) return -1;
        this.#sizeBytes = 0;
        this.#sizeDigits = 0;
        this.#extensionBytes = Math.max(0, this.#extensionBytes - this.#left);
        return this.#left === 0 ? at.line : at.data;
      case at.dataCr:
        return byte === cr ? at.dataLf : -1;
      case at.dataLf:
        return byte === lf ? at.size : -1;
      case at.endLf:
        this.done = byte === lf;
        return this.done ? at.endLf : -1;
      default:
        return this.#trailer(byte);
    }
  }

  #size(byte: number): number {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#sizeBytes += 1;
      if (this.#sizeDigits > 0 || digit > 0) this.#sizeDigits += 1;
      this.#left = this.#left * 16 + digit;
      return this.#sizeDigits <= sizeDigitsMax && this.#sizeBytes <= sizeBytesMax ? at.size : -1;
    }
    if (this.#sizeBytes === 0) return -1;
    if (byte === cr) return at.sizeLf;
    if (byte !== semicolon) return -1;
    this.#part = part.nameAt;
    return at.extension;
  }

  /** `;name`, `;name=value`, `;name="a value"`, and so on: no name and no token is empty. */
  #extension(byte: number): number {
    if (this.#part === part.quoted || this.#part === part.escaped) return this.#quoted(byte);
    const mayEnd = this.#part === part.name || this.#part === part.value || this.#part === part.quotedEnd;
    if (byte === cr) return mayEnd ? at.sizeLf : -1;
    if (byte === semicolon && mayEnd) this.#part = part.nameAt;
    else if (byte === equals && this.#part === part.name) this.#part = part.valueAt;
    else if (byte === quote && this.#part === part.valueAt) this.#part = part.quoted;
    else if (tokenBytes[byte] !== 1 || this.#part === part.quotedEnd) return -1;
    else if (this.#part === part.nameAt) this.#part = part.name;
    else if (this.#part === part.valueAt) this.#part = part.value;
    return at.extension;
  }

  #quoted(byte: number): number {
    if (valueBytes[byte] !== 1) return -1;
    if (this.#part === part.escaped) this.#part = part.quoted;
    else if (byte === backslash) this.#part = part.escaped;
    else if (byte === quote) this.#part = part.quotedEnd;
    return at.extension;
  }

  #trailer(byte: number): number {
    this.#trailerBytes += 1;
    if (this.#trailerBytes > trailerBytesMax) return -1;
    if (this.#state === at.lineLf) return byte === lf ? at.line : -1;
    if (this.#state === at.value) return byte === cr ? at.lineLf : valueBytes[byte] === 1 ? at.value : -1;
    if (this.#state === at.line) {
      if (byte === cr) return at.endLf;
      this.#nameBytes = 0;
      this.#trailers += 1;
      if (this.#trailers > trailersMax) return -1;
    }
    if (byte === colon && this.#nameBytes > 0) return this.#mayTrail() ? at.value : -1;
    if (tokenBytes[byte] !== 1) return -1;
    if (this.#nameBytes < trailerNameMax) this.#name[this.#nameBytes] = byte;
    this.#nameBytes += 1;
    return at.name;
  }

  /**
   * A trailer that speaks of framing, of the connection, in our name or in a proxy's is a trick (RFC 9110 §6.5.1): some servers take
   * trailers for header fields, and of those what a client says in a proxy's name was dropped.
   */
  #mayTrail(): boolean {
    if (isProxys(this.#name.subarray(0, this.#nameBytes))) return false;
    if (this.#nameBytes > trailerNameMax) return true;
    const code = fieldOf(this.#name, 0, this.#nameBytes);
    return code === field.other || code === field.contentType || code === field.idempotencyKey || code === field.authorization;
  }
}

/** `Forwarded`, or one of X-Forwarded-*, under any spelling. */
function isProxys(name: Uint8Array): boolean {
  const dashed = String.fromCharCode(...name)
    .toLowerCase()
    .replaceAll("_", "-");
  return dashed === "forwarded" || dashed.startsWith("x-forwarded-");
}
