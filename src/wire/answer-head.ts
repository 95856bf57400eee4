/**
 * The head of an answer: status line, field lines, and how long its body is for the request that it
 * answers (RFC 9112 §6.3). See head.ts. A server's answer that two clients could read differently is
 * refused as a request would be.
 */
import { framing, Head, type HeadVerdict, needMore, whole } from "./head.ts";
import { ascii, cr, field, isDigit, isWord, lf, space, valueBytes } from "./http-bytes.ts";

const versionWord = ascii("HTTP/1.");
const webSocketWord = ascii("websocket");
const eventStreamWord = ascii("text/event-stream");
const upgradeRequired = 426;

export class AnswerHead extends Head {
  status = 0;
  isEventStream = false;
  /** What it changes to, or would have its client ask for, is a WebSocket. */
  namesWebSocket = false;
  /** It asks for another protocol, and the line that says so of its connection is cut: another is to stand there. */
  asksUpgradeUnsaid = false;
  /** The value of the private field, where there was one: from, to. */
  privateAt = 0;
  privateEnd = 0;
  /** The server keeps the connection after this answer. */
  keepsAlive = true;
  /** Of the request: it was a HEAD; it asked to upgrade; its client's connection is one that says keep-alive itself. */
  #forHead = false;
  #forUpgrade = false;
  #keepSaying = false;
  #unchunked = false;
  #hasUpgrade = false;

  /**
   * `keepSaying`: a line `Connection: keep-alive` may stay, because it is true towards the client too. `unchunked`: the
   * client gets the body without its chunks.
   */
  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    forHead: boolean,
    forUpgrade: boolean,
    keepSaying: boolean,
    unchunked = false,
  ): HeadVerdict {
    this.reset();
    this.#unchunked = unchunked;
    this.#forHead = forHead;
    this.#forUpgrade = forUpgrade;
    this.#keepSaying = keepSaying;
    this.isEventStream = false;
    this.namesWebSocket = false;
    this.asksUpgradeUnsaid = false;
    this.#hasUpgrade = false;
    this.privateAt = 0;
    this.privateEnd = 0;
    this.start = start;
    const verdict = this.#readLine(bytes, start, end);
    if (verdict !== whole) return verdict;
    const fields = this.readFields(bytes, this.fieldsAt, end);
    return fields === whole ? this.#judge(bytes) : fields;
  }

  /** 100, 102, 103: another answer follows. */
  get isInterim(): boolean {
    return this.status < 200 && this.status !== 101;
  }

  #readLine(bytes: Uint8Array, from: number, end: number): HeadVerdict {
    for (let at = 0; at < versionWord.length; at += 1) {
      if (from + at >= end) return needMore;
      if (bytes[from + at] !== versionWord[at]) return 400;
    }
    let at = from + versionWord.length;
    if (at + 5 >= end) return needMore;
    const minor = (bytes[at] ?? 0) - 0x30;
    if ((minor !== 0 && minor !== 1) || bytes[at + 1] !== space) return 400;
    this.minorVersion = minor;
    this.status = 0;
    for (let digit = at + 2; digit < at + 5; digit += 1) {
      const byte = bytes[digit];
      if (byte === undefined || !isDigit(byte)) return 400;
      this.status = this.status * 10 + byte - 0x30;
    }
    if (this.status < 100) return 400;
    at += 5;
    // The space belongs there even if no words follow; some servers leave both out.
    if (bytes[at] !== space && bytes[at] !== cr) return 400;
    while (at < end && valueBytes[bytes[at] as number] === 1) at += 1; // `at` is inside
    if (at + 1 >= end) return at < end && bytes[at] !== cr ? 400 : needMore;
    if (bytes[at] !== cr || bytes[at + 1] !== lf) return 400;
    this.fieldsAt = at + 2;
    return whole;
  }

  protected override note(code: number, bytes: Uint8Array, valueAt: number, valueEnd: number): void {
    if (code === field.contentType) {
      let same = valueEnd - valueAt >= eventStreamWord.length;
      for (let at = 0; same && at < eventStreamWord.length; at += 1) same = ((bytes[valueAt + at] ?? 0) | space) === eventStreamWord[at];
      this.isEventStream = same;
    } else if (code === field.upgrade) {
      this.#hasUpgrade = true;
      this.namesWebSocket = isWord(bytes, valueAt, valueEnd, webSocketWord);
    } else if (code === field.private) {
      this.privateAt = valueAt;
      this.privateEnd = valueEnd;
    }
  }

  protected override isCut(code: number): boolean {
    if (code === field.connection) {
      if (this.status === 101) return false;
      if (this.saysClose || this.namesOthers) return true;
      if (this.saysUpgrade) return this.saysKeepAlive || this.status !== upgradeRequired;
      return !(this.#keepSaying && this.saysKeepAlive && this.framing !== framing.untilClose);
    }
    // A 426 must say to what (RFC 9110 §15.5.22), and what a client then asks for goes through.
    if (code === field.upgrade) return this.status !== 101 && this.status !== upgradeRequired;
    // A 204 has no body, whatever is said of it (RFC 9112 §6.1): some clients would wait for its chunks, others, of HTTP/2, refuse its length.
    // Nor has a 101: over HTTP/2 a length would be that of all that follows.
    if (code === field.contentLength) return this.status === 204 || this.status === 101;
    if (code === field.transferEncoding) return this.#unchunked || this.status === 204;
    return code !== field.expect && code !== field.http2Settings && code >= field.private;
  }

  #judge(bytes: Uint8Array): HeadVerdict {
    if (this.chunked && this.contentLength >= 0) return 400;
    // An interim answer has no body, so it has no length to tell (RFC 9110 §8.6).
    if (this.isInterim && (this.minorVersion === 0 || this.saysClose || this.contentLength >= 0)) return 400;
    if (this.status === 101 && !(this.#forUpgrade && this.saysUpgrade)) return 400;
    const bodiless = this.#forHead || this.status < 200 || this.status === 204 || this.status === 304;
    if (this.chunked && this.status < 200) return 400;
    if (bodiless) this.framing = framing.none;
    else if (this.chunked) this.framing = framing.chunked;
    else if (this.contentLength >= 0) this.framing = this.contentLength === 0 ? framing.none : framing.length;
    else this.framing = framing.untilClose;
    // A server that sends after all what it announced where there is no body would speak into the next request's answer.
    const mayFollow = bodiless && (this.chunked || this.contentLength > 0);
    // Chunks in HTTP/1.0 are chunks to all who read it, and the last that is read there (RFC 9112 §6.1).
    const beyondVersion = this.chunked && this.minorVersion === 0;
    const ends = this.framing === framing.untilClose || this.saysClose || mayFollow || beyondVersion;
    this.keepsAlive = !ends && (this.minorVersion === 1 || this.saysKeepAlive);
    this.collectCuts(bytes);
    this.asksUpgradeUnsaid = this.status === upgradeRequired && this.#hasUpgrade && !(this.saysUpgrade && !this.isCut(field.connection));
    return this.fault === 0 ? whole : this.fault;
  }
}
