/**
 * The admin API: HTTP with JSON over the cluster's private admin socket. One declaration of its routes
 * and shapes for the daemon that serves it and the command line that calls it.
 */

import type { NoticeLevel } from "./control.ts";
import type { ClusterEvent } from "./events.ts";
import type { MemoryBudget } from "./memory.ts";
import type { InstanceId, NodeName, Release } from "./node.ts";
import type { AgingReport } from "./report.ts";

export const adminRoutes = {
  status: { method: "GET", path: "/v1/status" },
  regenerate: { method: "POST", path: "/v1/regenerate" },
  reload: { method: "POST", path: "/v1/reload" },
  scale: { method: "POST", path: "/v1/scale" },
  regeneration: { method: "GET", path: "/v1/requests/:id" },
  events: { method: "GET", path: "/v1/events" },
} as const;

/** What a pager reads of a node. `regenerating` and `ready` nodes serve; the others do not. */
export type NodeState = "starting" | "ready" | "regenerating" | "restarting" | "failed" | "stopped";

export interface NodeStatus {
  readonly name: NodeName;
  /** Of the instance that serves. */
  readonly generation: number;
  readonly state: NodeState;
  /** The step of a regeneration under way, `probation` after one, null else. */
  readonly phase: string | null;
  /** Of the instance that serves. */
  readonly release: string;
  readonly pid: number | null;
  readonly instance: InstanceId | null;
  readonly inFlight: number;
  readonly requestsTotal: number;
  /** As the forwarders counted them; see `UpstreamTraffic`. */
  readonly serverErrorsTotal: number;
  readonly resentTotal: number;
  readonly failedTotal: number;
  /** Of the requests that ended in the last second; null if none did. */
  readonly latencyP50Ms: number | null;
  readonly latencyP99Ms: number | null;
  readonly startedAtMs: number | null;
  readonly restarts: number;
  /** Why it is `failed` or `restarting`; null else. */
  readonly reason: string | null;
  readonly report: AgingReport | null;
  readonly indicators: Readonly<Record<string, number>>;
}

export interface ClusterStatus {
  readonly name: string;
  readonly version: string;
  readonly init: { readonly pid: number };
  readonly monitor: { readonly pid: number; readonly startedAtMs: number };
  readonly forwarders: readonly {
    readonly id: string;
    readonly pid: number | null;
    readonly parked: number;
    readonly connections: number;
    /** Connections and streams of clients that took nothing of their answers and were closed. */
    readonly stalledTotal: number;
  }[];
  readonly replicator: { readonly pid: number | null; readonly sessions: number | null; readonly conflictsTotal: number | null };
  readonly listeners: readonly { readonly address: string | null; readonly port: number }[];
  readonly nodes: readonly NodeStatus[];
  /** How the memory is shared out: what each instance may take, and its heap. */
  readonly memory: (MemoryBudget & { readonly instanceBytes: number; readonly heapBytes: number }) | null;
  /** The running release; while a reload is under way, the one before. */
  readonly release: Pick<Release, "id" | "workingDirectory" | "script" | "asTyped">;
  /** The release that a reload is bringing, null else. */
  readonly reloadingTo: string | null;
  /** What the instances that live now say of the application (`info` and `advice`). */
  readonly notices: readonly { readonly level: NoticeLevel; readonly code: string; readonly text: string }[];
  /** Regenerations that ended in this life of the cluster. */
  readonly regenerations: { readonly succeeded: number; readonly failed: number };
  /** Set when automatic regenerations were stopped after `maxConsecutiveFailures`. */
  readonly halted: string | null;
}

export interface RegenerateRequest {
  readonly nodes: readonly NodeName[] | "all";
}

export interface ScaleRequest {
  /** How many there are to be; 1 to `nodesMax`. */
  readonly nodes: number;
}

/** Of one cluster: all of it lives on one host. */
export const nodesMax = 256;

/** Where the new release lies: what the caller found where the links of `asTyped` lead now. */
export interface ReloadRequest extends Pick<Release, "kind" | "script" | "arguments" | "workingDirectory" | "asTyped"> {
  /** Laid over the environment of the cluster. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface ReloadAccepted extends RegenerateAccepted {
  readonly release: string;
}

export interface RegenerateAccepted {
  readonly id: string;
  readonly nodes: readonly NodeName[];
}

/** The state of one operator's request: done when every node of it has ended, and a reload when it says so. */
export interface RegenerationProgress {
  readonly id: string;
  readonly done: boolean;
  /** Of a reload; null for a regeneration. */
  readonly reload: {
    readonly release: string;
    readonly outcome: "running" | "succeeded" | "rolled-back" | "failed";
    readonly reason: string | null;
  } | null;
  readonly nodes: readonly {
    readonly name: NodeName;
    readonly outcome: "waiting" | "running" | "succeeded" | "failed";
    /** What it came to, or comes to. */
    readonly kind: "regenerated" | "started" | "retired";
    readonly phase: string | null;
    readonly reason: string | null;
    readonly durationMs: number | null;
  }[];
}

export interface AdminError {
  readonly code: string;
  readonly message: string;
}

export type { ClusterEvent };
