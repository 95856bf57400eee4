/**
 * The head of a request: its line, its field lines, and what they mean for forwarding it. See head.ts.
 * A refusal is told by its status: 400 for what is malformed or ambiguous, 414 and 431 for what is too
 * long, 501 for a method or coding that is not known, 505 for another version.
 */
import { framing, Head, type HeadVerdict, needMore, tokens, whole } from "./head.ts";
import {
  ascii,
  colon,
  cr,
  field,
  hexDigit,
  hostBytes,
  isBlank,
  isDigit,
  isWord,
  lf,
  literalBytes,
  space,
  targetBytes,
  tokenBytes,
} from "./http-bytes.ts";

/** What Node's servers know (llhttp); a method that nobody knows cannot be framed by what it means. */
const methodNames =
  "GET POST PUT HEAD DELETE OPTIONS PATCH TRACE QUERY CONNECT ACL BIND CHECKOUT COPY LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY PROPFIND PROPPATCH PURGE REBIND REPORT SEARCH SOURCE SUBSCRIBE UNBIND UNLINK UNLOCK UNSUBSCRIBE".split(
    " ",
  );
const methods = methodNames.map((name) => ({ name, bytes: ascii(name) }));
const methodBytesMax = 24;
/** The longest host name with a port fits well. */
const hostBytesMax = 300;
const cookieLinesMax = 8;
/** More hops than there are anywhere. */
const hopDigitsMax = 9;
const leftBracket = 0x5b;
const rightBracket = 0x5d;
const percent = 0x25;

const httpWord = ascii("HTTP/");
const h2cWord = ascii("h2c");
const continueWord = ascii("100-continue");
/** Schemes that say once who is on a connection, for all requests that follow on it. */
const connectionSchemes = [ascii("ntlm"), ascii("negotiate")];
/** How the messages of NTLM begin, in base64, also where the scheme is Negotiate. */
const ntlmBegins = ascii("TlRMTVNTU");
const schemes = [
  { bytes: ascii("http://"), port: ascii(":80") },
  { bytes: ascii("https://"), port: ascii(":443") },
];

/** The status for a head of more than `bytesMax`: it is the target that is too long, or the fields. */
export function overlong(bytes: Uint8Array, from: number, bytesMax: number): 414 | 431 {
  const lineEnd = bytes.indexOf(lf, from);
  return lineEnd < 0 || lineEnd - from > bytesMax ? 414 : 431;
}

export class RequestHead extends Head {
  method = "GET";
  targetAt = 0;
  targetEnd = 0;
  hostAt = 0;
  hostEnd = 0;
  /** Values of Cookie lines: from, to, from, to ... */
  readonly cookies = new Int32Array(2 * cookieLinesMax);
  cookieCount = 0;
  hasIdempotencyKey = false;
  expectsContinue = false;
  /** Of TRACE and OPTIONS: so many more may forward it (RFC 9110 §7.6.2); −1: as many as there are. */
  hopsLeft = -1;
  /** Says who its client is in a way that holds for its connection. */
  authorizesConnection = false;
  /** And in steps, which mean something on one connection alone. */
  authorizesInSteps = false;
  /** Asks to change the protocol of its connection, and may. */
  upgrades = false;
  #hosts = 0;
  #upgradeLines = 0;
  #asksH2c = false;

  /** Reads a head that begins at `start`; positions are left in the fields of this object. */
  read(bytes: Uint8Array, start: number, end: number): HeadVerdict {
    this.reset();
    this.#hosts = 0;
    this.#upgradeLines = 0;
    this.#asksH2c = false;
    this.cookieCount = 0;
    this.hasIdempotencyKey = false;
    this.expectsContinue = false;
    this.hopsLeft = -1;
    this.authorizesConnection = false;
    this.authorizesInSteps = false;
    this.upgrades = false;
    this.start = start;
    // Empty lines before a request are let pass (RFC 9112 §2.2): some clients end a body with one or two.
    while (end - this.start >= 2 && bytes[this.start] === cr && bytes[this.start + 1] === lf) this.start += 2;
    if (this.start >= end) return needMore;
    if (bytes[this.start] === cr) return end - this.start >= 2 ? 400 : needMore;
    const verdict = this.#readLine(bytes, this.start, end);
    if (verdict !== whole) return verdict;
    const fields = this.readFields(bytes, this.fieldsAt, end);
    return fields === whole ? this.#judge(bytes) : fields;
  }

  get keepsAlive(): boolean {
    return this.minorVersion === 1 ? !this.saysClose : this.saysKeepAlive && !this.saysClose;
  }

  /**
   * Who forwards speaks its own version (RFC 9112 §2.3): a server then frames its answer, so that the end of one that is
   * cut short is seen, and keeps its connection. HTTP/1.1 asks for a Host; a request without one goes on as it came.
   */
  get forwardedMinorVersion(): number {
    return this.#hosts === 1 ? 1 : this.minorVersion;
  }

