/**
 * For one request the node that is to have it, the counterpart of sending.ts and answering.ts: as the table says, and none that it
 * has failed on where there is another. While none can take it, it is parked; while all have failed, and the table that says who is
 * gone may be on its way, it tries them again. Both together take no longer than `parkTimeoutMs`.
 */
import type { ListenerId } from "../model/node.ts";
import { cookieValue } from "../routing/affinity.ts";
import type { Upstream } from "../routing/upstream-table.ts";
import type { RequestHead } from "../wire/request-head.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { parkedTooLong, type Refusal, tooManyParked } from "./refusals.ts";

/** Between two tries of the same upstream, at last. */
const retryMsMax = 250;
const nobody: readonly string[] = [];

/** Who wants a node. */
export interface Chooser {
  chosen(upstream: Upstream): void;
  noneChosen(why: Refusal): void;
}

export class Choosing {
  /** Where its client has said who it is (see `Pinned`): while this one serves, no other will do. Null once it was chosen. */
  own: Upstream | null = null;
  readonly #for: Chooser;
  readonly #dispatcher: Dispatcher;
  readonly #listener: ListenerId;
  readonly #session: string | null;
  #avoid: readonly string[] = nobody;
  /** Nodes whose port took no connection in time: waiting for them once is enough. */
  #silent: readonly string[] = nobody;
  /** How long no node could take it, before the last one that could. */
  #waitedBeforeMs = 0;
  /** Since when no node can take it; zero: one can. */
  #sinceMs = 0;
  #over = false;
  #stopWaiting: (() => void) | null = null;

  constructor(chooser: Chooser, dispatcher: Dispatcher, listener: ListenerId, session: string | null) {
    this.#for = chooser;
    this.#dispatcher = dispatcher;
    this.#listener = listener;
    this.#session = session;
  }

  /** On so many upstreams it has failed. */
  get failures(): number {
    return this.#avoid.length;
  }

  choose(): void {
    this.#stopWaiting = null;
    if (this.#over) return;
    if (this.#waitedMs > this.#dispatcher.settings.parkTimeoutMs) this.#for.noneChosen(parkedTooLong);
    else this.#chooseNow();
  }

  #chooseNow(): void {
    if (this.#over) return;
    const upstream = this.#firstChoice();
    if (upstream === null) return this.wait();
    this.own = null;
    // For as long as a node has it, it waits for none: a node may hang with it, and die.
    this.#waitedBeforeMs = this.#waitedMs;
    this.#sinceMs = 0;
    this.#for.chosen(upstream);
  }

  /** In a turn of its own: the table that says who is gone may be on its way, and comes in first. */
  chooseSoon(): void {
    setImmediate(() => this.choose());
  }

  /** It failed on this one, and is to be sent again. Where all have failed, it waits a little. */
  chooseAfter(failed: Upstream): void {
    const again = this.#avoid.includes(failed.id);
    this.#avoid = [...this.#avoid, failed.id];
    if (!again) return this.chooseSoon();
    this.#waitsFrom(performance.now());
    const timer = setTimeout(() => this.choose(), Math.min(retryMsMax, 2 ** this.#avoid.length));
    this.#stopWaiting = () => clearTimeout(timer);
  }

  /** Tries again when something has changed. */
  wait(): void {
    this.#waitsFrom(performance.now());
    this.#stopWaiting = this.#dispatcher.parking.park({
      fits: () => this.#fits(),
      go: () => {
        this.#stopWaiting = null;
        this.#silent = nobody; // something has changed
        // Though its time ran out just now: nobody else is offered what it was.
        this.#chooseNow();
      },
      tooLong: () => this.#for.noneChosen(parkedTooLong),
      waitedMs: this.#waitedMs,
    });
    if (this.#stopWaiting === null) this.#for.noneChosen(tooManyParked);
  }

  /** A node has had it: from here on it may wait as long as a new one. */
  taken(): void {
    this.#waitedBeforeMs = 0;
  }

  /** This one's port took no connection since then. */
  tookNone(upstream: Upstream, sinceMs: number): void {
    this.#silent = [...this.#silent, upstream.id];
    this.#waitsFrom(sinceMs);
  }

  /** Nobody is to be chosen any more. */
  stop(): void {
    this.#over = true;
    this.#stopWaiting?.();
  }

  /** As the table says now; null: there is none, or it has no room. */
  #firstChoice(): Upstream | null {
    const { table } = this.#dispatcher;
    const only = this.#only;
    if (only !== null) return table.isFull(only) ? null : only;
    return table.choose({
      listener: this.#listener,
      session: this.#session,
      nowMs: performance.now(),
      avoid: this.#avoid,
      never: this.#silent,
    });
  }

  #fits(): boolean {
    const { table } = this.#dispatcher;
    const only = this.#only;
    return only === null ? table.hasRoom(this.#listener, this.#silent) : !table.isFull(only);
  }

  /** Its client's own, for as long as that one serves. */
  get #only(): Upstream | null {
    return this.own !== null && this.#dispatcher.table.serves(this.own, this.#listener) ? this.own : null;
  }

  get #waitedMs(): number {
    return this.#waitedBeforeMs + (this.#sinceMs === 0 ? 0 : performance.now() - this.#sinceMs);
  }

  #waitsFrom(nowMs: number): void {
    if (this.#sinceMs === 0) this.#sinceMs = nowMs;
  }
}

/** The session that affinity goes by, from any of the Cookie lines. */
export function sessionOf(head: RequestHead, source: Buffer, names: readonly string[]): string | null {
  for (let at = 0; at < 2 * head.cookieCount; at += 2) {
    const session = cookieValue(source.toString("latin1", head.cookies[at], head.cookies[at + 1]), names);
    if (session !== null) return session;
  }
  return null;
}
