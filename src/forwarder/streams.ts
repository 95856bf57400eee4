/**
 * Answers that would hold a drain for ever, event streams and tunnels: those of a cordoned node are ended, spread
 * over a window, so that reconnecting is no stampede. One that begins after the cordon, for its request was in
 * process then, has its turn too. When the forwarder itself is to end, all end at once.
 */
import type { Upstream } from "../routing/upstream-table.ts";

export interface Stream {
  streamsFrom(upstream: Upstream): boolean;
  endStream(upstream: Upstream): void;
}

interface Place {
  readonly upstream: Upstream;
  /** Until its end, where that is set. */
  timer: NodeJS.Timeout | null;
}

export class Streams {
  windowMs: number;
  readonly #streams = new Map<Stream, Place>();
  #finishing = false;

  constructor(windowMs: number) {
    this.windowMs = windowMs;
  }

  add(stream: Stream, upstream: Upstream): void {
    const place: Place = { upstream, timer: null };
    this.#streams.set(stream, place);
    if (this.#finishing) this.#endIn(0, stream, place);
    else if (upstream.cordoned) this.#endIn(this.windowMs * Math.random(), stream, place);
  }

  delete(stream: Stream): void {
    const timer = this.#streams.get(stream)?.timer ?? null;
    if (timer !== null) clearTimeout(timer);
    this.#streams.delete(stream);
  }

  /** A table has come: those whose turn is not set yet get one. */
  cordoned(upstream: Upstream): void {
    const own = [...this.#streams].filter(([stream, { timer }]) => timer === null && stream.streamsFrom(upstream));
    for (const [index, [stream, place]] of own.entries()) this.#endIn((this.windowMs * index) / own.length, stream, place);
  }

  /** Who connects again finds another forwarder, or none. */
  finish(): void {
    this.#finishing = true;
    for (const [stream, { upstream }] of [...this.#streams]) stream.endStream(upstream);
  }

  #endIn(ms: number, stream: Stream, place: Place): void {
    place.timer = setTimeout(() => {
      place.timer = null;
      if (this.#finishing || place.upstream.cordoned) stream.endStream(place.upstream);
    }, ms);
  }
}
