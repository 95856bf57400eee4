/**
 * A field of HTTP/2 as it lies here: a line of HTTP/1.1, `name: value` CR LF, since that is what becomes of most. What a
 * field means for a request is found out once: one that HPACK's tables keep brings it along.
 */
import { ascii, isBlank, isDigit, type Named, namesByLength, space, tokenBytes } from "./http-bytes.ts";

export const fieldKind = {
  other: 0,
  /** May not stand in any message (RFC 9113 §8.2.1, §8.2.2), or not in one of a client (§8.3). */
  malformed: 1,
  method: 2,
  scheme: 3,
  path: 4,
  authority: 5,
  host: 6,
  cookie: 7,
  contentLength: 8,
  /** It says `trailers`, of one connection only. */
  te: 9,
  /** Of a CONNECT that asks for more than a tunnel (RFC 8441 §4). */
  protocol: 10,
} as const;

export interface Field {
  /** Ends with CR LF. */
  readonly line: Uint8Array;
  readonly nameEnd: number;
  readonly kind: number;
}

export const colonSpace = 2;
const colonByte = 0x3a;

const trailersWord = ascii("trailers");

const kinds: readonly (readonly [string, number])[] = [
  [":method", fieldKind.method],
  [":scheme", fieldKind.scheme],
  [":path", fieldKind.path],
  [":authority", fieldKind.authority],
  [":protocol", fieldKind.protocol],
  ["host", fieldKind.host],
  ["cookie", fieldKind.cookie],
  ["content-length", fieldKind.contentLength],
  ["te", fieldKind.te],
  ["connection", fieldKind.malformed],
  ["keep-alive", fieldKind.malformed],
  ["proxy-connection", fieldKind.malformed],
  ["transfer-encoding", fieldKind.malformed],
  ["upgrade", fieldKind.malformed],
];

/** Names with a number each, found by their bytes. */
export class Names {
  readonly #byLength: ReturnType<typeof namesByLength>;

  constructor(names: readonly (readonly [string, number])[]) {
    this.#byLength = namesByLength(names);
  }

  /** The number of the name in `bytes[from..to)`; 0: none. */
  find(bytes: Uint8Array, from: number, to: number): number {
    const candidates = this.#byLength[to - from];
    if (candidates === undefined) return 0;
    for (let at = 0; at < candidates.length; at += 1) {
      const { name, code } = candidates[at] as Named; // inside the list
      if (isAt(bytes, from, name)) return code;
    }
    return 0;
  }
}

const named = new Names(kinds);

function isAt(bytes: Uint8Array, from: number, wanted: Uint8Array): boolean {
  for (let at = wanted.length - 1; at >= 0; at -= 1) if (bytes[from + at] !== wanted[at]) return false;
  return true;
}

/** What the field in a line is; its name ends at `nameEnd`, its value at `valueEnd`. */
export function kindOf(line: Uint8Array, nameEnd: number, valueEnd: number): number {
  const valueAt = nameEnd + colonSpace;
  const kind = named.find(line, 0, nameEnd);
  if (!isName(line, nameEnd, kind) || !isValue(line, valueAt, valueEnd)) return fieldKind.malformed;
  if (kind === fieldKind.path) return isTarget(line, valueAt, valueEnd) ? kind : fieldKind.malformed;
  if (kind === fieldKind.method || kind === fieldKind.scheme || kind === fieldKind.protocol)
    return isToken(line, valueAt, valueEnd) ? kind : fieldKind.malformed;
  if (kind === fieldKind.contentLength) return isNumber(line, valueAt, valueEnd) ? kind : fieldKind.malformed;
  if (kind === fieldKind.te && !(valueEnd - valueAt === trailersWord.length && isAt(line, valueAt, trailersWord)))
    return fieldKind.malformed;
  return kind;
}

/** A token in lower case; of those that begin with a colon only the known ones. */
function isName(line: Uint8Array, nameEnd: number, kind: number): boolean {
  if (kind !== fieldKind.other) return true;
  for (let at = 0; at < nameEnd; at += 1) {
    const byte = line[at] as number; // inside
    if (tokenBytes[byte] !== 1 || (byte >= 0x41 && byte <= 0x5a)) return false;
  }
  return nameEnd > 0 && line[0] !== colonByte;
}

/** Nothing that would end a line, and no white space around it (§8.2.1). */
function isValue(line: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) {
    const byte = line[at] as number; // inside
    if (byte <= 0x0d && (byte === 0x0d || byte === 0x0a || byte === 0)) return false;
  }
  return to === from || !(isBlank(line[from]) || isBlank(line[to - 1]));
}

/** A path, or `*`; what else HTTP/1.1 forbids there is found when the request is read. */
function isTarget(line: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) {
    const byte = line[at] as number; // inside
    if (byte <= space || byte === 0x7f) return false;
  }
  return line[from] === 0x2f || (line[from] === 0x2a && to - from === 1);
}

function isToken(line: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (tokenBytes[line[at] as number] !== 1) return false; // inside
  return to > from;
}

function isNumber(line: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (!isDigit(line[at])) return false;
  return to > from;
}
