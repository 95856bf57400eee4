/**
 * The monitor's whole memory: plain data, snapshotted to the journal as JSON. Only `step` changes it.
 * Records are kept in arrays in a fixed order, so that the same inputs always give the same effects.
 */
import type { ReloadOutcome } from "../model/admin.ts";
import type { ClusterSpec } from "../model/birth.ts";
import type { Calendar } from "../model/calendar.ts";
import type { InstanceId, ListenAddress, ListenerId, NodeName, Release } from "../model/node.ts";
import type { InFlight, RouteTable } from "../model/routes.ts";
import type { Mode, Phase } from "./lifecycle.ts";

export interface InstanceRecord {
  readonly id: InstanceId;
  readonly node: NodeName;
  readonly generation: number;
  /** Id of the release that it runs. */
  readonly release: string;
  /** When it was asked to start. */
  readonly askedAtMs: number;
  /** Until when it must listen. */
  deadlineMs: number;
  pid: number | null;
  /** Socket paths of the listeners that it serves. */
  sockets: Record<ListenerId, string>;
  listeningAtMs: number | null;
  availability: "none" | "available" | "cordoned";
  availableSinceMs: number;
  slowStart: boolean;
  /** It has more heap than the others (more-room.ts). */
  readonly hasMoreRoom: boolean;
  /** Its application saves what it has in memory when it is handed off: until then nobody else can have it. */
  keepsCheckpoint: boolean;
  /** The probe's control link is up. */
  linked: boolean;
  /** A probe has ever been linked. */
  probed: boolean;
  fenced: boolean;
  quiet: boolean;
  /** Set once it was to take over and is not any more: it is stopped when it is drained, or then. */
  leavingUntilMs: number | null;
  /** Set once it was asked to stop: its exit is intended from then on, unless the reason is a crash. */
  stopping: { readonly signal: "SIGTERM" | "SIGKILL"; readonly graceMs: number; readonly crash: string | null } | null;
}

export interface NodeRecord {
  readonly name: NodeName;
  readonly index: number;
  /** Id of the release that its restarts use. */
  release: string;
  /** The highest generation that was ever used. */
  generation: number;
  /** Who serves, or is on the way to where nobody served before. */
  instance: InstanceId | null;
  /** Who is to take over, during a regeneration. */
  replacement: InstanceId | null;
  /** When the next start after a crash is due. */
  restartAtMs: number | null;
  crashes: number[];
  /** Restarts since it last ran well; the backoff grows with it. */
  attempts: number;
  restarts: number;
  /** Why it is down; null while it is well. */
  reason: string | null;
  failed: boolean;
  /** Why it cannot have two instances at once (a port, file or lock of its own); null if it can, and from each deploy on. */
  exclusive: string | null;
  /** Null before it was first found aging, and from each deploy on. */
  lives: Lives | null;
  /** What an automatic regeneration of its instance last waited for; as old as that may be. */
  waits: { readonly instance: InstanceId; readonly why: string; readonly atMs: number } | null;
}

/** What became of a node's lives of late: whether regenerating it helps (quarantine.ts). */
export interface Lives {
  /** How long one lasted until it was found aging: the last that was not short. */
  readonly lifeMs: number;
  /** The last short one since; null if there was none. */
  readonly shortMs: number | null;
  /** Automatic regenerations in a row that began a short one. */
  readonly fruitless: number;
  /** The last instance that was counted. */
  readonly judged: InstanceId;
  /** When the node was last found aging. */
  foundAtMs: number;
}

export type BackStop = "watermark" | "max-age" | "max-requests" | "calendar";
export type Origin = "operator" | "deploy" | "aging" | BackStop;

/** By the model, or by a level that an operator set. */
export function isFoundAging(origin: Origin): boolean {
  return origin === "aging" || origin === "watermark";
}

/** Nobody asked for it. */
export function isAutomatic(origin: Origin): boolean {
  return origin !== "operator" && origin !== "deploy";
}

export interface Confirmation {
  readonly writes: number;
  readonly checksum: string;
}

export interface Regeneration {
  readonly id: string;
  readonly node: NodeName;
  readonly origin: Origin;
  readonly why: string;
  readonly metMemory: boolean;
  requests: string[];
  old: InstanceId | null;
  mode: Mode;
  /** Null in mode `in-place` until the old one has gone, and when a node retires. */
  replacement: InstanceId | null;
  /** Id of the release that the replacement runs. */
  readonly release: string;
  phase: Phase;
  phaseSinceMs: number;
  /** Until when the phase must be done; null if it waits for ever. */
  deadlineMs: number | null;
  startedAtMs: number;
  endedAtMs: number | null;
  outcome: "running" | "succeeded" | "failed";
  /** Why it failed, or what was remarkable. */
  remark: string | null;
  cordonRevision: number | null;
  inFlightAtCordon: InFlight | null;
  handedOff: Confirmation | null;
  revoked: Confirmation | null;
  evidenceTaken: boolean;
  timeline: { readonly phase: Phase; readonly atMs: number }[];
}

