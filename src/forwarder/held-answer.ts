/**
 * An answer on its way to the client. It is held until whole, up to a bound, so that half an answer of a
 * dying node is never seen and the request may still be sent elsewhere. Streams are not held up: an event
 * stream goes at once, and an answer of unknown length is let go when it has not ended within a few
 * milliseconds. One that says its length is waited for: its end will come.
 *
 * express-session sends all but the last byte before the session is stored: holding the whole answer is
 * what makes "answered implies replicated" true for the client.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { answerHeaders } from "./headers.ts";

/** Longer than a session's write takes, shorter than a person notices. */
const holdMs = 25;

export class HeldAnswer {
  readonly #from: IncomingMessage;
  readonly #to: ServerResponse;
  readonly #bytesMax: number;
  readonly #timer: NodeJS.Timeout | null;
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** Bytes of it went out: no other answer can be given any more. */
  sent = false;

  constructor(from: IncomingMessage, to: ServerResponse, bytesMax: number) {
    this.#from = from;
    this.#to = to;
    this.#bytesMax = bytesMax;
    const length = from.headers["content-length"];
    const streams = this.isEventStream || Number(length ?? 0) > bytesMax;
    this.#timer = streams || length !== undefined ? null : setTimeout(() => this.#letGo(), holdMs);
    from.on("data", (chunk: Buffer) => this.#take(chunk));
    if (streams) this.#letGo();
  }

  get isEventStream(): boolean {
    return this.#from.headers["content-type"]?.startsWith("text/event-stream") === true;
  }

  /** The upstream has sent everything. */
  finish(): void {
    this.#letGo();
    const trailers = this.#from.rawTrailers;
    if (trailers.length > 0) this.#to.addTrailers(pairs(trailers));
    this.#to.end();
  }

  /** Ends it cleanly though the upstream has not: an event stream that is to reconnect elsewhere. */
  endEarly(): void {
    this.#letGo();
    this.#to.end();
  }

  /** Nothing of it will be used. */
  drop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#held = [];
  }

  #take(chunk: Buffer): void {
    if (this.sent) {
      this.#write(chunk);
      return;
    }
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes > this.#bytesMax) this.#letGo();
  }

  #letGo(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.sent || this.#to.destroyed) return;
    this.sent = true;
    this.#to.sendDate = false;
    const { statusCode = 502, statusMessage, rawHeaders } = this.#from;
    this.#to.writeHead(statusCode, statusMessage, answerHeaders(rawHeaders));
    if (this.#held.length === 0) this.#to.flushHeaders();
    for (const chunk of this.#held) this.#write(chunk);
    this.#held = [];
  }

  #write(chunk: Buffer): void {
    if (this.#to.write(chunk) || this.#from.isPaused()) return;
    this.#from.pause();
    this.#to.once("drain", () => this.#from.resume());
  }
}

function pairs(flat: readonly string[]): [string, string][] {
  const found: [string, string][] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) found.push([flat[at] ?? "", flat[at + 1] ?? ""]);
  return found;
}
