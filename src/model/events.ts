/**
 * Events: what happened, for people and programs, in order. They are kept in the cluster's events file
 * and shown by `coppice events`. A field never holds a secret or a session identifier.
 */
import type { InstanceId, NodeName } from "./node.ts";

export interface ClusterEvent {
  /** Grows by one; stays in order over restarts of the monitor. */
  readonly sequence: number;
  readonly atMs: number;
  readonly kind: EventKind;
  readonly node?: NodeName;
  readonly instance?: InstanceId;
  /** Names the regeneration that it belongs to. */
  readonly regeneration?: string;
  /** One sentence for people. */
  readonly text: string;
  /** The same in fields, for programs. */
  readonly facts: Readonly<Record<string, unknown>>;
}

export type EventKind =
  | "cluster-started"
  | "cluster-stopping"
  | "monitor-recovered"
  | "listening"
  | "instance-started"
  | "instance-ready"
  | "instance-exited"
  | "node-restarting"
  | "node-failed"
  | "aging-found"
  | "regeneration-requested"
  | "regeneration-admitted"
  | "regeneration-deferred"
  | "replacement-started"
  | "replacement-ready"
  | "cordoned"
  | "drained"
  | "handed-off"
  | "evidence-taken"
  | "stopped"
  | "regenerated"
  | "verified"
  | "reload-requested"
  | "reload-going-back"
  | "reloaded"
  | "reload-failed"
  | "regeneration-failed"
  | "scale-requested"
  | "retired"
  | "fleet-halted"
  | "node-quarantined"
  | "quarantine-ended"
  | "resumed"
  | "settings-changed"
  | "forwarder-joined"
  | "forwarder-left"
  | "replicator-joined"
  | "replicator-left"
  | "notice";

/** An event as the pure core makes it: the shell adds sequence and time. */
export type EventDraft = Omit<ClusterEvent, "sequence" | "atMs">;
