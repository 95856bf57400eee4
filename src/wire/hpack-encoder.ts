/**
 * Fields into HPACK, by the static table alone: the status and names that everybody knows as numbers, all else as literals that nobody
 * is to remember (RFC 7541 §6.2.2). A table of learnt fields would make answers shorter; it is memory that each client may hold on
 * the server, and a secret beside what an attacker chooses can be guessed through it (§7.1).
 */
import { staticNames, staticStatuses } from "./hpack-table.ts";
import { ascii, copyBytes, isBlank } from "./http-bytes.ts";
import { Names } from "./http2-fields.ts";

/** Fields that say something of one connection of HTTP/1.1 (RFC 9113 §8.2.2): HTTP/2 has no place for them. */
const ofConnection = -1;
const connectionNames = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];
const names = new Names([
  ...staticNames.filter(([name]) => !connectionNames.includes(name)),
  ...connectionNames.map((name) => [name, ofConnection] as const),
]);
const statusName = ascii(":status");
const statusIndex = names.find(statusName, 0, statusName.length);

/** Names in lower case, as HTTP/2 wants them. */
const lowered = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte));

/** A line of `bytes` becomes no longer than this, and a status no more than eight. */
export function encodedBytesMax(bytes: number): number {
  return 2 * bytes + 16;
}

/** In front of a connection's first fields: there is no table of learnt ones (§6.3). */
export function putNoTable(target: Uint8Array, at: number): number {
  target[at] = 0x20;
  return at + 1;
}

export function putStatus(target: Uint8Array, at: number, status: number): number {
  const known = staticStatuses.get(status);
  if (known !== undefined) {
    target[at] = 0x80 | known;
    return at + 1;
  }
  target[at] = statusIndex;
  target[at + 1] = 3;
  target[at + 2] = 0x30 + Math.trunc(status / 100);
  target[at + 3] = 0x30 + (Math.trunc(status / 10) % 10);
  target[at + 4] = 0x30 + (status % 10);
  return at + 5;
}

/** One field; its name is in `bytes[nameAt..nameEnd)`, in letters of any case. Returns where it ends in the target. */
function putField(
  target: Uint8Array,
  from: number,
  bytes: Uint8Array,
  nameAt: number,
  nameEnd: number,
  valueAt: number,
  valueEnd: number,
): number {
  // First as a literal, so that it can be looked up in lower case; an index takes less.
  const literalAt = putNumber(target, from + 1, 0x7f, nameEnd - nameAt);
  const literalEnd = literalAt + nameEnd - nameAt;
  for (let at = literalAt; at < literalEnd; at += 1) target[at] = lowered[bytes[nameAt + at - literalAt] as number] as number; // inside
  const index = names.find(target, literalAt, literalEnd);
  if (index === ofConnection) return from;
  target[from] = 0;
  const valueLengthAt = index === 0 ? literalEnd : putNumber(target, from, 0x0f, index);
  const at = putNumber(target, valueLengthAt, 0x7f, valueEnd - valueAt);
  return copyBytes(bytes, valueAt, valueEnd, target, at);
}

/** A number whose first bits share a byte, the others of which are zero (§5.1). */
function putNumber(target: Uint8Array, from: number, prefix: number, value: number): number {
  if (value < prefix) {
    target[from] = value;
    return from + 1;
  }
  target[from] = prefix;
  let at = from + 1;
  let rest = value - prefix;
  for (; rest >= 0x80; rest >>>= 7, at += 1) target[at] = (rest & 0x7f) | 0x80;
  target[at] = rest;
  return at + 1;
}

/** All fields in lines that each end with CR LF, without those of one connection. */
export function putLines(target: Uint8Array, from: number, bytes: Uint8Array, linesAt: number, linesEnd: number): number {
  let at = from;
  for (let nameAt = linesAt; nameAt < linesEnd; ) {
    let nameEnd = nameAt;
    while (bytes[nameEnd] !== 0x3a) nameEnd += 1;
    let valueAt = nameEnd + 1;
    while (isBlank(bytes[valueAt])) valueAt += 1;
    let lineEnd = valueAt;
    while (bytes[lineEnd] !== 0x0d) lineEnd += 1;
    let valueEnd = lineEnd;
    while (valueEnd > valueAt && isBlank(bytes[valueEnd - 1])) valueEnd -= 1;
    at = putField(target, at, bytes, nameAt, nameEnd, valueAt, valueEnd);
    nameAt = lineEnd + 2;
  }
  return at;
}
