/**
 * What goes into the monitor's pure core and what comes out: `step(state, input) → {state, effects,
 * wakeAtMs}`. Inputs are facts that the shell saw; effects are plain data that the shell performs, each
 * idempotent, so that all of an unfinished state can be performed again after a recovery.
 */
import type { SettingChange } from "../model/admin.ts";
import type { ClusterSpec, InstanceStart, RosterEntry } from "../model/birth.ts";
import type { Calendar } from "../model/calendar.ts";
import type { EventDraft } from "../model/events.ts";
import type { InstanceId, ListenAddress, ListenerId, NodeName, Release } from "../model/node.ts";
import type { AgingReport } from "../model/report.ts";
import type { InFlight, RouteTable } from "../model/routes.ts";
import type { BackStop } from "./state.ts";

/** What a hand-off says of an instance's acknowledged writes. */
interface HandOffWord {
  readonly instance: InstanceId;
  /** Absent in journals, and from processes, of older versions. */
  readonly regeneration?: string;
  readonly writes: number;
  readonly checksum: string;
}

/** Every input carries the time at which the shell saw it. */
export type Input = { readonly nowMs: number } /** First input of a cluster's life, journalled as any other. */ & (
  | { readonly kind: "cluster-started"; readonly spec: ClusterSpec }
  /** The time that `wakeAtMs` asked for has come. */
  | { readonly kind: "woken" }
  | { readonly kind: "instance-started"; readonly instance: InstanceId; readonly pid: number }
  | { readonly kind: "instance-start-failed"; readonly instance: InstanceId; readonly reason: string }
  | { readonly kind: "instance-listening"; readonly instance: InstanceId; readonly at: ListenAddress; readonly socketPath: string }
  | { readonly kind: "instance-listener-closed"; readonly instance: InstanceId; readonly at: ListenAddress }
  | {
      readonly kind: "instance-exited";
      readonly instance: InstanceId;
      readonly code: number | null;
      readonly signal: string | null;
      readonly tail: readonly string[];
    }
  /** The probe's control link came up or went down: without it the instance cannot fence. */
  | { readonly kind: "instance-link"; readonly instance: InstanceId; readonly up: boolean }
  /** Its probe, linked, has been silent for so long: its event loop is stuck. Said again while it stands. */
  | { readonly kind: "instance-stuck"; readonly instance: InstanceId; readonly silentMs: number }
  /** The process that served is gone, and the command that started it is not. Said again while it stands. */
  | { readonly kind: "instance-deserted"; readonly instance: InstanceId }
  | { readonly kind: "instance-fenced"; readonly instance: InstanceId }
  | { readonly kind: "instance-quiet"; readonly instance: InstanceId }
  | ({ readonly kind: "instance-handed-off" } & HandOffWord)
  | { readonly kind: "instance-evidence"; readonly instance: InstanceId; readonly evidence: Readonly<Record<string, unknown>> }
  /** It saves at its hand-off what the next process of its node restores. Said again to each monitor. */
  | { readonly kind: "instance-keeps-checkpoint"; readonly instance: InstanceId }
  | { readonly kind: "affinity-cookie"; readonly name: string }
  /** A report whose verdict is `aging`; the shell sends it again with each evaluation while it stands. */
  | { readonly kind: "aging"; readonly instance: InstanceId; readonly report: AgingReport }
  /** Of one that was found aging before, a report says `healthy`: no trend is held any more. */
  | { readonly kind: "not-aging"; readonly instance: InstanceId }
  /** What an operator set beside the model has come for this instance; said again while it stands. */
  | { readonly kind: "back-stop"; readonly instance: InstanceId; readonly by: BackStop; readonly why: string }
  /** Whether the time is one for automatic regenerations, each time that it changes. */
  | { readonly kind: "calendar"; readonly calendar: Calendar }
  /** Whether the others could not carry the load of one node as well, each time that it changes. */
  | { readonly kind: "load"; readonly othersAreFull: boolean }
  | { readonly kind: "forwarder-link"; readonly forwarder: string; readonly up: boolean }
  | {
      readonly kind: "routes-applied";
      readonly forwarder: string;
      readonly revision: number;
      readonly inFlight: Readonly<Record<InstanceId, InFlight>>;
    }
  | { readonly kind: "upstream-drained"; readonly forwarder: string; readonly instance: InstanceId }
  | { readonly kind: "replicator-link"; readonly up: boolean }
  | ({ readonly kind: "replicator-revoked" } & HandOffWord)
  | { readonly kind: "listener-bound"; readonly id: ListenerId }
  | { readonly kind: "listener-failed"; readonly id: ListenerId; readonly at: ListenAddress; readonly code: string }
  /** An operator's request; `request` is an id that the shell chose. */
  | { readonly kind: "regenerate"; readonly request: string; readonly nodes: readonly NodeName[] | "all" }
  /** Somebody looked: automatic regenerations of these nodes, or of the fleet, go on. */
  | { readonly kind: "resume"; readonly nodes: readonly NodeName[] | "all" }
  /** The operator wants so many nodes: new ones are started, or the last ones retire. */
  | { readonly kind: "scale"; readonly request: string; readonly nodes: number }
  /** An operator's new settings, checked by the shell against their declarations. */
  | { readonly kind: "settings"; readonly changes: readonly Pick<SettingChange, "name" | "to" | "acts">[] }
  /** An operator's deploy: `release` was resolved by the shell. Ignored while another one is under way. */
  | { readonly kind: "reload"; readonly request: string; readonly release: Release }
  /** An instance of a release that is being rolled out answers worse than the others do. */
  | { readonly kind: "release-worse"; readonly instance: InstanceId; readonly reason: string }
  /** After a restart of the monitor: who lives, by init's word. */
  | { readonly kind: "recovered"; readonly roster: readonly RosterEntry[] }
);

