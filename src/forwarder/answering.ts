/**
 * One attempt's answer on its way to the client. It is held until whole, up to a bound, so that half an
 * answer of a dying node is never seen and the request may still be sent elsewhere. Streams are not held
 * up: an event stream goes at once, and an answer of unknown length is let go when it has not ended within
 * a few milliseconds. One that says its length is waited for: its end will come.
 *
 * express-session sends all but the last byte before the session is stored: holding the whole answer is
 * what makes "answered implies replicated" true for the client.
 */
import type { AnswerHead } from "../wire/answer-head.ts";
import { badBody } from "../wire/body.ts";
import { framing, needMore, whole } from "../wire/head.ts";
import type { Client } from "./client.ts";
import { Unchunking } from "./unchunking.ts";
import type { UpstreamConnection, UpstreamUser } from "./upstream-connection.ts";

/** Longer than a session's write takes, shorter than a person notices. */
const holdMs = 25;
const answerHeadBytesMax = 64 * 1024;

const closeLine = Buffer.from("connection: close\r\n");
const upgradeLine = Buffer.from("connection: upgrade\r\n");
const keepAliveLine = Buffer.from("connection: keep-alive\r\n");
const lastChunk = Buffer.from("0\r\n\r\n");

/** What an answer belongs to. */
export interface Answered {
  readonly method: string;
  readonly asksUpgrade: boolean;
  readonly clientMinorVersion: number;
  /** The client's connection goes on after this answer. */
  keep: boolean;
  /** The client holds its body back until it is told to go on. */
  awaitsContinue: boolean;
  headRead(head: AnswerHead): void;
  complete(reusable: boolean): void;
  fenced(): void;
  /** Not HTTP, or ambiguous. */
  broken(): void;
  /** A success, though not of what was asked for. */
  notAgreed(): void;
  failed(error: NodeJS.ErrnoException | null): void;
  upgraded(): void;
  /** Ended by us though the server would go on. */
  endedEarly(clean: boolean): void;
  /** The server's connection ended after the answer. */
  connectionGone(): void;
}

