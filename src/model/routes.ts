/**
 * The route table: level-based. The monitor sends the whole table with a revision, each
 * forwarder applies it in one tick and acknowledges the revision with its in-flight counts. A lost or
 * repeated message changes nothing.
 */
import type { InstanceId, ListenAddress, ListenerId } from "./node.ts";

/**
 * available: takes new requests. cordoned: finishes those it has, takes no new one.
 * An instance that is not in the table is removed: its connections are closed once they are idle.
 */
export type Availability = "available" | "cordoned";

export interface UpstreamRoute {
  readonly id: InstanceId;
  readonly availability: Availability;
  /** Unix socket path for each public listener that the instance serves. */
  readonly sockets: Readonly<Record<ListenerId, string>>;
  /** When it became available first, for slow start; milliseconds since the epoch. */
  readonly availableSinceMs: number;
  /** True if a probe sits in the instance: the client's address travels in the private header, the fence exists. */
  readonly probed: boolean;
  /** True for a regrown instance that must be given its share slowly. */
  readonly slowStart: boolean;
}

export interface PublicListener {
  readonly id: ListenerId;
  /** Where the forwarder listens: the application's own address, or `--port`. */
  readonly at: ListenAddress;
}

export interface RouteTable {
  readonly revision: number;
  readonly listeners: readonly PublicListener[];
  readonly upstreams: readonly UpstreamRoute[];
  /** Names of the session cookies that affinity goes by, in order of preference. */
  readonly affinityCookies: readonly string[];
}

/** What a forwarder has in process at one upstream. */
export interface InFlight {
  readonly total: number;
  /** Of them, requests whose method is not safe (POST, PUT, PATCH, DELETE ...). */
  readonly unsafe: number;
}

/** What a forwarder counted of one upstream, since the forwarder's start. */
export interface UpstreamTraffic extends InFlight {
  readonly id: InstanceId;
  readonly requestsTotal: number;
  /** Answers with status 5xx, as the instance gave them. */
  readonly serverErrorsTotal: number;
  /** Requests that were sent again elsewhere after this upstream failed or refused them. */
  readonly resentTotal: number;
  /** Requests that the client saw fail because of this upstream (502, or a reset connection). */
  readonly failedTotal: number;
  /** Of the requests that ended since the last traffic message; absent if none did. Milliseconds. */
  readonly latencyP50Ms?: number;
  readonly latencyP99Ms?: number;
}
