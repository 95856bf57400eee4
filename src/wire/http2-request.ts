/**
 * The fields of a request of HTTP/2 as the bytes that an HTTP/1.1 client would have sent (RFC 9113 §8.2, §8.3), to be read as
 * strictly as any. What its rules call malformed is told apart from what is only refused; trailers become lines in the same way.
 * A WebSocket, for which HTTP/2 has a CONNECT of its own (RFC 8441), becomes the GET that asks for an upgrade.
 */
import type { FieldSink } from "./hpack-decoder.ts";
import { ascii, copyBytes } from "./http-bytes.ts";
import { colonSpace, fieldKind } from "./http2-fields.ts";

const versionAndHost = ascii(" HTTP/1.1\r\nhost: ");
const version = ascii(" HTTP/1.1\r\n");
const noHost = ascii("host: \r\n");
const cookieName = ascii("cookie: ");
const crumbMark = ascii("; ");
const chunkedLine = ascii("transfer-encoding: chunked\r\n");
const lineEnd = ascii("\r\n");
const headWord = ascii("HEAD");
const connectWord = ascii("CONNECT");
const getWord = ascii("GET");
const webSocketWord = ascii("websocket");
const upgradeLines = ascii("connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ");
/** What is written beside the fields' own lines, at most. */
const restBytes = 256;

/** A value that was put aside until its turn. */
class Aside {
  bytes: Uint8Array;
  end = 0;
  /** It was said, maybe as nothing. */
  given = false;

  constructor(bytesMax: number) {
    this.bytes = new Uint8Array(bytesMax);
  }

  clear(): void {
    this.end = 0;
    this.given = false;
  }
}

export class RequestText implements FieldSink {
  readonly bytes: Uint8Array;
  end = 0;
  /** The stream is to be reset. */
  malformed = false;
  /** It is longer than it may be; the rest was left out. */
  overlong = false;
  /** Its host is said in two ways. */
  ambiguous = false;
  hasLength = false;
  readonly #bytesMax: number;
  readonly #newKey: () => Uint8Array;
  #trailing = false;
  /** A regular field has come: no pseudo-field may. */
  #begun = false;
  #schemes = 0;
  readonly #method: Aside;
  readonly #path: Aside;
  readonly #authority: Aside;
  readonly #host: Aside;
  readonly #cookies: Aside;
  readonly #protocol: Aside;

  /** Heads of up to `bytesMax` are written into `bytes`; see `bytesNeeded`. `newKey`: for a WebSocket (RFC 6455 §4.1). */
  constructor(bytes: Uint8Array, bytesMax: number, newKey: () => Uint8Array) {
    this.bytes = bytes;
    this.#bytesMax = bytesMax;
    this.#newKey = newKey;
    this.#protocol = new Aside(bytesMax);
    this.#method = new Aside(bytesMax);
    this.#path = new Aside(bytesMax);
    this.#authority = new Aside(bytesMax);
    this.#host = new Aside(bytesMax);
    this.#cookies = new Aside(bytesMax);
  }

  static bytesNeeded(bytesMax: number): number {
    return 2 * bytesMax + restBytes;
  }

