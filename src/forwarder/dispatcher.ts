/**
 * What all requests share: the table of upstreams, the connections to them, who is parked, and what is
 * counted on the way.
 */
import { markFor } from "../link/token.ts";
import type { InstanceId } from "../model/node.ts";
import type { RouteTable, UpstreamTraffic } from "../model/routes.ts";
import type { Settings } from "../model/settings.ts";
import { DeadlyRoutes } from "../routing/resend-rule.ts";
import { type Upstream, UpstreamTable } from "../routing/upstream-table.ts";
import type { AccessLog } from "./access-log.ts";
import { Blocks } from "./blocks.ts";
import { InstanceLinks } from "./instance-links.ts";
import { ParkingLot } from "./parking.ts";
import { SaveBudget } from "./saved-body.ts";
import { prefixBytesMax } from "./saved-request.ts";
import { Streams } from "./streams.ts";
import { TrustedProxies } from "./trusted-proxies.ts";

const deadlyRouteMs = 60_000;
/** Streams and tunnels of a drained node end within this time, spread, so that reconnecting is no stampede. */
const streamWindowMsMax = 10_000;
const headBlocksKept = 1_024;

export interface DispatcherOptions {
  readonly accessLog: AccessLog | null;
  readonly settings: Settings;
  readonly clusterKey: string;
  readonly onDrained: (instance: InstanceId) => void;
}

export class Dispatcher {
  /** Read where it is needed, each time: they change (see `take`). */
  settings: Settings;
  readonly table: UpstreamTable;
  readonly parking: ParkingLot;
  readonly saveBudget: SaveBudget;
  trustedProxies: TrustedProxies;
  readonly accessLog: AccessLog | null;
  /** Where heads are put together, and requests kept. */
  readonly headBlocks: Blocks;
  readonly deadlyRoutes = new DeadlyRoutes(deadlyRouteMs);
  readonly streams: Streams;
  /** Clients that took nothing of their answers, and the address of the last. */
  readonly stalled = { total: 0, last: "" };
  /** The private header's bytes before the client's address: equal for all instances. */
  readonly clientLineBytes: number;
  readonly #clusterKey: string;
  readonly #links = new Map<InstanceId, InstanceLinks>();
  /** Some of those who are parked. */
  #waitForDescriptors = false;

  constructor({ settings, clusterKey, accessLog, onDrained }: DispatcherOptions) {
    this.settings = settings;
    this.accessLog = accessLog;
    this.#clusterKey = clusterKey;
    this.clientLineBytes = new InstanceLinks(markFor(clusterKey, ""), () => 0).clientLine.length;
    this.parking = new ParkingLot(settings.parkedMax, settings.parkTimeoutMs);
    this.trustedProxies = new TrustedProxies(settings.trustProxy);
    this.saveBudget = new SaveBudget(settings.saveBytesMax);
    this.streams = new Streams(streamWindowMs(settings));
    this.headBlocks = new Blocks(settings.headBytesMax + 2 * prefixBytesMax, headBlocksKept);
    this.table = new UpstreamTable({
      slowStartMs: settings.slowStartMs,
      concurrencyMax: settings.nodeRequestsMax,
      random: Math.random,
      onDrained: (upstream) => onDrained(upstream.id),
    });
  }

  apply(table: RouteTable): void {
    if (!this.table.apply(table, { nowMs: performance.now(), tableMs: Date.now() })) return;
    for (const upstream of this.table.all()) if (upstream.cordoned) this.streams.cordoned(upstream);
    const present = new Map(this.table.all().map(({ id, route }) => [id, route]));
    for (const [id, links] of this.#links) {
      const route = present.get(id);
      if (route !== undefined) links.follow(route);
      else {
        links.close();
        this.#links.delete(id);
      }
    }
    this.parking.release();
  }

  /** Other settings: whatever begins from here on goes by them, and so does who is parked. */
  take(settings: Settings): void {
    this.settings = settings;
    this.trustedProxies = new TrustedProxies(settings.trustProxy);
    this.saveBudget.bytesMax = settings.saveBytesMax;
    this.streams.windowMs = streamWindowMs(settings);
    this.table.bound({ slowStartMs: settings.slowStartMs, concurrencyMax: settings.nodeRequestsMax });
    this.parking.bound(settings.parkedMax, settings.parkTimeoutMs);
    this.parking.release();
  }

  linksOf(id: InstanceId): InstanceLinks {
    const known = this.#links.get(id);
    if (known !== undefined) return known;
    const links = new InstanceLinks(markFor(this.#clusterKey, id), () => this.settings.connectTimeoutMs);
    this.#links.set(id, links);
    return links;
  }

  /** A request left its upstream: one that waits for room may have it. */
  end(upstream: Upstream, unsafe: boolean): void {
    this.table.end(upstream, unsafe);
    if (this.parking.size === 0) this.#waitForDescriptors = false;
    else if (this.#waitForDescriptors || this.settings.nodeRequestsMax > 0) this.parking.releaseOne();
  }

  /**
   * A request found no descriptor for a connection to its upstream. Idle ones make room; false: there were none, and it
   * is to wait for the end of another request.
   */
  outOfDescriptors(upstream: Upstream, unsafe: boolean): boolean {
    this.table.end(upstream, unsafe);
    const madeRoom = this.makeRoom();
    this.#waitForDescriptors ||= !madeRoom;
    return madeRoom;
  }

  /** Idle connections to nodes are ended; those that a client has for itself only where there are no others. False: there were none. */
  makeRoom(): boolean {
    let closed = 0;
    for (const links of this.#links.values()) closed += links.closeIdle();
    if (closed === 0) for (const links of this.#links.values()) closed += links.closePinned();
    return closed > 0;
  }

  clientStalled(address: string): void {
    this.stalled.total += 1;
    this.stalled.last = address;
  }

  sweep(nowMs: number): void {
    for (const links of this.#links.values()) links.sweep(nowMs);
  }

  traffic(): UpstreamTraffic[] {
    return this.table.all().map((upstream) => {
      const latencies = this.#links.get(upstream.id)?.latencies;
      const p50 = latencies?.quantileMs(0.5) ?? null;
      const p99 = latencies?.quantileMs(0.99) ?? null;
      latencies?.reset();
      const { id, total, unsafe, requestsTotal, serverErrorsTotal, resentTotal, failedTotal } = upstream;
      const measured = p50 === null || p99 === null ? {} : { latencyP50Ms: p50, latencyP99Ms: p99 };
      return { id, total, unsafe, requestsTotal, serverErrorsTotal, resentTotal, failedTotal, ...measured };
    });
  }
}

function streamWindowMs({ drainTimeoutMs }: Settings): number {
  return Math.min(drainTimeoutMs / 2, streamWindowMsMax);
}
