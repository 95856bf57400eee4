/**
 * Control messages: what the monitor and its peers say to each other over the control socket, one
 * frame (src/wire/frame.ts) each. All are level-based or idempotent; a peer that reconnects says
 * `hello` and is told the current level again. Version: `controlProtocol`, refused if it differs.
 */
import type { InstanceId, ListenAddress } from "./node.ts";
import type { InFlight, RouteTable, UpstreamTraffic } from "./routes.ts";
import type { Sample } from "./sample.ts";
import type { Settings } from "./settings.ts";

export const controlProtocol = 1;

export type PeerRole = "forwarder" | "replicator" | "instance";

/** First message on every connection to the monitor, and to the replicator's store socket. */
export interface Hello {
  readonly kind: "hello";
  readonly protocol: number;
  readonly role: PeerRole;
  /** `forwarder-1`, `replicator`, or an instance id. */
  readonly id: string;
  /** Proof of the id: hex HMAC-SHA256 of `${role}:${id}` under the cluster key (src/link/token.ts). */
  readonly token: string;
  readonly pid: number;
}

// ---- monitor → forwarder
export type ToForwarder = {
  readonly kind: "routes";
  readonly table: RouteTable;
  /** As they are by now, table or not; absent: as at the forwarder's start (an older monitor). */
  readonly settings?: Settings;
};

// ---- forwarder → monitor
export type FromForwarder =
  | {
      readonly kind: "routes-applied";
      readonly revision: number;
      /** For every upstream that still has requests in process here, cordoned and removed ones too. */
      readonly inFlight: Readonly<Record<InstanceId, InFlight>>;
    }
  /** Nothing is in flight at this upstream any more; sent for cordoned upstreams, once for each cordon, at once if none was. */
  | { readonly kind: "drained"; readonly instance: InstanceId; readonly revision: number }
  /** Each second, and after each drained. */
  | {
      readonly kind: "traffic";
      readonly upstreams: readonly UpstreamTraffic[];
      readonly parked: number;
      readonly connections: number;
      /** Connections and streams of clients that took nothing of their answers and were closed. */
      readonly stalledTotal: number;
    }
  | { readonly kind: "listen-failed"; readonly at: ListenAddress; readonly code: string };

// ---- monitor → instance (probe)
export type ToInstance =
  /** Refuse new requests from now on (as not executed); tell when none is active. Idempotent. */
  | { readonly kind: "fence" }
  /** Back in service: the regeneration was given up. */
  | { readonly kind: "unfence" }
  /** After the drain: flush session writes, answer with `handed-off`, of the same regeneration. */
  | { readonly kind: "hand-off"; readonly regeneration: string }
  /** On a drained instance only: collect evidence, answer with `evidence`. */
  | { readonly kind: "take-evidence" };

// ---- instance (probe) → monitor
export type FromInstance =
  | {
      /** A TCP listener of the application was moved to `socketPath`. */
      readonly kind: "listening";
      readonly at: ListenAddress;
      readonly socketPath: string;
    }
  | { readonly kind: "listener-closed"; readonly at: ListenAddress }
  | { readonly kind: "sample"; readonly sample: Sample }
  | { readonly kind: "fenced"; readonly activeRequests: number }
  /** Fenced, and no answer has been active for the quiet interval. Sent once for each fence. */
  | { readonly kind: "quiet" }
  | { readonly kind: "handed-off"; readonly regeneration: string; readonly writes: number; readonly checksum: string }
  | { readonly kind: "evidence"; readonly evidence: Readonly<Record<string, unknown>> }
  /** It saves at its hand-off what it has in memory, for the process that follows: there cannot be both at once. */
  | { readonly kind: "keeps-checkpoint" }
  /** The name of the cookie in which the application keeps its session identifier. */
  | { readonly kind: "affinity-cookie"; readonly name: string }
  | { readonly kind: "notice"; readonly level: NoticeLevel; readonly code: string; readonly text: string }
  /** Of a secret that the application was set up with: which one, and its HMAC under the cluster's `fingerprintKey`. */
  | { readonly kind: "fingerprint"; readonly name: string; readonly value: string };

/**
 * Something that the operator should know. `info` and `advice` are of the application, so of all nodes alike: what
 * Coppice did for it, and what its author should mend. A `warning` is of one instance, at one time.
 */
export type NoticeLevel = "info" | "advice" | "warning";

// ---- monitor → replicator
export type ToReplicator =
  /** Refuse all later writes of the instance; answer with `revoked`, of the same regeneration. Idempotent. */
  | { readonly kind: "revoke"; readonly instance: InstanceId; readonly regeneration: string }
  /** Take its writes again: it stays in service, its hand-off was given up. Idempotent. */
  | { readonly kind: "reinstate"; readonly instance: InstanceId };

// ---- replicator → monitor
export type FromReplicator =
  | {
      readonly kind: "revoked";
      readonly instance: InstanceId;
      readonly regeneration: string;
      readonly writes: number;
      readonly checksum: string;
    }
  | { readonly kind: "store"; readonly sessions: number; readonly conflictsTotal: number };
