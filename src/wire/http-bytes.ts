/**
 * What bytes HTTP/1.1 allows where (RFC 9110 §5, RFC 9112 §2–5), as tables, and the few field names that
 * a forwarder has to know. Everything here looks at bytes and makes no strings.
 */

export const cr = 0x0d;
export const lf = 0x0a;
export const space = 0x20;
const tab = 0x09;
export const colon = 0x3a;
const dash = 0x2d;
const underscore = 0x5f;

function table(allowed: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (allowed(byte) ? 1 : 0));
}

const tokenMarks = new Set(ascii("!#$%&'*+-.^_`|~"));

/** tchar. */
export const tokenBytes = table((byte) => isDigit(byte) || isLetter(byte) || tokenMarks.has(byte));
/** Bytes of a field's value: visible ones, space, tab and obs-text; no other control byte. */
export const valueBytes = table((byte) => byte === tab || (byte >= space && byte !== 0x7f));
/** Bytes of a request's target: visible ones but `#`, for a fragment is never sent. */
export const targetBytes = table((byte) => byte > space && byte < 0x7f && byte !== 0x23);
/** Bytes of a host's name in a Host field: nothing that starts a port, a path, a user or a list. */
export const hostBytes = table((byte) => isDigit(byte) || isLetter(byte) || ascii("!$&'()*+-.;=_~%").includes(byte));
/** Bytes of an address in brackets there; it may name an interface. */
export const literalBytes = table((byte) => isDigit(byte) || isLetter(byte) || ascii("-.:_~%").includes(byte));

export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isLetter(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}

export function ascii(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** Value of a hexadecimal digit, or −1. */
export function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** The fields that forwarding needs to know. */
export const field = {
  other: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  upgrade: 5,
  cookie: 6,
  expect: 7,
  contentType: 8,
  idempotencyKey: 9,
  authorization: 10,
  maxForwards: 11,
  /** Coppice's own: never taken from outside, under any spelling. From here on lines may be cut. */
  private: 12,
  /** Of one connection only, always cut. */
  hopByHop: 13,
  http2Settings: 14,
  /** Written with an underscore for a dash: some servers take it for the real one. */
  disguised: 15,
} as const;

const names: readonly (readonly [string, number])[] = [
  ["host", field.host],
  ["content-length", field.contentLength],
  ["transfer-encoding", field.transferEncoding],
  ["connection", field.connection],
  ["upgrade", field.upgrade],
  ["cookie", field.cookie],
  ["expect", field.expect],
  ["content-type", field.contentType],
  ["idempotency-key", field.idempotencyKey],
  ["authorization", field.authorization],
  ["max-forwards", field.maxForwards],
  ["x-coppice-client", field.private],
  ["x-coppice-fenced", field.private],
  ["keep-alive", field.hopByHop],
  ["proxy-connection", field.hopByHop],
  ["proxy-authenticate", field.hopByHop],
  ["te", field.hopByHop],
  ["http2-settings", field.http2Settings],
];

export interface Named {
  /** In lower case. */
  readonly name: Uint8Array;
  readonly code: number;
}

/** Of each length the names that have it, in their order; none where nothing has. */
export function namesByLength(names: readonly (readonly [string, number])[]): readonly (readonly Named[] | undefined)[] {
  const longest = Math.max(...names.map(([name]) => name.length));
  return Array.from({ length: longest + 1 }, (_, length) => {
    const same = names.filter(([name]) => name.length === length);
    return same.length === 0 ? undefined : same.map(([name, code]) => ({ name: ascii(name), code }));
  });
}

const byLength = namesByLength(names);

/** Which field the token in `bytes[start..end)` names. */
export function fieldOf(bytes: Uint8Array, start: number, end: number): number {
  const candidates = byLength[end - start];
  if (candidates === undefined) return field.other;
  for (let at = 0; at < candidates.length; at += 1) {
    const { name, code } = candidates[at] as Named; // inside the list
    const match = matchName(bytes, start, name);
    if (match === "no") continue;
    if (match === "exact" || code === field.private) return code;
    return code === field.contentLength || code === field.transferEncoding ? field.disguised : field.other;
  }
  return field.other;
}

/** An underscore counts as a dash, and is told apart. A token's letters differ from lower case in bit 5 alone. */
function matchName(bytes: Uint8Array, start: number, lower: Uint8Array): "no" | "exact" | "underscored" {
  let underscored = false;
  for (let at = 0; at < lower.length; at += 1) {
    const byte = bytes[start + at];
    if (byte === underscore && lower[at] === dash) underscored = true;
    else if (byte === undefined || (byte | space) !== lower[at]) return "no";
  }
  return underscored ? "underscored" : "exact";
}

/** True if `bytes[start..end)` is `lower`, letters in any case. `lower` holds letters, digits and dashes. */
export function isWord(bytes: Uint8Array, start: number, end: number, lower: Uint8Array): boolean {
  if (end - start !== lower.length) return false;
  for (let at = 0; at < lower.length; at += 1) {
    const byte = bytes[start + at] ?? 0;
    const wanted = lower[at];
    if (byte !== wanted && !(isLetter(byte) && (byte | space) === wanted)) return false;
  }
  return true;
}

export function isBlank(byte: number | undefined): boolean {
  return byte === space || byte === tab;
}

const shortCopyBytes = 32;

/** Returns where the copy ends. A few bytes are faster one by one than by a call into the runtime. */
export function copyBytes(source: Uint8Array, from: number, to: number, target: Uint8Array, at: number): number {
  const length = to - from;
  if (length > shortCopyBytes) target.set(source.subarray(from, to), at);
  else for (let index = 0; index < length; index += 1) target[at + index] = source[from + index] as number; // inside
  return at + length;
}
