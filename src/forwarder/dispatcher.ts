/**
 * The dispatch seam: what an exchange or a tunnel needs to find its upstream, and what is counted on the
 * way. The wire path may change below it and above it.
 */
import { Agent } from "node:http";
import { markFor } from "../link/token.ts";
import type { InstanceId, ListenerId } from "../model/node.ts";
import type { RouteTable, UpstreamTraffic } from "../model/routes.ts";
import type { Settings } from "../model/settings.ts";
import { DeadlyRoutes } from "../routing/resend-rule.ts";
import { type Upstream, UpstreamTable } from "../routing/upstream-table.ts";
import type { Exchange } from "./exchange.ts";
import { Latencies } from "./latency.ts";
import { ParkingLot } from "./parking.ts";
import { SaveBudget } from "./saved-body.ts";
import type { Tunnel } from "./tunnel.ts";

const deadlyRouteMs = 60_000;
/** Streams and tunnels of a drained node end within this time, spread, so that reconnecting is no stampede. */
const streamWindowMsMax = 10_000;

export interface DispatcherOptions {
  readonly settings: Settings;
  readonly clusterKey: string;
  readonly onDrained: (instance: InstanceId) => void;
}

export class Dispatcher {
  readonly settings: Settings;
  readonly table: UpstreamTable;
  readonly parking: ParkingLot;
  readonly saveBudget: SaveBudget;
  readonly deadlyRoutes = new DeadlyRoutes(deadlyRouteMs);
  /** Event streams and tunnels: they would hold a drain for ever. */
  readonly streams = new Set<Exchange | Tunnel>();
  readonly #clusterKey: string;
  readonly #agents = new Map<InstanceId, Agent>();
  readonly #marks = new Map<InstanceId, string>();
  readonly #latencies = new Map<InstanceId, Latencies>();

  constructor({ settings, clusterKey, onDrained }: DispatcherOptions) {
    this.settings = settings;
    this.#clusterKey = clusterKey;
    this.parking = new ParkingLot(settings.parkedMax, settings.parkTimeoutMs);
    this.saveBudget = new SaveBudget(settings.saveBytesMax);
    this.table = new UpstreamTable({
      slowStartMs: settings.slowStartMs,
      random: Math.random,
      onDrained: (upstream) => onDrained(upstream.id),
    });
  }

  apply(table: RouteTable): void {
    if (!this.table.apply(table)) return;
    for (const upstream of this.table.all()) if (upstream.cordoned) this.#endStreams(upstream);
    const present = new Set(this.table.all().map(({ id }) => id));
    for (const [id, agent] of this.#agents) {
      if (present.has(id)) continue;
      agent.destroy();
      for (const map of [this.#agents, this.#marks, this.#latencies]) map.delete(id);
    }
    this.parking.release();
  }

  choose(listener: ListenerId, session: string | null, avoid: readonly InstanceId[]): Upstream | null {
    return this.table.choose({ listener, session, nowMs: Date.now(), avoid });
  }

  /** Connections to one instance, kept for as long as it is in the table. */
  agentOf(id: InstanceId): Agent {
    return found(this.#agents, id, () => new Agent({ keepAlive: true, maxFreeSockets: 256, scheduling: "lifo" }));
  }

  markOf(id: InstanceId): string {
    return found(this.#marks, id, () => markFor(this.#clusterKey, id));
  }

  measured(upstream: Upstream, ms: number): void {
    found(this.#latencies, upstream.id, () => new Latencies()).add(ms);
  }

  traffic(): UpstreamTraffic[] {
    return this.table.all().map((upstream) => {
      const latencies = this.#latencies.get(upstream.id);
      const p50 = latencies?.quantileMs(0.5) ?? null;
      const p99 = latencies?.quantileMs(0.99) ?? null;
      latencies?.reset();
      const { id, total, unsafe, requestsTotal, serverErrorsTotal, resentTotal, failedTotal } = upstream;
      const measured = p50 === null || p99 === null ? {} : { latencyP50Ms: p50, latencyP99Ms: p99 };
      return { id, total, unsafe, requestsTotal, serverErrorsTotal, resentTotal, failedTotal, ...measured };
    });
  }

  #endStreams(upstream: Upstream): void {
    const own = [...this.streams].filter((stream) => stream.streamsFrom(upstream));
    const windowMs = Math.min(this.settings.drainTimeoutMs / 2, streamWindowMsMax);
    for (const [index, stream] of own.entries()) {
      setTimeout(
        () => {
          if (upstream.cordoned) stream.endStream(upstream);
        },
        (windowMs * index) / own.length,
      );
    }
  }
}

function found<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
