/**
 * Where one side's WebSocket frames end (RFC 6455 §5.2): a frame of somebody else's may stand between two of
 * them, also between the parts of a message (§5.4), and nowhere else. Nothing but lengths is looked at.
 */

const closeOpcode = 8;
const maskBytes = 4;
/** Two bytes and the longest length. */
const headBytesMax = 10;

export class WebSocketFrames {
  /** A close frame has passed: nothing follows it. */
  closed = false;
  readonly #head = new Uint8Array(headBytesMax);
  #headBytes = 0;
  /** Of mask and payload. */
  #left = 0;

  /** All frames that began have ended. */
  get between(): boolean {
    return this.#headBytes === 0 && this.#left === 0;
  }

  /** Reads on in `bytes[from..end)` to the end of one frame at most; returns how far. */
  read(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    while (this.#left === 0 && at < end) {
      this.#head[this.#headBytes] = bytes[at] as number; // inside
      this.#headBytes += 1;
      at += 1;
      if (this.#headBytes < 2 || this.#headBytes < this.#headLength) continue;
      this.#left = this.#payloadBytes + ((this.#second & 0x80) === 0 ? 0 : maskBytes);
      if (this.#left === 0) return this.#endFrame(at);
    }
    const taken = Math.min(this.#left, end - at);
    this.#left -= taken;
    return this.#left === 0 && taken > 0 ? this.#endFrame(at + taken) : at + taken;
  }

  get #second(): number {
    return this.#head[1] as number; // inside
  }

  get #headLength(): number {
    const short = this.#second & 0x7f;
    return short === 127 ? 10 : short === 126 ? 4 : 2;
  }

  get #payloadBytes(): number {
    let bytes = 0;
    for (let at = 2; at < this.#headBytes; at += 1) bytes = bytes * 256 + (this.#head[at] as number); // inside
    return this.#headBytes === 2 ? this.#second & 0x7f : bytes;
  }

  #endFrame(at: number): number {
    this.closed ||= ((this.#head[0] as number) & 0x0f) === closeOpcode; // inside
    this.#headBytes = 0;
    return at;
  }
}
