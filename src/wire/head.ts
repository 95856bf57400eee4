/**
 * The head of a message, request or answer: its field lines, read strictly and in one pass, as positions in
 * the bytes that hold it. A reader keeps nothing between calls but the facts of the last head, so one
 * serves any number of connections. What comes in pieces is read again when a further line has come.
 *
 * Strict means: CRLF at each end of line and no bare CR or LF, a token directly before the colon, no
 * control bytes, no folded lines, one framing and one only (RFC 9112 §6.3, §11).
 */
import { ascii, colon, cr, field, fieldOf, isBlank, isDigit, isWord, lf, space, tokenBytes, valueBytes } from "./http-bytes.ts";

/** What `read` gives: more bytes are needed, the head is whole, or the status of a refusal. */
export const needMore = 0;
export const whole = 1;
export type HeadVerdict = number;

export const framing = { none: 0, length: 1, chunked: 2, untilClose: 3 } as const;

const fieldsMax = 256;
const linesOfConnectionMax = 32;
/** Of fields and words in all Connection fields: each is looked for among all lines. */
const optionsMax = 32;
/** Fifteen digits stay exact as a number. */
const lengthDigitsMax = 15;

const closeWord = ascii("close");
const keepAliveWord = ascii("keep-alive");
const upgradeWord = ascii("upgrade");
const chunkedWord = ascii("chunked");
/** A Connection field may not take these out of a message: they say how long it is, whom it is for, and what is made of it here. */
const neverNamed = ["content-length", "transfer-encoding", "host", "expect", "idempotency-key"].map(ascii);

export abstract class Head {
  /** First byte of the first line; first byte of the first field line; first byte of the empty line; first byte after it. */
  start = 0;
  fieldsAt = 0;
  fieldsEnd = 0;
  end = 0;
  minorVersion = 1;
  /** −1: no Content-Length. */
  contentLength = -1;
  chunked = false;
  framing: number = framing.none;
  /** Of the Connection fields. */
  saysClose = false;
  saysKeepAlive = false;
  saysUpgrade = false;
  /** Lines to leave out, in order: from, to, from, to ... Neighbours are one. */
  readonly cuts = new Int32Array(2 * linesOfConnectionMax);
  cutCount = 0;

  protected fault = 0;
  protected namesOthers = false;
  #transferEncodings = 0;
  #fields = 0;
  #options = 0;
  /** Lines that may have to be cut: from, to, field. */
  readonly #candidates = new Int32Array(3 * linesOfConnectionMax);
  #candidateCount = 0;

  /** Each field that the subclass cares for. Value without white space around it. */
  protected abstract note(code: number, bytes: Uint8Array, valueAt: number, valueEnd: number): void;
  /** Is a candidate's line of this field cut? Of Content-Length it is asked at its line. */
  protected abstract isCut(code: number): boolean;

  protected reset(): void {
    this.minorVersion = 1;
    this.contentLength = -1;
    this.chunked = false;
    this.framing = framing.none;
    this.saysClose = false;
    this.saysKeepAlive = false;
    this.saysUpgrade = false;
    this.cutCount = 0;
    this.fault = 0;
    this.namesOthers = false;
    this.#transferEncodings = 0;
    this.#fields = 0;
    this.#options = 0;
    this.#candidateCount = 0;
  }

  /** Field lines from `at` to the empty line. */
  protected readFields(bytes: Uint8Array, from: number, end: number): HeadVerdict {
    let at = from;
    this.fieldsAt = from;
    for (;;) {
      if (at >= end) return needMore;
      if (bytes[at] === cr) {
        if (at + 1 >= end) return needMore;
        if (bytes[at + 1] !== lf) return 400;
        this.fieldsEnd = at;
        this.end = at + 2;
        return whole;
      }
      const nameAt = at;
      while (at < end && tokenBytes[bytes[at] as number] === 1) at += 1; // `at` is inside
      if (at >= end) return needMore;
      if (bytes[at] !== colon || at === nameAt) return 400;
      const nameEnd = at;
      at += 1;
      while (at < end && valueBytes[bytes[at] as number] === 1) at += 1; // `at` is inside
      if (at >= end) return needMore;
      if (bytes[at] !== cr) return 400;
      if (at + 1 >= end) return needMore;
      if (bytes[at + 1] !== lf) return 400;
      const code = fieldOf(bytes, nameAt, nameEnd);
      if (code !== field.other) this.#note(code, bytes, nameAt, nameEnd + 1, at);
      if (this.fault !== 0) return this.fault;
      this.#fields += 1;
      if (this.#fields > fieldsMax) return 431;
      at += 2;
    }
  }

  #note(code: number, bytes: Uint8Array, lineAt: number, from: number, to: number): void {
    let valueAt = from;
    let valueEnd = to;
    while (valueAt < valueEnd && isBlank(bytes[valueAt])) valueAt += 1;
    while (valueEnd > valueAt && isBlank(bytes[valueEnd - 1])) valueEnd -= 1;
    if (code === field.contentLength) {
      this.#noteLength(bytes, valueAt, valueEnd);
      if (this.isCut(code)) this.#addCandidate(lineAt, to + 2, code);
    } else if (code === field.transferEncoding) {
      this.#noteEncoding(bytes, valueAt, valueEnd);
      this.#addCandidate(lineAt, to + 2, code);
    } else if (code === field.disguised) this.fault = 400;
    else {
      if (code === field.connection) this.#noteConnection(bytes, valueAt, valueEnd);
      this.note(code, bytes, valueAt, valueEnd);
      if (mayBeCut(code)) this.#addCandidate(lineAt, to + 2, code);
    }
  }

