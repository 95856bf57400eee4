/**
 * The resend rule. Nothing written: another node may always have it. Written, and no byte of
 * the answer sent to the client: only idempotent methods (RFC 9110 §9.2.2), only because the node died,
 * and once. After bytes went out: the client's connection is reset, so that half an answer is seen as one.
 */

/**
 * not-written: connect failed, or nothing left this process. refused: the instance's fence said that it
 * did not execute it. died: the connection ended after the request (or a part of it) was written.
 */
export type AttemptEnd = "not-written" | "refused" | "died";

export interface ResendFacts {
  readonly method: string;
  readonly end: AttemptEnd;
  /** Bytes of this answer left for the client. */
  readonly answerSent: boolean;
  /** All of the request's body that was read is kept. */
  readonly bodySaved: boolean;
  /** How often it was in process at a death before this one. */
  readonly deathsBefore: number;
  /** The application opted in, and the request carries an Idempotency-Key. */
  readonly idempotencyKey: boolean;
  /** A request of this route was in process at two deaths lately. */
  readonly deadly: boolean;
}

export type ResendVerdict = "resend" | "answer-502" | "reset";

const idempotentMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);
const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

/** Methods that may change something (RFC 9110 §9.2.1). */
export function isUnsafe(method: string): boolean {
  return !safeMethods.has(method);
}

export function resendVerdict(facts: ResendFacts): ResendVerdict {
  if (facts.answerSent) return "reset";
  if (!facts.bodySaved) return "answer-502";
  if (facts.end !== "died") return "resend";
  if (facts.deathsBefore > 0 || facts.deadly) return "answer-502";
  return idempotentMethods.has(facts.method) || facts.idempotencyKey ? "resend" : "answer-502";
}

const deadlyRoutesMax = 256;

/**
 * Queries of death: the route of a request that was in process at two deaths is not resent for a while. One
 * death says nothing about a route: a popular one is in process at every death. Bounded; the clock is the caller's.
 */
export class DeadlyRoutes {
  readonly #rememberMs: number;
  readonly #untilMs = new Map<string, number>();

  constructor(rememberMs: number) {
    this.#rememberMs = rememberMs;
  }

  /** A request of this route was in process at a second death. */
  diedAgain(route: string, nowMs: number): void {
    this.#untilMs.delete(route);
    this.#untilMs.set(route, nowMs + this.#rememberMs);
    const oldest = this.#untilMs.keys().next();
    if (this.#untilMs.size > deadlyRoutesMax && oldest.done !== true) this.#untilMs.delete(oldest.value);
  }

  isDeadly(route: string, nowMs: number): boolean {
    const untilMs = this.#untilMs.get(route);
    return untilMs !== undefined && untilMs > nowMs;
  }
}
