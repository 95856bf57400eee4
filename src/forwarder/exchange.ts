/**
 * One request and its answer, over as many upstreams as the resend rule allows. The body is read once,
 * saved and streamed on; the answer is held until whole where it is small. In-flight counts go up when an
 * upstream is tried and down exactly once when that attempt ends.
 */
import { type ClientRequest, type IncomingMessage, type ServerResponse, request as sendRequest } from "node:http";
import type { ListenerId } from "../model/node.ts";
import { cookieValue } from "../routing/affinity.ts";
import { type AttemptEnd, isUnsafe, resendVerdict } from "../routing/resend-rule.ts";
import type { Upstream } from "../routing/upstream-table.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { clientHeader, fencedHeader, forwardedHeaders, requestHeaders } from "./headers.ts";
import { HeldAnswer } from "./held-answer.ts";
import { diedInProcess, notSavedWhole, parkedTooLong, refuse, tooManyParked } from "./refusals.ts";
import { SavedBody } from "./saved-body.ts";
import { upstreamAddress } from "./upstream-address.ts";

/** A request is refused by a fence or finds a socket gone only in races with a table on its way: more is a fault. */
const attemptsMax = 20;

interface Attempt {
  readonly upstream: Upstream;
  readonly outgoing: ClientRequest;
  readonly startedMs: number;
  answer: HeldAnswer | null;
  ended: boolean;
}

export class Exchange {
  readonly #dispatcher: Dispatcher;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #listener: ListenerId;
  readonly #body: SavedBody;
  readonly #method: string;
  readonly #unsafe: boolean;
  readonly #session: string | null;
  readonly #avoid: string[] = [];
  #attempt: Attempt | null = null;
  #attempts = 0;
  #deaths = 0;
  #bodyEnded = false;
  #done = false;
  #unpark: (() => void) | null = null;

