/**
 * Answers that would hold a drain for ever, event streams and tunnels: those of a cordoned node are ended, spread
 * over a window, so that reconnecting is no stampede. One that begins after the cordon, for its request was in
 * process then, has its turn too.
 */
import type { Upstream } from "../routing/upstream-table.ts";

export interface Stream {
  streamsFrom(upstream: Upstream): boolean;
  endStream(upstream: Upstream): void;
}

export class Streams {
  readonly #windowMs: number;
  /** With the time of its end, where that is set. */
  readonly #streams = new Map<Stream, NodeJS.Timeout | null>();

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  add(stream: Stream, upstream: Upstream): void {
    this.#streams.set(stream, null);
    if (upstream.cordoned) this.#endIn(this.#windowMs * Math.random(), stream, upstream);
  }

  delete(stream: Stream): void {
    const timer = this.#streams.get(stream);
    if (timer !== undefined && timer !== null) clearTimeout(timer);
    this.#streams.delete(stream);
  }

  /** A table has come: those whose turn is not set yet get one. */
  cordoned(upstream: Upstream): void {
    const own = [...this.#streams].filter(([stream, timer]) => timer === null && stream.streamsFrom(upstream));
    for (const [index, [stream]] of own.entries()) this.#endIn((this.#windowMs * index) / own.length, stream, upstream);
  }

  #endIn(ms: number, stream: Stream, upstream: Upstream): void {
    const timer = setTimeout(() => {
      this.#streams.set(stream, null);
      if (upstream.cordoned) stream.endStream(upstream);
    }, ms);
    this.#streams.set(stream, timer);
  }
}
