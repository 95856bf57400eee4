/**
 * Several forwarders accept on one socket. Each is woken for a new connection, but whoever runs already takes one after the
 * other, and keeps them: of a burst it would get most where cores are fewer than forwarders. So one that has more connections
 * than it had lately sleeps for an instant after each, and the others have their turn. Where as many go as come nobody sleeps.
 */

/** The system makes some 50 µs of it, its timers' slack: enough for another to be woken. */
const instantMs = 0.001;
const never = new Int32Array(new SharedArrayBuffer(4));

function sleep(): void {
  Atomics.wait(never, 0, 0, instantMs);
}

export class Yielding {
  readonly #giveTurn: () => void;
  /** Lately. */
  #most = 0;

  constructor(giveTurn: () => void = sleep) {
    this.#giveTurn = giveTurn;
  }

  /** One more has come. */
  came(connections: number): void {
    if (connections <= this.#most) return;
    this.#most = connections;
    this.#giveTurn();
  }

  /** Now and then: what was long ago counts no more. */
  forget(connections: number): void {
    this.#most = connections;
  }
}
