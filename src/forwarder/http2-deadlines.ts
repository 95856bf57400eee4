/** What a connection of HTTP/2 awaits from its client beside its streams, and until when. */
import { errorCode } from "../wire/http2.ts";
import type { FrameReader } from "../wire/http2-frame-reader.ts";
import type { ClientContext } from "./client.ts";

export class Http2Deadlines {
  /** When anything last happened. */
  heardMs: number;
  readonly #context: ClientContext;
  /** Our settings are to be acknowledged; zero: they were. */
  #settingsMs: number;
  /** A frame or a head that has begun is to come whole; zero: none has. */
  #midwayMs = 0;
  #framesBefore = 0;

  constructor(context: ClientContext) {
    this.#context = context;
    this.heardMs = context.nowMs;
    this.#settingsMs = this.#headDeadlineMs;
  }

  get #headDeadlineMs(): number {
    return this.#context.nowMs + this.#context.dispatcher.settings.headTimeoutMs;
  }

  happened(): void {
    this.heardMs = this.#context.nowMs;
  }

  settingsTaken(): void {
    this.#settingsMs = 0;
  }

  /** After each read. */
  frameBegan({ frames, midway }: FrameReader): void {
    if (!midway) this.#midwayMs = 0;
    else if (this.#midwayMs === 0 || frames !== this.#framesBefore) this.#midwayMs = this.#headDeadlineMs;
    this.#framesBefore = frames;
  }

  /** The error that a missed deadline is, or none. */
  faultAt(nowMs: number): number {
    if (this.#settingsMs !== 0 && this.#settingsMs <= nowMs) return errorCode.settingsTimeout;
    return this.#midwayMs !== 0 && this.#midwayMs <= nowMs ? errorCode.enhanceYourCalm : errorCode.none;
  }

  /** Of a connection without streams. */
  isIdle(nowMs: number): boolean {
    return nowMs - this.heardMs >= this.#context.dispatcher.settings.idleTimeoutMs;
  }
}