type WithoutTime<T> = T extends unknown ? Omit<T, "nowMs"> : never;
/** What the shell adds the time to. */
export type Fact = WithoutTime<Input>;

/** Effects. `key` names the effect for the journal: performing it twice does no harm. */
export type Effect = { readonly key: string } & (
  | ({ readonly kind: "start-instance" } & InstanceStart)
  | { readonly kind: "stop-instance"; readonly instance: InstanceId; readonly signal: "SIGTERM" | "SIGKILL"; readonly graceMs: number }
  | { readonly kind: "open-listener"; readonly id: ListenerId; readonly at: ListenAddress }
  /** To every forwarder, now and on each reconnect; the shell keeps the last one. */
  | { readonly kind: "send-routes"; readonly table: RouteTable }
  | { readonly kind: "fence"; readonly instance: InstanceId }
  | { readonly kind: "unfence"; readonly instance: InstanceId }
  /** To the instance (`hand-off`), which flushes its writes. */
  | { readonly kind: "hand-off"; readonly instance: InstanceId; readonly regeneration: string }
  /** To the replicator. */
  | { readonly kind: "revoke"; readonly instance: InstanceId; readonly regeneration: string }
  /** To the replicator: what `revoke` withdrew is given back. */
  | { readonly kind: "reinstate"; readonly instance: InstanceId }
  | { readonly kind: "take-evidence"; readonly instance: InstanceId }
  /** The state's settings are others now: to all who go by them. */
  | { readonly kind: "settings" }
  /** Append to the events file and tell followers. Not repeated on recovery. */
  | { readonly kind: "event"; readonly event: EventDraft }
  /** The cluster cannot go on (its first instances never started ...): init prints the reason and exits. */
  | { readonly kind: "give-up"; readonly reason: string; readonly exitCode: number }
);

export interface StepResult<State> {
  readonly state: State;
  readonly effects: readonly Effect[];
  /** When to send `woken`, at the latest; null if nothing waits for time. */
  readonly wakeAtMs: number | null;
}