export class Answering implements UpstreamUser {
  /** Bytes of it went out: no other answer can be given any more. */
  sent = false;
  /** Bytes of it came. */
  begun = false;
  readonly #to: Answered;
  readonly #client: Client;
  readonly #connection: UpstreamConnection;
  readonly #mark: string;
  readonly #bytesMax: number;
  #reading: "head" | "held" | "streaming" | "over" = "head";
  #endsAtChunk = false;
  /** Nothing came behind its head. */
  #bare = true;
  #unchunking: Unchunking | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(to: Answered, client: Client, connection: UpstreamConnection, mark: string, bytesMax: number) {
    this.#to = to;
    this.#client = client;
    this.#connection = connection;
    this.#mark = mark;
    this.#bytesMax = bytesMax;
  }

  upstreamRead(): void {
    this.begun = true;
    // Bytes behind a complete answer: nobody may take them for the next one.
    if (this.#reading === "over") return this.#connection.destroy();
    if (this.#reading === "head" && !this.#readHead()) return;
    this.#readBody();
  }

  upstreamEnded(error: NodeJS.ErrnoException | null): void {
    if (this.#reading === "over") return this.#to.connectionGone();
    const isWhole = this.#reading !== "head" && this.#connection.head.framing === framing.untilClose && this.#endsHere(error);
    this.drop();
    if (!isWhole) return this.#to.failed(error);
    const { block, from, to } = this.#connection;
    this.sent = true;
    // What went before may still be written from this block: see `#letGo`.
    const flushed = from === to ? this.#client.flushed : this.#client.write(block.subarray(from, to));
    this.#connection.user = null;
    this.#connection.destroy(!flushed);
    this.#to.complete(false);
  }

  /**
   * An answer without a length ends with its connection, in order. A server that refuses a request which it has not read whole
   * ends with a reset: its word counts where nothing but the head came, and it said that it would end (Node's own 413 and 431).
   */
  #endsHere(error: NodeJS.ErrnoException | null): boolean {
    if (error === null || this.#connection.heardOut) return true;
    const { saysClose, status } = this.#connection.head;
    return this.#bare && saysClose && status >= 400 && status < 500;
  }

  /** Ends it cleanly though the server has not: an event stream whose client is to connect again elsewhere. */
  endEarly(): void {
    if (this.#reading === "held") this.#letGo();
    if (this.#reading !== "streaming") return;
    const { body, head } = this.#connection;
    if (head.framing === framing.untilClose) this.#endEarly(true);
    else if (body.betweenChunks) {
      if (this.#unchunking === null) this.#client.write(lastChunk);
      this.#endEarly(true);
    } else if (head.framing === framing.chunked) this.#endsAtChunk = true;
    else this.#endEarly(false);
  }

  /** Nothing more of it will be used. */
  drop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#reading = "over";
  }

  #endEarly(clean: boolean): void {
    this.drop();
    this.#to.endedEarly(clean);
  }

  /** True when the head of the final answer has been read. */
  #readHead(): boolean {
    const connection = this.#connection;
    const { head } = connection;
    for (;;) {
      const { block, from, to } = connection;
      const { method, asksUpgrade, awaitsContinue, keep, clientMinorVersion } = this.#to;
      const isOld = clientMinorVersion === 0;
      const keepSaying = keep && !isOld && !awaitsContinue && !this.#client.finishing;
      const verdict = head.read(block, from, to, method === "HEAD", asksUpgrade, keepSaying, isOld);
      if (verdict === needMore && to - from <= answerHeadBytesMax) return false;
      if (verdict !== whole || head.end - head.start > answerHeadBytesMax) return this.#break();
      if (!head.isInterim) break;
      this.#passInterim(block, head);
      connection.from = head.end;
    }
    const { block } = connection;
    if (
      head.status === 503 &&
      head.privateEnd > head.privateAt &&
      block.toString("latin1", head.privateAt, head.privateEnd) === this.#mark
    ) {
      this.drop();
      this.#to.fenced();
      return false;
    }
    if (this.#client.asksByConnect && head.status >= 200 && head.status < 300) {
      this.drop();
      this.#to.notAgreed();
      return false;
    }
    if (head.framing === framing.chunked && this.#to.clientMinorVersion === 0) this.#unchunking = new Unchunking();
    // A body that the client still holds back may come or not: nobody could tell it from a next request.
    if (head.framing === framing.untilClose || this.#unchunking !== null || this.#to.awaitsContinue) this.#to.keep = false;
    connection.from = this.#forClient(block, head);
    connection.scanned = head.end;
    if (head.status === 101) {
      this.drop();
      this.#to.upgraded();
      return false;
    }
    connection.body.begin(head.framing, head.contentLength);
    this.#to.headRead(head);
    this.#hold(head);
    return true;
  }

  #hold({ framing: how, contentLength, isEventStream }: AnswerHead): void {
    const longer = how === framing.length && contentLength > this.#bytesMax;
    this.#reading = isEventStream || longer ? "streaming" : "held";
  }

  #passInterim(block: Buffer, head: AnswerHead): void {
    const isAwaited = head.status === 100 && this.#to.awaitsContinue;
    if (isAwaited) {
      this.#to.awaitsContinue = false;
      this.#client.awaitBody();
    }
    // Whoever speaks 1.0 knows none of these; and but for the one that is waited for they are not worth waiting for.
    if (this.#to.clientMinorVersion === 0 || !(isAwaited || this.#client.flushed)) return;
    this.#client.write(Buffer.from(block.subarray(cutLines(block, head), head.end)));
  }

  /** The head as the client gets it, in place, ending where it ended; returns where it begins. */
  #forClient(block: Buffer, head: AnswerHead): number {
    let start = cutLines(block, head);
    if (head.status === 101 || !this.#client.hearsOfConnection) return start;
    if (head.asksUpgradeUnsaid) start = addLine(block, start, head.end, upgradeLine);
    block[start + 7] = 0x31; // HTTP/1.1, whatever the server spoke
    if (!this.#to.keep || this.#client.finishing) return addLine(block, start, head.end, closeLine);
    return this.#to.clientMinorVersion === 0 ? addLine(block, start, head.end, keepAliveLine) : start;
  }

  #readBody(): void {
    const connection = this.#connection;
    const { body, block, scanned, to } = connection;
    if (to > scanned) this.#bare = false;
    const parts = this.#unchunking?.into(block, scanned) ?? null;
    const read = body.read(block, scanned, to, parts);
    if (read === badBody) {
      this.#break();
      return;
    }
    const end = parts?.end ?? read;
    connection.scanned = end;
    if (parts !== null) connection.to = end;
    if (body.done) this.#complete(end, read === to);
    else if (this.#reading === "held" && this.#mayHold(to - connection.from)) this.#waitForRest();
    else this.#stream();
  }

  /** One that says its length was found short enough when its head came. What is around a body's chunks may be as much again. */
  #mayHold(bytes: number): boolean {
    const { body, head } = this.#connection;
    if (head.framing === framing.length) return true;
    return this.#bytesMax > 0 && body.dataBytes <= this.#bytesMax && bytes <= answerHeadBytesMax + 2 * this.#bytesMax;
  }

  #waitForRest(): void {
    if (this.#timer !== null || this.#connection.head.framing === framing.length) return;
    // A timer that is late runs before what has come meanwhile is read, and it may be the rest, or the node's end.
    this.#timer = setTimeout(() => setImmediate(() => this.#letGo()), holdMs);
  }

  #stream(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#reading = "streaming";
    this.sent = true;
    const connection = this.#connection;
    const flushed = this.#client.write(connection.block.subarray(connection.from, connection.to));
    connection.taken();
    if (!flushed) connection.holdUntilFlushed(this.#client);
    if (this.#endsAtChunk && connection.body.betweenChunks) this.endEarly();
  }

  /** Not while reading: the next read's place lies behind what is written now, in the same block, and waits for the write. */
  #letGo(): void {
    this.#timer = null;
    if (this.#reading !== "held") return;
    this.#reading = "streaming";
    this.sent = true;
    const connection = this.#connection;
    const flushed = this.#client.write(connection.block.subarray(connection.from, connection.to));
    connection.taken();
    if (flushed) return;
    connection.pause();
    this.#client.afterFlush(() => connection.resume());
  }

  /** `isLast`: nothing was read behind it. */
  #complete(end: number, isLast: boolean): void {
    this.drop();
    const connection = this.#connection;
    const reusable = connection.head.keepsAlive && isLast;
    this.sent = true;
    const flushed = this.#client.write(connection.block.subarray(connection.from, end));
    connection.taken();
    if (!flushed) connection.lendUntilFlushed(this.#client);
    this.#to.complete(reusable);
  }

  #break(): false {
    this.drop();
    this.#to.broken();
    return false;
  }
}

/** Moves what is before each cut line over it; returns where the head begins then. */
function cutLines(block: Buffer, head: AnswerHead): number {
  let { start } = head;
  for (let cut = 0; cut < 2 * head.cutCount; cut += 2) {
    const from = head.cuts[cut] as number; // inside
    const length = (head.cuts[cut + 1] as number) - from; // inside
    block.copyWithin(start + length, start, from);
    start += length;
  }
  return start;
}

/** Adds a line at the end of a head that ends at `end`; there is room for it in front of `start`. */
function addLine(block: Buffer, start: number, end: number, line: Buffer): number {
  const at = start - line.length;
  block.copyWithin(at, start, end - 2);
  line.copy(block, end - 2 - line.length);
  return at;
}
