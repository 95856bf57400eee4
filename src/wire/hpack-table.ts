/** HPACK's two tables (RFC 7541 §2.3, appendix A): fields that everybody knows, and those that one connection has learnt. */
import { ascii } from "./http-bytes.ts";
import { type Field, kindOf } from "./http2-fields.ts";

/** What a field counts beside its letters (§4.1). */
export const fieldOverheadBytes = 32;
/** The table's size as it is from the start; we offer no other. */
export const tableBytesMax = 4_096;

// biome-ignore format: as the RFC has them
const known: readonly (readonly [string, string])[] = [
  [":authority", ""], [":method", "GET"], [":method", "POST"], [":path", "/"], [":path", "/index.html"], [":scheme", "http"],
  [":scheme", "https"], [":status", "200"], [":status", "204"], [":status", "206"], [":status", "304"], [":status", "400"],
  [":status", "404"], [":status", "500"], ["accept-charset", ""], ["accept-encoding", "gzip, deflate"], ["accept-language", ""],
  ["accept-ranges", ""], ["accept", ""], ["access-control-allow-origin", ""], ["age", ""], ["allow", ""], ["authorization", ""],
  ["cache-control", ""], ["content-disposition", ""], ["content-encoding", ""], ["content-language", ""], ["content-length", ""],
  ["content-location", ""], ["content-range", ""], ["content-type", ""], ["cookie", ""], ["date", ""], ["etag", ""], ["expect", ""],
  ["expires", ""], ["from", ""], ["host", ""], ["if-match", ""], ["if-modified-since", ""], ["if-none-match", ""], ["if-range", ""],
  ["if-unmodified-since", ""], ["last-modified", ""], ["link", ""], ["location", ""], ["max-forwards", ""], ["proxy-authenticate", ""],
  ["proxy-authorization", ""], ["range", ""], ["referer", ""], ["refresh", ""], ["retry-after", ""], ["server", ""], ["set-cookie", ""],
  ["strict-transport-security", ""], ["transfer-encoding", ""], ["user-agent", ""], ["vary", ""], ["via", ""], ["www-authenticate", ""],
];

function fieldOf(name: string, value: string): Field {
  const line = ascii(`${name}: ${value}\r\n`);
  return { line, nameEnd: name.length, kind: kindOf(line, name.length, line.length - 2) };
}

/** From index 1 on. */
export const staticFields: readonly Field[] = known.map(([name, value]) => fieldOf(name, value));
/** The index of each status that stands there. */
export const staticStatuses: ReadonlyMap<number, number> = new Map(
  known.flatMap(([name, value], at) => (name === ":status" ? [[Number(value), at + 1] as const] : [])),
);
/** Each name's first index. */
export const staticNames: readonly (readonly [string, number])[] = [
  ...new Map(known.map(([name], at) => [name, at + 1] as const).reverse()),
];

/** As many as fit, none being shorter than its overhead; a power of two. */
const places = tableBytesMax / fieldOverheadBytes;

/** A field's size as the table counts it: in its line, four bytes stand around name and value. */
function sizeOf({ line }: Field): number {
  return line.length - 4 + fieldOverheadBytes;
}

export class DynamicTable {
  readonly #fields: (Field | undefined)[] = [];
  /** Where the next one goes. */
  #next = 0;
  #count = 0;
  #bytes = 0;
  #bytesMax = tableBytesMax;

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The newest has 0. */
  at(index: number): Field | undefined {
    return index < this.#count ? this.#fields[(this.#next - 1 - index) & (places - 1)] : undefined;
  }

  /** One that is larger than the table empties it (§4.4). */
  add(field: Field): void {
    const bytes = sizeOf(field);
    this.#evict(this.#bytesMax - bytes);
    if (bytes > this.#bytesMax) return;
    this.#fields[this.#next] = field;
    this.#next = (this.#next + 1) & (places - 1);
    this.#count += 1;
    this.#bytes += bytes;
  }

  /** False: it is more than we offered. */
  resize(bytesMax: number): boolean {
    if (bytesMax > tableBytesMax) return false;
    this.#bytesMax = bytesMax;
    this.#evict(bytesMax);
    return true;
  }

  #evict(bytesMax: number): void {
    while (this.#bytes > bytesMax && this.#count > 0) {
      const oldest = (this.#next - this.#count) & (places - 1);
      this.#bytes -= sizeOf(this.#fields[oldest] as Field); // counted
      this.#fields[oldest] = undefined;
      this.#count -= 1;
    }
  }
}