  #addCandidate(from: number, to: number, code: number): void {
    if (this.#candidateCount >= linesOfConnectionMax) {
      this.fault = 400;
      return;
    }
    const at = 3 * this.#candidateCount;
    this.#candidates[at] = from;
    this.#candidates[at + 1] = to;
    this.#candidates[at + 2] = code;
    this.#candidateCount += 1;
  }

  /** One line, digits alone: a list, a sign or a second line is what two servers could read differently. */
  #noteLength(bytes: Uint8Array, from: number, to: number): void {
    if (this.contentLength >= 0 || to === from || to - from > lengthDigitsMax) this.fault = 400;
    let length = 0;
    for (let at = from; at < to; at += 1) {
      const byte = bytes[at];
      if (byte === undefined || !isDigit(byte)) this.fault = 400;
      else length = length * 10 + byte - 0x30;
    }
    this.contentLength = length;
  }

  /** `chunked` alone can be forwarded without knowing more codings. */
  #noteEncoding(bytes: Uint8Array, from: number, to: number): void {
    this.#transferEncodings += 1;
    if (this.#transferEncodings > 1) this.fault = 400;
    else if (isWord(bytes, from, to, chunkedWord)) this.chunked = true;
    else this.fault = from === to ? 400 : 501;
  }

  #noteConnection(bytes: Uint8Array, from: number, to: number): void {
    for (const [at, end] of tokens(bytes, from, to)) {
      this.#options += 1;
      if (this.#options > optionsMax) this.fault = 400;
      else if (isWord(bytes, at, end, keepAliveWord)) this.saysKeepAlive = true;
      else if (isWord(bytes, at, end, closeWord)) this.saysClose = true;
      else if (isWord(bytes, at, end, upgradeWord)) this.saysUpgrade = true;
      else this.namesOthers = true;
    }
  }

  /** After the fields: which lines stay behind. */
  protected collectCuts(bytes: Uint8Array): void {
    if (this.namesOthers) {
      this.#collectNamed(bytes);
      return;
    }
    for (let at = 0; at < 3 * this.#candidateCount; at += 3) {
      if (this.isCut(this.#candidates[at + 2] as number)) this.#cut(this.#candidates[at] as number, this.#candidates[at + 1] as number); // inside
    }
  }

  #cut(from: number, to: number): void {
    const last = 2 * this.cutCount - 1;
    if (this.cutCount > 0 && this.cuts[last] === from) this.cuts[last] = to;
    else if (this.cutCount >= linesOfConnectionMax) this.fault = 400;
    else {
      this.cuts[last + 1] = from;
      this.cuts[last + 2] = to;
      this.cutCount += 1;
    }
  }

  /** A Connection field that names other fields is rare: then all lines are looked at once more. */
  #collectNamed(bytes: Uint8Array): void {
    const named: Uint8Array[] = [];
    for (const line of fieldLines(bytes, this.fieldsAt, this.fieldsEnd)) {
      if (fieldOf(bytes, line.nameAt, line.nameEnd) !== field.connection) continue;
      for (const [at, end] of tokens(bytes, line.nameEnd + 1, line.valueEnd)) {
        const name = Uint8Array.from(bytes.subarray(at, end), (byte) => (byte >= 0x41 && byte <= 0x5a ? byte | space : byte));
        if (!neverNamed.some((never) => isWord(name, 0, name.length, never))) named.push(name);
      }
    }
    for (const { nameAt, nameEnd, valueEnd } of fieldLines(bytes, this.fieldsAt, this.fieldsEnd)) {
      const code = fieldOf(bytes, nameAt, nameEnd);
      const kept = this.saysUpgrade && code === field.upgrade && !this.isCut(code);
      const byName = !kept && named.some((name) => isWord(bytes, nameAt, nameEnd, name));
      if (byName || ((mayBeCut(code) || code === field.contentLength) && this.isCut(code))) this.#cut(nameAt, valueEnd + 2);
    }
  }
}

function mayBeCut(code: number): boolean {
  return (
    code === field.connection || code === field.upgrade || code === field.expect || code === field.transferEncoding || code >= field.private
  );
}

/** The tokens of a list: from, to. */
export function tokens(bytes: Uint8Array, from: number, to: number): [number, number][] {
  const found: [number, number][] = [];
  let at = from;
  while (at < to) {
    while (at < to && (isBlank(bytes[at]) || bytes[at] === 0x2c)) at += 1;
    const tokenAt = at;
    while (at < to && bytes[at] !== 0x2c) at += 1;
    let tokenEnd = at;
    while (tokenEnd > tokenAt && isBlank(bytes[tokenEnd - 1])) tokenEnd -= 1;
    if (tokenEnd > tokenAt) found.push([tokenAt, tokenEnd]);
  }
  return found;
}

interface FieldLine {
  readonly nameAt: number;
  readonly nameEnd: number;
  readonly valueEnd: number;
}

/** The lines of a head that was read before. For what is rarely asked. */
export function* fieldLines(bytes: Uint8Array, from: number, to: number): Generator<FieldLine> {
  for (let at = from; at < to; ) {
    const nameEnd = bytes.indexOf(colon, at);
    const valueEnd = bytes.indexOf(cr, nameEnd);
    yield { nameAt: at, nameEnd, valueEnd };
    at = valueEnd + 2;
  }
}
