/** What on one connection of HTTP/2 waits for its turn: exchanges for the rest of what came with their heads, answers for windows and room. */
import type { AnswerBody } from "./http2-answer-body.ts";
import type { ClientStream } from "./http2-stream.ts";

export class Http2Turns {
  #beginning: ClientStream[] = [];
  #waiting: AnswerBody[] = [];

  /** An exchange is to be started. */
  begins(stream: ClientStream): void {
    this.#beginning.push(stream);
  }

  /** Starts those whose requests are there; false: others are left. */
  startWhole(): boolean {
    if (this.#beginning.length === 0) return true;
    const later: ClientStream[] = [];
    for (const stream of this.#beginning) {
      if (stream.ended) stream.start();
      else later.push(stream);
    }
    this.#beginning = later;
    return later.length === 0;
  }

  startAll(): void {
    for (const stream of this.#beginning) stream.start();
    this.#beginning.length = 0;
  }

  /** For the connection's window, or for room in its output. */
  get someWait(): boolean {
    return this.#waiting.length > 0 && this.#waiting.some(({ waitsForShared }) => waitsForShared);
  }

  /** Data waits. */
  waits(body: AnswerBody): void {
    if (!this.#waiting.includes(body)) this.#waiting.push(body);
  }

  /** In rounds of a frame each, as far as windows and room go. */
  send(): void {
    let round = this.#waiting;
    const stuck: AnswerBody[] = [];
    while (round.length > 0) {
      const again: AnswerBody[] = [];
      for (const body of round) {
        if (body.send()) again.push(body);
        else if (body.waitingBytes > 0) stuck.push(body);
      }
      round = again;
    }
    this.#waiting = stuck;
  }
}
