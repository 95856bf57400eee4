/**
 * What a process is given at its birth. Instances read theirs from an inherited descriptor, Coppice's
 * own processes from init's channel: capabilities never travel in environment or arguments.
 */

import type { MemoryBudget } from "./memory.ts";
import type { InstanceId, ListenAddress, ListenerId, NodeName, Release } from "./node.ts";
import type { Settings } from "./settings.ts";

/** What an instance goes by from its birth on. */
export type InstanceSettings = Pick<Settings, "quietMs" | "sessionStoreTimeoutMs">;

/** Written by init, as one JSON line, to descriptor `COPPICE_BIRTH_FD` of an instance; the descriptor's end is init's death. */
export interface InstanceBirth extends InstanceSettings {
  readonly protocol: number;
  readonly instance: InstanceId;
  readonly node: NodeName;
  readonly nodeIndex: number;
  readonly generation: number;
  /** Proof of the id, for the control and the store socket. */
  readonly token: string;
  /** What the private header must carry for the probe to believe it: known to the forwarders and this instance. */
  readonly mark: string;
  /** Under it the secrets of the application are compared between instances, without being told; hex. */
  readonly fingerprintKey: string;
  readonly controlSocket: string;
  readonly storeSocket: string;
  /** The port that this instance was given in `PORT`, and the one that it stands for; null: the server has its own. */
  readonly givenPort: { readonly own: number; readonly public: number } | null;
  /** Directory for the moved listeners' sockets; their names start with the instance id. */
  readonly listenDirectory: string;
  readonly sampleIntervalMs: number;
  /** False: the application's default session store is left alone. */
  readonly replaceSessionStore: boolean;
}

/** The file that the first listening process of a command's tree makes: there is one instance. */
export function claimPath(listenDirectory: string, instance: InstanceId): string {
  return `${listenDirectory}/${instance}.claim`;
}

/** Paths of one running cluster, all absolute, the directory is private (0700). */
export interface ClusterPaths {
  readonly directory: string;
  readonly controlSocket: string;
  readonly adminSocket: string;
  readonly storeSocket: string;
  readonly listenDirectory: string;
  readonly journalFile: string;
  readonly eventsFile: string;
  readonly sessionsFile: string;
  readonly initFile: string;
}

/** PEM files of a certificate (with what leads to its root) and its key. */
export interface KeyPairFiles {
  readonly cert: string;
  readonly key: string;
}

/** All that `coppice run` decided: what every process of the cluster is told. */
export interface ClusterSpec {
  readonly name: string;
  readonly nodes: number;
  /** How many forwarder processes there are: `forwarder-1` to `forwarder-<k>`, all on the one listening socket. */
  readonly forwarders: number;
  /** Towards clients: empty for plain HTTP. The first is for clients that name no host. */
  readonly tls: readonly KeyPairFiles[];
  /** Where a line for each request goes: a file, or `-` for standard output; null: nowhere. */
  readonly accessLog: string | null;
  /** Overrides the port that the application's first listener asks for. */
  readonly port: number | null;
  readonly release: Release;
  readonly settings: Settings;
  /** What the instances may share; null: not known, and nothing is limited. */
  readonly memory: MemoryBudget | null;
  /** How a node is regenerated, unless it must be `in-place`: a new instance beside the old one, or after it. */
  readonly regenerate: "replace" | "in-place";
  readonly paths: ClusterPaths;
}

/** First message from init to each of its own children. */
export interface Welcome {
  readonly kind: "welcome";
  readonly role: "monitor" | "forwarder" | "replicator";
  readonly id: string;
  /** Hex. Tokens and marks of all instances derive from it. */
  readonly clusterKey: string;
  readonly initPid: number;
  /** When init started; tells one life of a cluster from the next. */
  readonly bootId: string;
  readonly spec: ClusterSpec;
  /** How often in a row its predecessors crashed by a fault of memory (SIGSEGV, SIGBUS, SIGABRT) soon after their start. */
  readonly crashes: number;
}

/** What is to be started. */
export interface InstanceStart {
  readonly instance: InstanceId;
  readonly node: NodeName;
  readonly nodeIndex: number;
  readonly generation: number;
  readonly release: Release;
  /** For Node's heap, where memory is shared out; null: its own default. */
  readonly heapLimitBytes: number | null;
  /** As they are by now. */
  readonly settings: InstanceSettings;
}

/** An instance that init holds. */
export interface RosterEntry {
  readonly instance: InstanceId;
  readonly pid: number;
  readonly startedAtMs: number;
  /** What it was given in `PORT` for itself alone; null for most. */
  readonly port: number | null;
}

/** init → each of its own processes, now and then; none that turns its loop leaves it unanswered. */
export interface AreYouThere {
  readonly kind: "are-you-there";
}
export interface Here {
  readonly kind: "here";
}

/** monitor → init */
export type ToInit =
  /** Starts the instance unless it is or was started: an id is started once. */
  | ({ readonly kind: "start" } & InstanceStart)
  /** Signal, grace, then SIGKILL of the whole process group. Repeating it does not restart the grace. */
  | { readonly kind: "stop"; readonly instance: InstanceId; readonly signal: "SIGTERM" | "SIGKILL"; readonly graceMs: number }
  /** Binds the address and hands the socket to every forwarder, now and after their restarts. Idempotent. */
  | { readonly kind: "listen"; readonly id: ListenerId; readonly at: ListenAddress }
  | { readonly kind: "roster" }
  /** For the orchestrator: which instances take requests now; hopeless: every node has failed, and stays so. */
  | { readonly kind: "health"; readonly serving: readonly InstanceId[]; readonly hopeless: boolean }
  /** End everything in order; `reason` is printed, `exitCode` is init's. */
  | { readonly kind: "shut-down"; readonly reason: string; readonly exitCode: number };

/** init → monitor */
export type FromInit =
  | Welcome
  | { readonly kind: "started"; readonly instance: InstanceId; readonly pid: number; readonly port: number | null }
  | { readonly kind: "start-failed"; readonly instance: InstanceId; readonly reason: string }
  | {
      readonly kind: "exited";
      readonly instance: InstanceId;
      readonly code: number | null;
      readonly signal: string | null;
      /** The last lines of its standard error. */
      readonly tail: readonly string[];
    }
  | { readonly kind: "roster"; readonly instances: readonly RosterEntry[] }
  /** The cluster is being stopped: exits from here on are intended, starts are ignored. */
  | { readonly kind: "shutting-down"; readonly reason: string }
  /** Bound, and a forwarder accepts on it: from now on no client is refused. */
  | { readonly kind: "bound"; readonly id: ListenerId; readonly at: ListenAddress }
  | { readonly kind: "bind-failed"; readonly id: ListenerId; readonly at: ListenAddress; readonly code: string };

/** init → replicator */
export type ToReplicatorFromInit =
  | Welcome
  | AreYouThere
  /** Commit what is under way, close the file, exit. */
  | { readonly kind: "finish" };

/** init → forwarder; `listener` comes with the socket's handle attached. */
export type ToForwarderFromInit =
  | Welcome
  | { readonly kind: "listener"; readonly id: ListenerId; readonly at: ListenAddress }
  /** Take no new connections or requests, finish those in process, then exit. */
  | { readonly kind: "finish"; readonly deadlineMs: number };

/** forwarder → init: it accepts on this listener's socket. */
export interface Accepting {
  readonly kind: "accepting";
  readonly id: ListenerId;
}