export interface QueueEntry {
  readonly node: NodeName;
  readonly origin: Origin;
  readonly why: string;
  /** Null: as the cluster and the node have it. */
  readonly mode: "retire" | null;
  requests: string[];
  /** Automatic ones keep their distance; 0: at once. */
  notBeforeMs: number;
  /** The instance that was found aging; if it is gone by then, so is the reason. Null for an operator's. */
  readonly instance: InstanceId | null;
  /** Its end is so near that no better time is waited for. */
  readonly isLast: boolean;
  /** Its memory came to the limit that Coppice gave it. */
  readonly metMemory: boolean;
  /** The release that the replacement is to run; null: the node's own. */
  readonly release: string | null;
}

export interface OperatorRequest {
  readonly id: string;
  readonly nodes: { readonly name: NodeName; regeneration: string | null; outcome: "waiting" | "running" | "succeeded" | "failed" }[];
  /** Of a reload; null for a regeneration. */
  reload: ReloadOutcome | null;
}

/** A deploy under way (rollout.ts). */
export interface Rollout {
  readonly request: string;
  readonly release: string;
  readonly previous: string;
  phase: "going" | "going-back";
  /** Until when the first node on the new release is watched. */
  watchUntilMs: number | null;
  watched: boolean;
  /** Regenerations that failed on the way back. */
  failures: number;
  reason: string | null;
}

export interface ForwarderRecord {
  readonly id: string;
  appliedRevision: number;
  inFlight: Record<InstanceId, InFlight>;
  drained: InstanceId[];
}

export interface ListenerRecord {
  readonly id: ListenerId;
  /** Where the forwarder listens. */
  readonly at: ListenAddress;
  bound: boolean;
}

export interface MonitorState {
  spec: ClusterSpec | null;
  nowMs: number;
  wakeAtMs: number | null;
  /** Those that are in use, by id, and the running one. */
  releases: Release[];
  release: string;
  nextRelease: number;
  rollout: Rollout | null;
  nodes: NodeRecord[];
  /** How many nodes there are to be. */
  wanted: number;
  /** Highest generations of nodes that retired: a name that comes again goes on from there. */
  retired: Record<NodeName, number>;
  instances: InstanceRecord[];
  forwarders: ForwarderRecord[];
  replicatorLinked: boolean;
  listeners: ListenerRecord[];
  learnedCookies: string[];
  routes: RouteTable;
  /** The one under way, at most. */
  current: Regeneration | null;
  /** Those that ended, the latest last, bounded. */
  ended: Regeneration[];
  succeeded: number;
  failed: number;
  queue: QueueEntry[];
  requests: OperatorRequest[];
  nextRegeneration: number;
  consecutiveFailures: number;
  halted: string | null;
  lastAutomaticAtMs: number | null;
  calendar: Calendar;
  /** They could not carry the load of one node as well. */
  othersAreFull: boolean;
  /** Releases of which one instance had more room. */
  triedRoom: string[];
  /** Reasons for which a regeneration of an instance was put off, already told. */
  told: string[];
  /** When unconfirmed effects were last given out. */
  retriedAtMs: number;
  everListened: boolean;
  /** Why the cluster cannot go on; null while it can. */
  gaveUp: string | null;
}

export function initialState(): MonitorState {
  return {
    spec: null,
    nowMs: 0,
    wakeAtMs: null,
    releases: [],
    release: "",
    nextRelease: 2,
    rollout: null,
    nodes: [],
    wanted: 0,
    retired: {},
    instances: [],
    forwarders: [],
    replicatorLinked: false,
    listeners: [],
    learnedCookies: [],
    routes: { revision: 0, listeners: [], upstreams: [], affinityCookies: [] },
    current: null,
    ended: [],
    succeeded: 0,
    failed: 0,
    queue: [],
    requests: [],
    nextRegeneration: 1,
    consecutiveFailures: 0,
    halted: null,
    lastAutomaticAtMs: null,
    calendar: "open",
    othersAreFull: false,
    triedRoom: [],
    told: [],
    retriedAtMs: 0,
    everListened: false,
    gaveUp: null,
  };
}
