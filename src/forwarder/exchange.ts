/**
 * One request and its answer, over as many upstreams as the resend rule allows (see choosing.ts). The body is read once,
 * saved and sent on (see sending.ts); the answer is held until whole where it is small (see answering.ts).
 * In-flight counts go up when an upstream is tried and down exactly once when that attempt ends.
 */
import type { ListenerId } from "../model/node.ts";
import { type AttemptEnd, isUnsafe, resendVerdict } from "../routing/resend-rule.ts";
import type { Upstream } from "../routing/upstream-table.ts";
import type { AnswerHead } from "../wire/answer-head.ts";
import { framing } from "../wire/head.ts";
import type { RequestHead } from "../wire/request-head.ts";
import { type Answered, Answering } from "./answering.ts";
import { type Chooser, Choosing, sessionOf } from "./choosing.ts";
import type { Client } from "./client.ts";
import { isOutOfDescriptors } from "./descriptors.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { forwardedLines } from "./headers.ts";
import type { InstanceLinks } from "./instance-links.ts";
import {
  badAnswer,
  diedInProcess,
  diedTwice,
  noFurther,
  notAgreed,
  notSavedWhole,
  type Refusal,
  refusalOf,
  tooSlow,
  written,
} from "./refusals.ts";
import { Sending } from "./sending.ts";
import type { Stream } from "./streams.ts";
import type { UpstreamConnection } from "./upstream-connection.ts";

/** In the access log, for want of an answer (nginx's number for it). */
const clientWentAway = 499;

const nothing = Buffer.alloc(0);

export class Exchange implements Answered, Chooser, Stream {
  readonly method: string;
  readonly asksUpgrade: boolean;
  readonly clientMinorVersion: number;
  keep: boolean;
  /** The answer is whole and out; the request's body may still be coming. */
  answered = false;
  readonly #dispatcher: Dispatcher;
  readonly #listener: ListenerId;
  readonly #client: Client;
  readonly #sending: Sending;
  readonly #unsafe: boolean;
  readonly #idempotencyKey: boolean;
  readonly #choosing: Choosing;
  /** Of the attempt that is under way. */
  #upstream: Upstream | null = null;
  #answering: Answering | null = null;
  #links: InstanceLinks | null = null;
  #reusable = false;
  /** The client holds its body back until it is told to go on. */
  awaitsContinue: boolean;
  #startedMs = 0;
  /** For nodes without a probe: what the request itself said there is taken out of it once. */
  #forwarded: Buffer | null = null;
  /** For the access log. */
  readonly #beganMs: number;
  readonly #bytesBefore: number;
  #status = 0;
  #answeredBy: Upstream | null = null;
  /** Its server's connection is its client's alone from here on. */
  #pins: boolean;
  #deaths = 0;
  #done = false;
  readonly #hopsLeft: number;

  constructor(dispatcher: Dispatcher, listener: ListenerId, client: Client, head: RequestHead, source: Buffer) {
    this.#dispatcher = dispatcher;
    this.#listener = listener;
    this.#client = client;
    this.method = head.method;
    this.asksUpgrade = head.upgrades;
    this.clientMinorVersion = head.minorVersion;
    this.keep = head.keepsAlive;
    this.#beganMs = dispatcher.accessLog === null ? 0 : performance.now();
    this.#bytesBefore = client.bytesWritten;
    this.awaitsContinue = head.expectsContinue && head.framing !== framing.none;
    this.#unsafe = isUnsafe(head.method);
    this.#pins = head.authorizesConnection || client.pinnedTo !== null;
    this.#idempotencyKey = head.hasIdempotencyKey && dispatcher.settings.resendWithIdempotencyKey;
    this.#choosing = new Choosing(this, dispatcher, listener, sessionOf(head, source, dispatcher.table.affinityCookies));
    this.#choosing.own = client.pinnedTo;
    this.#sending = new Sending(dispatcher, client, head, source);
    this.#hopsLeft = head.hopsLeft;
    if (head.hopsLeft > 0) this.#sending.request.replaceValue("max-forwards", `${head.hopsLeft - 1}`);
  }

  /** A part of the body that came with the head, before `start`. */
  bodyBegan(bytes: Buffer, from: number, to: number): void {
    this.awaitsContinue = false;
    this.#sending.request.keepFirst(bytes, from, to, this.#client.body.left);
  }