  constructor(dispatcher: Dispatcher, listener: ListenerId, request: IncomingMessage, response: ServerResponse) {
    this.#dispatcher = dispatcher;
    this.#listener = listener;
    this.#request = request;
    this.#response = response;
    this.#method = request.method ?? "GET";
    this.#unsafe = isUnsafe(this.#method);
    const { cookie } = request.headers;
    this.#session = cookie === undefined ? null : cookieValue(cookie, dispatcher.table.affinityCookies);
    this.#body = new SavedBody(dispatcher.saveBudget, dispatcher.settings.saveBodyBytesMax);
    response.on("close", () => this.#clientDone());
    response.on("error", () => {});
    request.on("error", () => {});
    this.#readBody();
    this.#try();
  }

  #readBody(): void {
    const { headers } = this.#request;
    if (headers["content-length"] === undefined && headers["transfer-encoding"] === undefined) {
      this.#bodyEnded = true;
      return;
    }
    this.#request.on("data", (chunk: Buffer) => {
      this.#body.add(chunk);
      const outgoing = this.#attempt?.outgoing;
      // Answered already, and the server has gone: what the client still sends is read and dropped.
      if (this.#done && (outgoing === undefined || outgoing.destroyed)) return;
      if (outgoing === undefined ? this.#body.whole : outgoing.write(chunk)) return;
      this.#request.pause();
      if (outgoing !== undefined) this.#resumeWhenDrained(outgoing);
    });
    this.#request.on("end", () => {
      this.#bodyEnded = true;
      this.#attempt?.outgoing.end();
    });
  }

  #resumeWhenDrained(outgoing: ClientRequest): void {
    const { socket } = outgoing;
    const goOn = () => {
      for (const event of ["drain", "close"]) outgoing.off(event, goOn);
      socket?.off("drain", goOn);
      this.#request.resume();
    };
    for (const event of ["drain", "close"]) outgoing.on(event, goOn);
    // Once the answer is complete, Node's client tells "drain" of the socket alone.
    socket?.on("drain", goOn);
  }

  #try(): void {
    if (this.#done) return;
    this.#attempts += 1;
    const upstream = this.#attempts > attemptsMax ? null : this.#dispatcher.choose(this.#listener, this.#session, this.#avoid);
    if (upstream === null) this.#park();
    else this.#send(upstream);
  }

  #park(): void {
    if (this.#attempts > attemptsMax) return this.#refuse(parkedTooLong);
    if (!this.#body.whole) return this.#refuse(notSavedWhole);
    this.#unpark = this.#dispatcher.parking.park(
      () => {
        this.#attempts -= 1; // waiting is no attempt
        this.#try();
      },
      () => this.#refuse(parkedTooLong),
    );
    if (this.#unpark === null) this.#refuse(tooManyParked);
  }

  #send(upstream: Upstream): void {
    const { socket, rawHeaders, url = "/" } = this.#request;
    const first = upstream.route.probed
      ? [clientHeader, `${this.#dispatcher.markOf(upstream.id)} ${socket.remoteAddress ?? "-"} ${socket.remotePort ?? 0}`]
      : forwardedHeaders(this.#request);
    const address = upstreamAddress(upstream.route.sockets[this.#listener] ?? "");
    const outgoing = sendRequest({
      ...("path" in address ? { socketPath: address.path } : address),
      agent: this.#dispatcher.agentOf(upstream.id),
      method: this.#method,
      path: url,
      // A flat array goes out as it is, order and case kept.
      headers: requestHeaders(rawHeaders, first) as unknown as NodeJS.Dict<string>,
      setHost: false,
    });
    const attempt: Attempt = { upstream, outgoing, startedMs: performance.now(), answer: null, ended: false };
    this.#attempt = attempt;
    this.#dispatcher.table.begin(upstream, this.#unsafe);
    outgoing.on("response", (answer) => this.#answered(attempt, answer));
    outgoing.on("error", (error: NodeJS.ErrnoException) => this.#failed(attempt, endOf(error)));
    for (const chunk of this.#body.chunks) outgoing.write(chunk);
    if (this.#bodyEnded) outgoing.end();
    else this.#request.resume();
  }

  #answered(attempt: Attempt, answer: IncomingMessage): void {
    if (answer.statusCode === 503 && answer.headers[fencedHeader] === this.#dispatcher.markOf(attempt.upstream.id)) {
      answer.resume();
      attempt.outgoing.destroy();
      return this.#failed(attempt, "refused");
    }
    if ((answer.statusCode ?? 0) >= 500) attempt.upstream.serverErrorsTotal += 1;
    const held = new HeldAnswer(answer, this.#response, this.#dispatcher.settings.heldAnswerBytesMax);
    attempt.answer = held;
    if (held.isEventStream) this.#dispatcher.streams.add(this);
    answer.on("end", () => {
      if (attempt.ended) return;
      this.#dispatcher.measured(attempt.upstream, performance.now() - attempt.startedMs);
      this.#endAttempt(attempt);
      if (!answer.complete) return this.#settle(attempt, "died");
      held.finish();
    });
    answer.on("aborted", () => this.#failed(attempt, "died"));
    answer.on("error", () => this.#failed(attempt, "died"));
  }

  #failed(attempt: Attempt, end: AttemptEnd): void {
    if (attempt.ended) return;
    this.#endAttempt(attempt);
    this.#settle(attempt, end);
  }

  #settle(attempt: Attempt, end: AttemptEnd): void {
    if (this.#done) return;
    attempt.answer?.drop();
    const { deadlyRoutes } = this.#dispatcher;
    const route = routeOf(this.#method, this.#request.url ?? "");
    if (end === "died" && this.#deaths > 0) deadlyRoutes.diedAgain(route, Date.now());
    const verdict = resendVerdict({
      method: this.#method,
      end,
      answerSent: attempt.answer?.sent ?? false,
      bodySaved: this.#body.whole,
      deathsBefore: this.#deaths,
      idempotencyKey: false,
      deadly: deadlyRoutes.isDeadly(route, Date.now()),
    });
    if (end === "died") this.#deaths += 1;
    if (verdict === "resend") {
      attempt.upstream.resentTotal += 1;
      this.#avoid.push(attempt.upstream.id);
      // The table that says who is gone may be on its way: let it come in first.
      setImmediate(() => this.#try());
      return;
    }
    attempt.upstream.failedTotal += 1;
    if (verdict === "reset") this.#response.destroy();
    else this.#refuse(end === "died" ? diedInProcess : notSavedWhole);
  }

  /** A drained node's event stream ends cleanly: its client connects again, elsewhere. */
  endStream(upstream: Upstream): void {
    const attempt = this.#attempt;
    if (attempt === null || attempt.upstream !== upstream || attempt.ended) return;
    attempt.answer?.endEarly();
    attempt.outgoing.destroy();
    this.#endAttempt(attempt);
  }

  streamsFrom(upstream: Upstream): boolean {
    return this.#attempt?.upstream === upstream && !this.#attempt.ended;
  }

  #endAttempt(attempt: Attempt): void {
    attempt.ended = true;
    this.#dispatcher.streams.delete(this);
    this.#dispatcher.table.end(attempt.upstream, this.#unsafe);
  }

  #refuse(refusal: Parameters<typeof refuse>[2]): void {
    if (!this.#done) refuse(this.#request, this.#response, refusal);
  }

  /** The answer is complete, or the client went away: then the upstream is told too. */
  #clientDone(): void {
    this.#done = true;
    this.#unpark?.();
    this.#body.release();
    const attempt = this.#attempt;
    if (attempt === null || attempt.ended) return;
    attempt.answer?.drop();
    attempt.outgoing.destroy();
    this.#endAttempt(attempt);
  }
}

/** What a query of death is known by: the query itself differs from client to client. */
function routeOf(method: string, url: string): string {
  const query = url.indexOf("?");
  return `${method} ${query < 0 ? url : url.slice(0, query)}`;
}

/** Connecting failed: nothing was written. Any other end may have come after the request was read. */
function endOf(error: NodeJS.ErrnoException): AttemptEnd {
  return error.syscall === "connect" ? "not-written" : "died";
}
