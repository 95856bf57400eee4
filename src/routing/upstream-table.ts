/**
 * The forwarder's upstreams: who may have a request, who has how many. Mutable on purpose: a request
 * costs no garbage here. `available` is the one word that choice stands on: in the table, not cordoned,
 * serving the listener.
 *
 * Drain accounting is exact by construction: `begin` and `end` are the only ways in and out, and a
 * cordoned upstream is drained when the last one ends.
 */
import { assert } from "../model/errors.ts";
import type { InstanceId, ListenerId } from "../model/node.ts";
import type { InFlight, RouteTable, UpstreamRoute } from "../model/routes.ts";
import { hash32, rendezvousWeight } from "./affinity.ts";

/** A regrown upstream begins with this share of its traffic, not with none: it must warm up on something. */
const slowStartRatioMin = 0.1;

/** One failure says little; from here on an upstream is set aside, twice as long each time. */
const failuresToEject = 3;
const ejectMsMin = 500;
const ejectMsMax = 30_000;

export class Upstream {
  readonly id: InstanceId;
  readonly idHash: number;
  route: UpstreamRoute;
  /** When it became available, by the clock that choices go by. */
  availableSinceMs: number;
  /** In the current table. */
  listed = true;
  total = 0;
  unsafe = 0;
  requestsTotal = 0;
  serverErrorsTotal = 0;
  resentTotal = 0;
  failedTotal = 0;
  /** Connects refused and deaths in process since the last answer. */
  failuresInRow = 0;
  /** Set aside until then, so often in a row: it has failed again and again. */
  ejectedUntilMs = 0;
  ejections = 0;

  constructor(route: UpstreamRoute, availableSinceMs: number) {
    this.id = route.id;
    this.idHash = hash32(route.id);
    this.route = route;
    this.availableSinceMs = availableSinceMs;
  }

  get cordoned(): boolean {
    return !this.listed || this.route.availability === "cordoned";
  }
}

export interface ChoiceOptions {
  readonly listener: ListenerId;
  /** The session cookie's value; null without one. */
  readonly session: string | null;
  readonly nowMs: number;
  /** Upstreams that this request has failed on. */
  readonly avoid: readonly InstanceId[];
  /** Upstreams that it has waited for long enough: better none than one of these. */
  readonly never?: readonly InstanceId[];
}

/** The same instant by two clocks: the one that choices go by, which only goes on, and the table's, which may be set. */
export interface Clocks {
  readonly nowMs: number;
  readonly tableMs: number;
}

const nobody: readonly InstanceId[] = [];

export interface UpstreamTableOptions {
  readonly slowStartMs: number;
  /** Requests in process at one upstream; 0 or absent: no limit. */
  readonly concurrencyMax?: number;
  /** Uniform in 0..1. */
  readonly random: () => number;
  readonly onDrained: (upstream: Upstream) => void;
}

export class UpstreamTable {
  readonly #upstreams = new Map<InstanceId, Upstream>();
  #slowStartMs = 0;
  readonly #random: () => number;
  readonly #onDrained: (upstream: Upstream) => void;
  /** Requests in process at one upstream; infinite without a limit. */
  #concurrencyMax = Number.POSITIVE_INFINITY;
  #list: Upstream[] = [];
  /** Not cordoned, by listener. */
  readonly #candidates = new Map<ListenerId, Upstream[]>();
  /** Its beginning is those of one choice. Kept from call to call, and never made shorter by one, for which V8 gives its memory up. */
  readonly #among: Upstream[] = [];
  revision = 0;
  affinityCookies: readonly string[] = [];

  constructor(options: UpstreamTableOptions) {
    this.bound(options);
    this.#random = options.random;
    this.#onDrained = options.onDrained;
  }

  /** For each choice from here on. */
  bound({ slowStartMs, concurrencyMax = 0 }: Pick<UpstreamTableOptions, "slowStartMs" | "concurrencyMax">): void {
    this.#slowStartMs = slowStartMs;
    this.#concurrencyMax = concurrencyMax === 0 ? Number.POSITIVE_INFINITY : concurrencyMax;
  }

