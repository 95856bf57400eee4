/**
 * The admin API: HTTP with JSON over the cluster's private admin socket. One declaration of its routes
 * and shapes for the daemon that serves it and the command line that calls it.
 */
import type { ClusterEvent } from "./events.ts";
import type { InstanceId, NodeName } from "./node.ts";
import type { AgingReport } from "./report.ts";

export const adminRoutes = {
  status: { method: "GET", path: "/v1/status" },
  regenerate: { method: "POST", path: "/v1/regenerate" },
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
  readonly pid: number | null;
  readonly instance: InstanceId | null;
  readonly inFlight: number;
  readonly requestsTotal: number;
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
  }[];
  readonly replicator: { readonly pid: number | null; readonly sessions: number | null; readonly conflictsTotal: number | null };
  readonly listeners: readonly { readonly address: string | null; readonly port: number }[];
  readonly nodes: readonly NodeStatus[];
  /** Regenerations that ended in this life of the cluster. */
  readonly regenerations: { readonly succeeded: number; readonly failed: number };
  /** Set when automatic regenerations were stopped after `maxConsecutiveFailures`. */
  readonly halted: string | null;
}

export interface RegenerateRequest {
  readonly nodes: readonly NodeName[] | "all";
}

export interface RegenerateAccepted {
  readonly id: string;
  readonly nodes: readonly NodeName[];
}

/** The state of one operator's request: done when every node of it has ended. */
export interface RegenerationProgress {
  readonly id: string;
  readonly done: boolean;
  readonly nodes: readonly {
    readonly name: NodeName;
    readonly outcome: "waiting" | "running" | "succeeded" | "failed";
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
