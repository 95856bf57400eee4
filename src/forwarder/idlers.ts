/**
 * Where all places for connections are taken, one that waits for its client's next request gives way to a new one, for HTTP
 * lets either side end it then. Not the one that has waited longest of all, but of some: a look at all of them for each
 * newcomer would make a flood of connections dear.
 */

/** So many are looked at, each time the ones behind those of the last. */
const looksMax = 64;
/** One that has been idle for less may have its next request on the way. */
const idleMsMin = 1_000;

/** A client's connection. */
export interface Idler {
  /** Nothing of it is in process, nor on its way. */
  readonly idles: boolean;
  readonly idleSinceMs: number;
  giveWay(): void;
}

export class Idlers {
  /** Connections that gave way. */
  total = 0;
  readonly #round: Iterator<Idler | null>;

  constructor(kinds: readonly ReadonlySet<Idler>[]) {
    this.#round = roundAfterRound(kinds);
  }

  /** False: none of those that were looked at is idle for long. */
  makeRoom(nowMs: number): boolean {
    let longest: Idler | null = null;
    for (let looks = 0; looks < looksMax; looks += 1) {
      const one: Idler | null = this.#round.next().value;
      if (one?.idles === true && one.idleSinceMs < (longest?.idleSinceMs ?? nowMs - idleMsMin)) longest = one;
    }
    if (longest === null) return false;
    this.total += 1;
    longest.giveWay();
    return true;
  }
}

/** Those that come and go meanwhile are seen and not seen; null between two rounds. */
function* roundAfterRound(kinds: readonly ReadonlySet<Idler>[]): Generator<Idler | null, never> {
  for (;;) {
    for (const kind of kinds) yield* kind;
    yield null;
  }
}
