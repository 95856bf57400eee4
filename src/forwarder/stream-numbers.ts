/**
 * What the number of a stream says that is not open (RFC 9113 §5.1): never opened, ended by us, or by its client. For one that we
 * reset more may have been on its way, and is let pass; for one that its client had ended or reset itself it is an error.
 * How a stream ended is known of the last ones; of what is longer ago nobody knows, and it is let pass too.
 */
import { errorCode } from "../wire/http2.ts";

const remembered = 256;

export class StreamNumbers {
  /** The highest that its client has used. */
  last = 0;
  /** The client was told that no further ones are looked at. */
  closed = false;
  readonly #ended = new Int32Array(remembered);
  readonly #byUs = new Uint8Array(remembered);
  #count = 0;

  /** A client's own numbers are odd, and rise (§5.1.1). */
  mayOpen(stream: number): boolean {
    return !this.closed && stream > this.last && stream % 2 === 1;
  }

  /** `byUs`: by a reset; else its client had ended it, or reset it. */
  ended(stream: number, byUs: boolean): void {
    const at = this.#count % remembered;
    this.#ended[at] = stream;
    this.#byUs[at] = byUs ? 1 : 0;
    this.#count += 1;
  }

  /** Of a stream that was never opened nothing can be said but its priority. */
  faultOfIdle(stream: number): number {
    const unseen = stream > this.last && !this.closed;
    return unseen || stream % 2 === 0 ? errorCode.protocol : errorCode.none;
  }

  /** Data or fields came for a stream that is not open. */
  faultOfContent(stream: number): number {
    const fault = this.faultOfIdle(stream);
    if (fault !== errorCode.none || stream > this.last) return fault;
    let oldest = Number.POSITIVE_INFINITY;
    for (let at = 0; at < Math.min(this.#count, remembered); at += 1) {
      const one = this.#ended[at] as number; // inside
      if (one === stream) return this.#byUs[at] === 1 ? errorCode.none : errorCode.streamClosed;
      oldest = Math.min(oldest, one);
    }
    return this.#count > remembered && stream < oldest ? errorCode.none : errorCode.protocol;
  }
}