  start(): void {
    if (this.#hopsLeft !== 0) this.#choosing.choose();
    // What a TRACE would show of the request (RFC 9110 §9.3.8), nobody should be shown.
    else this.#refuse(this.method === "TRACE" ? refusalOf(501) : noFurther);
  }

  /** The body is passed on and not kept. */
  get streamsBody(): boolean {
    return this.#sending.streams;
  }

  /** Where the body's next part may be read to, to be kept there; null where it is not kept. */
  get bodyRoom(): Buffer | null {
    return this.#sending.room;
  }

  /** Nothing of the body is on its way any more. */
  get bodyFlushed(): boolean {
    return this.#sending.flushed;
  }

  /** A further part of the body came. `lasting`: the bytes stay as they are until reading goes on; else they are the caller's again. */
  bodyRead(bytes: Buffer, from: number, to: number, lasting: boolean): void {
    this.awaitsContinue = false;
    this.#sending.bodyRead(bytes, from, to, lasting);
    if (this.answered && this.#client.body.done) this.#finish();
  }

  /** Of its answer something has gone out. */
  get answers(): boolean {
    return this.answered || this.#answering?.sent === true;
  }

  /** The body's framing is broken: where it ends, nobody can say. */
  badBody(): void {
    this.#giveUp(refusalOf(400));
  }

  /** The body has stopped coming. */
  bodyLate(): void {
    this.#giveUp(tooSlow);
  }

  clientClosed(): void {
    if (this.#done) return;
    // An interim answer (100, 103) is none yet.
    this.#over(this.#status !== 0 && this.#client.bytesWritten > this.#bytesBefore ? this.#status : clientWentAway);
    this.#abandon();
    this.#sending.request.release(true);
  }

  // ---- what an attempt tells

  headRead({ status, isEventStream }: AnswerHead): void {
    this.#status = status;
    this.#answeredBy = this.#upstream;
    const upstream = this.#upstream;
    if (upstream === null) return;
    if (status >= 500) upstream.serverErrorsTotal += 1;
    if (!isEventStream) return;
    this.#dispatcher.streams.add(this, upstream);
    this.#dispatcher.table.succeeded(upstream); // it may never be complete
  }

  complete(reusable: boolean): void {
    const upstream = this.#upstream;
    const nowMs = performance.now();
    if (upstream !== null) {
      this.#links?.latencies.add(nowMs - this.#startedMs);
      this.#dispatcher.table.succeeded(upstream);
    }
    this.#endAttempt();
    this.answered = true;
    this.#reusable = reusable;
    this.#sending.answered();
    // A body that was never asked for will not come, nor one whose client has closed its side.
    if (this.#client.body.done || this.awaitsContinue || this.#client.hasEnded) this.#finish();
  }

  fenced(): void {
    this.#fail("refused");
  }

  broken(): void {
    this.#countFailure();
    const { sent } = this.#answering ?? { sent: true };
    this.#abandon();
    if (sent) this.#client.destroy();
    else this.#refuse(badAnswer);
  }

  notAgreed(): void {
    this.#answeredBy = this.#upstream;
    this.#abandon();
    this.#refuse(notAgreed);
  }

  failed(error: NodeJS.ErrnoException | null): void {
    if (isOutOfDescriptors(error)) return this.#waitForDescriptor();
    if (error?.syscall === "connect" && error.code === "ETIMEDOUT" && this.#upstream !== null)
      this.#choosing.tookNone(this.#upstream, this.#startedMs);
    this.#fail(this.#endOf(error));
  }

  upgraded(): void {
    const { connection, request } = this.#sending;
    const upstream = this.#upstream;
    if (connection === null || upstream === null) return;
    this.#status = 101;
    this.#answeredBy = upstream;
    this.#over(101);
    this.#dispatcher.table.succeeded(upstream);
    // A server that agrees without a word agrees to what was asked for.
    const isWebSocket = connection.head.namesWebSocket || request.fieldValue("upgrade")?.toLowerCase() === "websocket";
    request.release(!connection.flushed);
    this.#client.becomeTunnel({ dispatcher: this.#dispatcher, upstream, server: connection, unsafe: this.#unsafe, isWebSocket });
  }

  endedEarly(clean: boolean): void {
    this.#abandon();
    this.answered = true;
    this.#sending.answered();
    if (!clean) this.#client.destroy();
    else if (this.#client.body.done) this.#finish();
  }

  connectionGone(): void {
    this.#sending.drop();
  }

  // ---- streams of a drained node

  streamsFrom(upstream: Upstream): boolean {
    return this.#upstream === upstream;
  }

  endStream(upstream: Upstream): void {
    if (this.#upstream === upstream) this.#answering?.endEarly();
  }

  // ---- attempts

  chosen(upstream: Upstream): void {
    const pinned = this.#client.takePinned();
    if (pinned?.upstream === upstream) return this.#attempt(upstream, pinned.connection);
    pinned?.connection.destroy();
    this.#attempt(upstream, null);
  }

  #attempt(upstream: Upstream, pinned: UpstreamConnection | null): void {
    const { request } = this.#sending;
    const client = this.#client;
    const links = this.#dispatcher.linksOf(upstream.id);
    this.#startedMs = performance.now();
    const pool = links.poolOf(this.#listener, upstream.route);
    const connection = pool.take(this.#startedMs, pinned);
    const answering = new Answering(this, client, connection, links.mark, this.#dispatcher.settings.heldAnswerBytesMax);
    this.#upstream = upstream;
    this.#links = links;
    this.#answering = answering;
    connection.user = answering;
    this.#dispatcher.table.begin(upstream, this.#unsafe);
    if (upstream.route.probed) request.putFirst(links.clientLine, client.addressLine);
    else {
      this.#forwarded ??= forwardedLines(request, client.facts, this.#dispatcher.trustedProxies);
      request.putFirst(this.#forwarded, nothing);
    }
    this.#sending.begin(connection, pool);
  }

  noneChosen(why: Refusal): void {
    this.#refuse(why);
  }

  /** Nobody has failed: neither the node nor an attempt at it. */
  #waitForDescriptor(): void {
    const upstream = this.#upstream;
    if (upstream === null) return;
    this.#answering?.drop();
    this.#forgetAttempt();
    this.#sending.drop();
    const hasRoom = this.#dispatcher.outOfDescriptors(upstream, this.#unsafe);
    if (this.#done) return;
    if (hasRoom) this.#choosing.chooseSoon();
    else this.#choosing.wait();
  }

  #fail(end: AttemptEnd): void {
    const upstream = this.#upstream;
    const sent = this.#answering?.sent === true;
    this.#abandon();
    if (this.#done || upstream === null) return;
    if (!sent) {
      // What was held of its answer nobody is told.
      this.#status = 0;
      this.#answeredBy = null;
    }
    const { deadlyRoutes, table } = this.#dispatcher;
    const nowMs = performance.now();
    if (end !== "refused") table.failed(upstream, nowMs);
    const route = `${this.method} ${this.#sending.request.path}`;
    if (end === "died" && this.#deaths > 0) deadlyRoutes.diedAgain(route, nowMs);
    const verdict = resendVerdict({
      method: this.method,
      end,
      answerSent: sent,
      bodySaved: this.#sending.request.whole,
      deathsBefore: this.#deaths,
      idempotencyKey: this.#idempotencyKey,
      deadly: deadlyRoutes.isDeadly(route, nowMs),
    });
    if (end === "died") {
      this.#deaths += 1;
      this.#choosing.taken();
    }
    if (verdict === "resend") {
      upstream.resentTotal += 1;
      return this.#choosing.chooseAfter(upstream);
    }
    upstream.failedTotal += 1;
    if (verdict === "reset") this.#client.destroy();
    else if (end !== "died") this.#refuse(notSavedWhole);
    else this.#refuse(this.#deaths > 1 ? diedTwice : diedInProcess);
  }

  /**
   * Connecting failed: nothing was written. A server that ended with the request unread did not execute it: on
   * a Unix socket that is told apart, as a reset, from an end in order. Any other end may have come after
   * the request was read.
   */
  #endOf(error: NodeJS.ErrnoException | null): AttemptEnd {
    if (error?.syscall === "connect") return "not-written";
    const unread = error?.code === "ECONNRESET" || error?.code === "EPIPE";
    const begun = this.#answering?.begun === true;
    return unread && !begun && this.#sending.inOneRead && this.#upstream?.route.probed === true ? "not-written" : "died";
  }

  // ---- ends

  #countFailure(): void {
    if (this.#upstream !== null) this.#upstream.failedTotal += 1;
  }

  /** The attempt is over, its connection useless. */
  #abandon(): void {
    this.#answering?.drop();
    this.#endAttempt();
    this.#sending.drop();
  }

  #endAttempt(): void {
    const upstream = this.#upstream;
    if (upstream === null) return;
    this.#forgetAttempt();
    this.#dispatcher.end(upstream, this.#unsafe);
  }

  #forgetAttempt(): void {
    this.#upstream = null;
    this.#answering = null;
    this.#dispatcher.streams.delete(this);
  }

  /** In one of its ways it has ended; its head is still there. */
  #over(status: number): void {
    this.#done = true;
    this.#choosing.stop();
    this.#dispatcher.accessLog?.request({
      client: this.#client.facts.address,
      method: this.method,
      path: this.#sending.request.path,
      status,
      bytes: this.#client.bytesWritten - this.#bytesBefore,
      ms: Math.round((performance.now() - this.#beganMs) * 1_000) / 1_000,
      ...(this.#answeredBy === null ? {} : { instance: this.#answeredBy.id }),
      ...(this.#choosing.failures === 0 ? {} : { resent: this.#choosing.failures }),
    });
  }

  /** Request and answer are complete. */
  #finish(): void {
    if (this.#done) return;
    this.#over(this.#status);
    this.#sending.finish(this.#reusable, this.#pins ? this.#answeredBy : null);
    this.#client.exchangeDone(this.keep);
  }

  /** The client did not keep to the protocol. Where it has its answer already, that is to arrive. */
  #giveUp(refusal: Refusal): void {
    if (this.answered) {
      this.keep = false;
      return this.#finish();
    }
    const sent = this.#answering?.sent === true;
    this.#abandon();
    if (sent) this.#client.destroy();
    else this.#refuse(refusal);
  }

  #refuse(refusal: Refusal): void {
    if (this.#done) return;
    // Whoever speaks 1.0 would have to be told that it is kept.
    const keep = this.keep && this.clientMinorVersion === 1 && this.#client.body.done && !this.#client.finishing;
    this.#client.write(written(refusal, this.#sending.request.fieldList("accept") ?? "", this.method !== "HEAD", !keep));
    this.#over(refusal.status);
    this.#sending.request.release(true);
    this.#client.exchangeDone(keep);
  }
}