  begin(trailing: boolean): void {
    this.end = 0;
    this.malformed = false;
    this.overlong = false;
    this.ambiguous = false;
    this.hasLength = false;
    this.#trailing = trailing;
    this.#begun = trailing;
    this.#schemes = 0;
    for (const aside of [this.#method, this.#path, this.#authority, this.#host, this.#cookies, this.#protocol]) aside.clear();
  }

  get isHead(): boolean {
    return isWord(this.#method, headWord);
  }

  /** What follows is no body. */
  get asksWebSocket(): boolean {
    return isWord(this.#method, connectWord) && isWord(this.#protocol, webSocketWord);
  }

  field(line: Uint8Array, nameEnd: number, valueEnd: number, kind: number): void {
    const valueAt = nameEnd + colonSpace;
    switch (kind) {
      case fieldKind.malformed:
        this.malformed = true;
        return;
      case fieldKind.method:
        return this.#pseudo(this.#method, line, valueAt, valueEnd);
      case fieldKind.path:
        return this.#pseudo(this.#path, line, valueAt, valueEnd);
      case fieldKind.authority:
        return this.#pseudo(this.#authority, line, valueAt, valueEnd);
      case fieldKind.protocol:
        return this.#pseudo(this.#protocol, line, valueAt, valueEnd);
      case fieldKind.scheme:
        this.#schemes += 1;
        if (this.#begun) this.malformed = true;
        return;
    }
    if (this.#trailing) return this.#line(line, valueEnd);
    if (!this.#begun) this.#beginFields();
    if (kind === fieldKind.host) this.#noteHost(line, valueAt, valueEnd);
    else if (kind === fieldKind.cookie) this.#crumb(line, valueAt, valueEnd);
    else if (kind !== fieldKind.te) {
      if (kind === fieldKind.contentLength) this.hasLength = true;
      this.#line(line, valueEnd);
    }
  }

  /** All fields were told. `chunked`: a body comes whose length nobody said. */
  finish(chunked: boolean): void {
    if (this.#trailing) return;
    if (!this.#begun) this.#beginFields();
    // CONNECT has neither scheme nor path (§8.5) but for a protocol of its own, and is refused when it is read.
    const connects = isWord(this.#method, connectWord);
    const targets = connects && !this.#protocol.given ? 0 : 1;
    if (this.#protocol.given && !(connects && this.#authority.given)) this.malformed = true;
    if (!this.#method.given || this.#schemes !== targets || this.#path.given !== (targets === 1)) this.malformed = true;
    this.#judgeHost();
    if (this.#cookies.given) {
      this.#put(cookieName, cookieName.length);
      this.#put(this.#cookies.bytes, this.#cookies.end);
      this.#put(lineEnd, lineEnd.length);
    }
    if (chunked) this.#put(chunkedLine, chunkedLine.length);
    this.#put(lineEnd, lineEnd.length);
    if (this.end > this.#bytesMax) this.overlong = true;
  }

  #pseudo(aside: Aside, line: Uint8Array, from: number, to: number): void {
    if (this.#begun || aside.given) this.malformed = true;
    else this.#putAside(aside, line, from, to);
  }

  #putAside(aside: Aside, line: Uint8Array, from: number, to: number): void {
    aside.given = true;
    if (aside.end + to - from > this.#bytesMax) this.overlong = true;
    else aside.end = copyBytes(line, from, to, aside.bytes, aside.end);
  }

  #beginFields(): void {
    this.#begun = true;
    const { asksWebSocket, bytes } = this;
    const method = asksWebSocket ? getWord : this.#method.bytes;
    let at = copyBytes(method, 0, asksWebSocket ? getWord.length : this.#method.end, bytes, 0);
    bytes[at] = 0x20;
    at = copyBytes(this.#path.bytes, 0, this.#path.end, bytes, at + 1);
    this.end = at;
    if (!this.#authority.given) return this.#put(version, version.length);
    this.#put(versionAndHost, versionAndHost.length);
    this.#put(this.#authority.bytes, this.#authority.end);
    this.#put(lineEnd, lineEnd.length);
    if (!asksWebSocket) return;
    this.#put(upgradeLines, upgradeLines.length);
    const key = this.#newKey();
    this.#put(key, key.length);
    this.#put(lineEnd, lineEnd.length);
  }

  /** Of the head's own bounds, so that there is room. */
  #put(bytes: Uint8Array, length: number): void {
    if (this.end + length > this.bytes.length) this.overlong = true;
    else this.end = copyBytes(bytes, 0, length, this.bytes, this.end);
  }

  #line(line: Uint8Array, valueEnd: number): void {
    if (this.end + valueEnd + 2 > this.#bytesMax) this.overlong = true;
    else this.end = copyBytes(line, 0, valueEnd + 2, this.bytes, this.end);
  }

  /** Cookies may come in crumbs, and go on in one piece (§8.2.3). */
  #crumb(line: Uint8Array, from: number, to: number): void {
    const cookies = this.#cookies;
    if (cookies.given) this.#putAside(cookies, crumbMark, 0, crumbMark.length);
    this.#putAside(cookies, line, from, to);
  }

  #noteHost(line: Uint8Array, from: number, to: number): void {
    if (this.#host.given) this.ambiguous = true;
    else this.#putAside(this.#host, line, from, to);
  }

  /** Whom it is for, it must say, and nobody may read in two ways (§8.3.1). */
  #judgeHost(): void {
    const host = this.#host;
    const authority = this.#authority;
    if ((authority.given ? authority : host).end === 0) this.malformed = true;
    if (!authority.given) {
      this.#put(noHost, noHost.length - lineEnd.length);
      this.#put(host.bytes, host.end);
      this.#put(lineEnd, lineEnd.length);
    } else if (host.given && !sameLetters(host, authority)) this.ambiguous = true;
  }
}

function isWord({ bytes, end }: Aside, wanted: Uint8Array): boolean {
  return end === wanted.length && wanted.every((byte, at) => bytes[at] === byte);
}

function sameLetters(one: Aside, other: Aside): boolean {
  if (one.end !== other.end) return false;
  for (let at = 0; at < one.end; at += 1) {
    const a = one.bytes[at] as number; // inside
    const b = other.bytes[at] as number; // inside
    if (a !== b && ((a ^ b) !== 0x20 || (a | 0x20) < 0x61 || (a | 0x20) > 0x7a)) return false;
  }
  return true;
}
