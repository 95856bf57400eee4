/** What a client may still send before we have taken what it sent (RFC 9113 §5.2): on one stream, or on its connection. */
export class ReceiveWindow {
  #left: number;
  #taken = 0;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** The client may send nothing. */
  get full(): boolean {
    return this.#left === 0;
  }

  /** So much came. False: it was not allowed. */
  came(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /** So much was taken. Returns what is to be announced now: a half at a time of what is not held by what waits to be taken. */
  taken(bytes: number): number {
    this.#taken += bytes;
    if (this.#taken < this.#left) return 0;
    const announced = this.#taken;
    this.#taken = 0;
    this.#left += announced;
    return announced;
  }
}