  /** Takes a newer table; false if it is not newer. Upstreams that left stay until their last request ends. Without clocks there is one. */
  apply(table: RouteTable, clocks: Clocks | null = null): boolean {
    if (table.revision <= this.revision) return false;
    this.revision = table.revision;
    this.affinityCookies = table.affinityCookies;
    const cordonedBefore = new Set(this.#list.filter(({ cordoned }) => cordoned).map(({ id }) => id));
    for (const upstream of this.#upstreams.values()) upstream.listed = false;
    for (const route of table.upstreams) {
      const known = this.#upstreams.get(route.id);
      if (known === undefined) this.#upstreams.set(route.id, new Upstream(route, sinceOf(route, clocks)));
      else {
        if (known.route.availableSinceMs !== route.availableSinceMs) known.availableSinceMs = sinceOf(route, clocks);
        known.route = route;
        known.listed = true;
      }
      const upstream = this.#upstreams.get(route.id);
      if (upstream?.cordoned === true && !cordonedBefore.has(upstream.id) && upstream.total === 0) this.#onDrained(upstream);
    }
    for (const upstream of [...this.#upstreams.values()]) this.#forgetIfGone(upstream);
    this.#list = [...this.#upstreams.values()];
    this.#candidates.clear();
    this.#among.length = 0;
    return true;
  }

  all(): readonly Upstream[] {
    return this.#list;
  }

  inFlight(): Record<InstanceId, InFlight> {
    return Object.fromEntries(this.#list.filter(({ total }) => total > 0).map(({ id, total, unsafe }) => [id, { total, unsafe }]));
  }

  /**
   * Affinity first, else the less loaded of two drawn at random; null if none is available, or all are full.
   * One that was set aside has it only where there is no other, and one that was failed on only where there is not even that.
   */
  choose({ listener, session, nowMs, avoid, never = nobody }: ChoiceOptions): Upstream | null {
    const candidates = this.#candidatesOf(listener);
    const among = this.#among;
    let count = 0;
    for (const upstream of candidates) {
      if (upstream.total >= this.#concurrencyMax || upstream.ejectedUntilMs > nowMs || avoid.includes(upstream.id)) continue;
      among[count] = upstream;
      count += 1;
    }
    if (count === 0) count = this.#amongAllBut(avoid, candidates);
    if (count === 0) count = this.#amongAllBut(never, candidates);
    if (count === 0) return null;
    if (count === 1) return among[0] ?? null;
    if (session !== null) return byAffinity(among, count, session);
    const first = this.#draw(count, null);
    const second = this.#draw(count, first);
    return this.#load(first, nowMs) <= this.#load(second, nowMs) ? first : second;
  }

  /** Those that have room, set aside or not; returns how many. */
  #amongAllBut(those: readonly InstanceId[], candidates: readonly Upstream[]): number {
    let count = 0;
    for (const upstream of candidates) {
      if (upstream.total >= this.#concurrencyMax || those.includes(upstream.id)) continue;
      this.#among[count] = upstream;
      count += 1;
    }
    return count;
  }

  /** A request to this listener could be had now, by another than these. */
  hasRoom(listener: ListenerId, never: readonly InstanceId[]): boolean {
    return this.#candidatesOf(listener).some((one) => !this.isFull(one) && !never.includes(one.id));
  }

  /** It has as many as it may. */
  isFull(upstream: Upstream): boolean {
    return upstream.total >= this.#concurrencyMax;
  }

  /** It may have requests to this listener. */
  serves({ cordoned, route }: Upstream, listener: ListenerId): boolean {
    return !cordoned && listener in route.sockets;
  }

  #candidatesOf(listener: ListenerId): readonly Upstream[] {
    const known = this.#candidates.get(listener);
    if (known !== undefined) return known;
    const candidates = this.#list.filter((upstream) => this.serves(upstream, listener));
    this.#candidates.set(listener, candidates);
    return candidates;
  }

  /** It could not be reached, or died with a request in process. */
  failed(upstream: Upstream, nowMs: number): void {
    // Requests that were in process together fail together: that counts once.
    if (upstream.ejectedUntilMs > nowMs) return;
    upstream.failuresInRow += 1;
    if (upstream.failuresInRow < failuresToEject) return;
    upstream.ejectedUntilMs = nowMs + Math.min(ejectMsMax, ejectMsMin * 2 ** upstream.ejections);
    upstream.ejections += 1;
  }

  /** It answered. */
  succeeded(upstream: Upstream): void {
    upstream.failuresInRow = 0;
    upstream.ejectedUntilMs = 0;
    upstream.ejections = 0;
  }

  begin(upstream: Upstream, unsafe: boolean): void {
    upstream.total += 1;
    if (unsafe) upstream.unsafe += 1;
    upstream.requestsTotal += 1;
  }

  end(upstream: Upstream, unsafe: boolean): void {
    upstream.total -= 1;
    if (unsafe) upstream.unsafe -= 1;
    assert(upstream.total >= 0 && upstream.unsafe >= 0, "every request ends once");
    if (upstream.total > 0) return;
    if (upstream.listed && upstream.cordoned) this.#onDrained(upstream);
    this.#forgetIfGone(upstream);
    if (!upstream.listed) this.#list = [...this.#upstreams.values()];
  }

  /** Share of the traffic that a regrown upstream is to have by now, 0..1. */
  #share({ availableSinceMs, route }: Upstream, nowMs: number): number {
    if (!route.slowStart || this.#slowStartMs === 0) return 1;
    return Math.min(1, Math.max(slowStartRatioMin, (nowMs - availableSinceMs) / this.#slowStartMs));
  }

  #load(upstream: Upstream, nowMs: number): number {
    return (upstream.total + 1) / this.#share(upstream, nowMs);
  }

  /** One of the first `count` at random, but not `other`; there are some, and more than `other`. */
  #draw(count: number, other: Upstream | null): Upstream {
    const among = this.#among;
    const last = count - (other === null ? 1 : 2);
    const at = Math.min(last, Math.floor(this.#random() * (last + 1)));
    const drawn = among[other !== null && at >= among.indexOf(other) ? at + 1 : at];
    assert(drawn !== undefined, "a draw from a list that is long enough");
    return drawn;
  }

  #forgetIfGone(upstream: Upstream): void {
    if (!upstream.listed && upstream.total === 0) this.#upstreams.delete(upstream.id);
  }
}

/** What a table tells as to come has just been. */
function sinceOf({ availableSinceMs }: UpstreamRoute, clocks: Clocks | null): number {
  return clocks === null ? availableSinceMs : clocks.nowMs - Math.max(0, clocks.tableMs - availableSinceMs);
}

function byAffinity(among: readonly Upstream[], count: number, session: string): Upstream | null {
  const keyHash = hash32(session);
  let best: Upstream | null = null;
  let bestWeight = -1;
  for (let at = 0; at < count; at += 1) {
    const upstream = among[at];
    if (upstream === undefined) break;
    const weight = rendezvousWeight(keyHash, upstream.idHash);
    if (weight > bestWeight || (weight === bestWeight && best !== null && upstream.id < best.id)) {
      best = upstream;
      bestWeight = weight;
    }
  }
  return best;
}