  #readLine(bytes: Uint8Array, from: number, end: number): HeadVerdict {
    let at = from;
    while (at < end && tokenBytes[bytes[at] as number] === 1) at += 1; // `at` is inside
    if (at - from > methodBytesMax) return 501;
    if (at >= end) return needMore;
    if (bytes[at] !== space || at === from) return 400;
    const methodEnd = at;
    at += 1;
    this.targetAt = at;
    while (at < end && targetBytes[bytes[at] as number] === 1) at += 1; // `at` is inside
    if (at >= end) return needMore;
    if (bytes[at] !== space || at === this.targetAt) return 400;
    this.targetEnd = at;
    return this.#readVersion(bytes, from, methodEnd, end);
  }

  #readVersion(bytes: Uint8Array, from: number, methodEnd: number, end: number): HeadVerdict {
    const at = this.targetEnd + 1;
    for (let index = 0; index < httpWord.length; index += 1) {
      if (at + index >= end) return needMore;
      if (bytes[at + index] !== httpWord[index]) return 400;
    }
    if (at + 10 > end) return needMore;
    if (!isDigit(bytes[at + 5]) || bytes[at + 6] !== 0x2e || !isDigit(bytes[at + 7])) return 400;
    if (bytes[at + 8] !== cr || bytes[at + 9] !== lf) return 400;
    const minor = (bytes[at + 7] ?? 0) - 0x30;
    if (bytes[at + 5] !== 0x31 || minor > 1) return 505;
    this.minorVersion = minor;
    this.fieldsAt = at + 10;
    for (const { name, bytes: letters } of methods) {
      if (!isExactly(bytes, from, methodEnd, letters)) continue;
      this.method = name;
      return whole;
    }
    return 501;
  }

  protected override note(code: number, bytes: Uint8Array, valueAt: number, valueEnd: number): void {
    if (code === field.host) {
      this.#hosts += 1;
      this.hostAt = valueAt;
      this.hostEnd = valueEnd;
    } else if (code === field.cookie) {
      if (this.cookieCount >= cookieLinesMax) return;
      this.cookies[2 * this.cookieCount] = valueAt;
      this.cookies[2 * this.cookieCount + 1] = valueEnd;
      this.cookieCount += 1;
    } else if (code === field.idempotencyKey) this.hasIdempotencyKey = valueEnd > valueAt;
    else if (code === field.authorization) this.#noteAuthorization(bytes, valueAt, valueEnd);
    else if (code === field.maxForwards) this.#noteHops(bytes, valueAt, valueEnd);
    else if (code === field.expect) {
      // In a list too, and in any line: a server that looks for the word may hold its client to it.
      for (const [at, end] of tokens(bytes, valueAt, valueEnd)) this.expectsContinue ||= isWord(bytes, at, end, continueWord);
    } else if (code === field.upgrade) {
      this.#upgradeLines += 1;
      for (const [at, end] of tokens(bytes, valueAt, valueEnd)) this.#asksH2c ||= isWord(bytes, at, Math.min(end, at + 3), h2cWord);
    }
  }

  /** To other methods it says nothing. */
  #noteHops(bytes: Uint8Array, from: number, to: number): void {
    if (this.method !== "TRACE" && this.method !== "OPTIONS") return;
    if (this.hopsLeft >= 0 || to === from || to - from > hopDigitsMax) this.fault = 400;
    this.hopsLeft = 0;
    for (let at = from; at < to; at += 1) {
      const byte = bytes[at];
      if (byte === undefined || !isDigit(byte)) this.fault = 400;
      else this.hopsLeft = this.hopsLeft * 10 + byte - 0x30;
    }
  }

  #noteAuthorization(bytes: Uint8Array, from: number, to: number): void {
    let schemeEnd = from;
    while (schemeEnd < to && tokenBytes[bytes[schemeEnd] as number] === 1) schemeEnd += 1; // inside
    if (!connectionSchemes.some((scheme) => isWord(bytes, from, schemeEnd, scheme))) return;
    this.authorizesConnection = true;
    let messageAt = schemeEnd;
    while (messageAt < to && isBlank(bytes[messageAt])) messageAt += 1;
    this.authorizesInSteps ||= startsExactly(bytes, messageAt, to, ntlmBegins);
  }

  /** A line that asks for it is cut with the others' names in it, which are not to be said to whoever comes next: another is to stand there. */
  get upgradesUnsaid(): boolean {
    return this.upgrades && this.namesOthers;
  }

  protected override isCut(code: number): boolean {
    if (code === field.connection) return this.namesOthers || !(this.upgrades || (this.forwardedMinorVersion === 0 && this.keepsAlive));
    if (code === field.upgrade) return !this.upgrades;
    // Whoever speaks 1.0 does not wait for a 100 (RFC 9110 §10.1.1).
    if (code === field.expect) return this.minorVersion === 0;
    return code >= field.private;
  }

  #judge(bytes: Uint8Array): HeadVerdict {
    if (this.chunked && (this.contentLength >= 0 || this.minorVersion === 0)) return 400;
    this.framing = this.chunked ? framing.chunked : this.contentLength > 0 ? framing.length : framing.none;
    if (this.#hosts > 1 || (this.#hosts === 0 && this.minorVersion === 1)) return 400;
    if (this.#hosts === 1 && !isHost(bytes, this.hostAt, this.hostEnd)) return 400;
    if (this.method === "CONNECT") return 501;
    if (!this.#targetFits(bytes)) return 400;
    if (this.minorVersion === 0) this.expectsContinue = false;
    this.upgrades =
      this.#upgradeLines === 1 && this.saysUpgrade && !this.#asksH2c && this.minorVersion === 1 && this.framing === framing.none;
    this.collectCuts(bytes);
    return this.fault === 0 ? whole : this.fault;
  }

  /**
   * A path; `*` for OPTIONS; or a whole URI whose authority is what Host says, for then nobody can read another host. A
   * scheme's own port may be said in one of them and not in the other.
   */
  #targetFits(bytes: Uint8Array): boolean {
    if (bytes[this.targetAt] === 0x2f) return true;
    if (bytes[this.targetAt] === 0x2a) return this.targetEnd - this.targetAt === 1 && this.method === "OPTIONS";
    if (this.#hosts !== 1) return false;
    for (const scheme of schemes) {
      const from = this.targetAt + scheme.bytes.length;
      if (!startsWith(bytes, this.targetAt, scheme.bytes)) continue;
      let to = from;
      while (to < this.targetEnd && bytes[to] !== 0x2f && bytes[to] !== 0x3f) to += 1;
      to = withoutPort(bytes, from, to, scheme.port);
      const hostEnd = withoutPort(bytes, this.hostAt, this.hostEnd, scheme.port);
      return to > from && to - from === hostEnd - this.hostAt && sameLetters(bytes, from, this.hostAt, to - from);
    }
    return false;
  }
}

function isExactly(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  if (end - start !== wanted.length) return false;
  for (let at = 0; at < wanted.length; at += 1) if (bytes[start + at] !== wanted[at]) return false;
  return true;
}

function startsExactly(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  return end - start >= wanted.length && isExactly(bytes, start, start + wanted.length, wanted);
}

function startsWith(bytes: Uint8Array, start: number, lower: Uint8Array): boolean {
  for (let at = 0; at < lower.length; at += 1) {
    const byte = bytes[start + at] ?? 0;
    if ((byte >= 0x41 && byte <= 0x5a ? byte | space : byte) !== lower[at]) return false;
  }
  return true;
}

/** Where an authority ends without `port`. */
function withoutPort(bytes: Uint8Array, from: number, to: number, port: Uint8Array): number {
  const end = to - port.length;
  return end > from && bytes[end - 1] !== colon && isExactly(bytes, end, to, port) ? end : to;
}

function sameLetters(bytes: Uint8Array, one: number, other: number, length: number): boolean {
  for (let at = 0; at < length; at += 1) {
    const a = bytes[one + at] ?? 0;
    const b = bytes[other + at] ?? 0;
    if (a !== b && ((a | space) !== (b | space) || (a | space) < 0x61 || (a | space) > 0x7a)) return false;
  }
  return true;
}

/** A name, or an address in brackets; a port may follow (RFC 9110 §4.2.1, RFC 3986 §3.2). */
function isHost(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from > hostBytesMax) return false;
  let end = to;
  while (end > from && isDigit(bytes[end - 1])) end -= 1;
  end = end > from && bytes[end - 1] === colon ? end - 1 : to;
  if (bytes[from] === leftBracket && from < to) return isLiteral(bytes, from + 1, end - 1);
  for (let at = from; at < end; at += 1) {
    if (hostBytes[bytes[at] as number] !== 1) return false; // inside
    if (bytes[at] === percent && !isEscape(bytes, at, end)) return false;
  }
  return true;
}

/** What brackets, the second of which is at `to`, hold. */
function isLiteral(bytes: Uint8Array, from: number, to: number): boolean {
  if (to <= from || bytes[to] !== rightBracket) return false;
  for (let at = from; at < to; at += 1) if (literalBytes[bytes[at] as number] !== 1) return false; // inside
  return true;
}

function isEscape(bytes: Uint8Array, at: number, end: number): boolean {
  return at + 2 < end && hexDigit(bytes[at + 1] as number) >= 0 && hexDigit(bytes[at + 2] as number) >= 0; // inside
}
