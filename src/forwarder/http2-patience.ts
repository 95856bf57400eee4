/**
 * What a client of HTTP/2 may ask for at little cost, bounded by token buckets. Frames that cost and bring nothing (pings, settings,
 * empty data, windows that open by a few bytes: CVE-2019-9511, -9512, -9515, -9518) draw on one; streams that end by a
 * reset, the client's (CVE-2023-44487) or one that it drew from us (CVE-2025-8671), on another.
 */

/** So many resets a client may give at once, and so many a second: a user who leaves a page full of pictures resets some hundreds. */
const resetsBurst = 1_000;
const resetsPerSecond = 33;
/** The same for frames that bring nothing; what is asked for and taken in order earns some. */
const idleFramesBurst = 2_000;
const idleFramesPerSecond = 200;
/** A request comes with a window here and there; data that is taken with one of the stream and one of the connection, or some. */
const earnedByRequest = 4;
const earnedByFrame = 2;
const bytesOfOneMore = 512;

class Bucket {
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;
  #lookedMs: number;

  constructor(burst: number, perSecond: number, nowMs: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
    this.#lookedMs = nowMs;
  }

  /** False: none is left. */
  take(nowMs: number): boolean {
    this.give(((nowMs - this.#lookedMs) * this.#perSecond) / 1_000);
    this.#lookedMs = nowMs;
    this.#left -= 1;
    return this.#left >= 0;
  }

  get overdrawn(): boolean {
    return this.#left < 0;
  }

  give(tokens: number): void {
    this.#left = Math.min(this.#burst, this.#left + tokens);
  }
}

export class Patience {
  readonly #resets: Bucket;
  readonly #idleFrames: Bucket;

  constructor(nowMs: number) {
    this.#resets = new Bucket(resetsBurst, resetsPerSecond, nowMs);
    this.#idleFrames = new Bucket(idleFramesBurst, idleFramesPerSecond, nowMs);
  }

  /** A stream ended by a reset. False: that is a flood. */
  reset(nowMs: number): boolean {
    return this.#resets.take(nowMs);
  }

  /** A frame came that brings nothing. False: that is a flood. */
  idleFrame(nowMs: number): boolean {
    return this.#idleFrames.take(nowMs);
  }

  /** False: its streams before were a flood of resets. */
  requested(): boolean {
    this.#idleFrames.give(earnedByRequest);
    return !this.#resets.overdrawn;
  }

  /** A frame of so much data went out, and not as a drop. */
  taken(bytes: number): void {
    this.#idleFrames.give(earnedByFrame + bytes / bytesOfOneMore);
  }
}
