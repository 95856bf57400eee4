/**
 * The lifecycle of a regeneration as one table a mode: each phase's deadline and what its end leads to.
 * Live running and recovery both walk it (advance.ts). `restore` means: the old instance goes back into
 * service, the replacement is stopped; so a failure never ends with fewer healthy nodes than doing nothing.
 *
 * `replace` starts the new one beside the old one. `in-place` has no room for both: the old one ends first.
 * `retire` ends it, and nothing comes after it.
 */
import type { Settings } from "../model/settings.ts";

export type Mode = "replace" | "in-place" | "retire";

export type Phase =
  | "starting"
  | "warming"
  | "cordoning"
  | "draining"
  | "handing-off"
  | "evidence"
  | "stopping"
  | "regrowing"
  | "retired"
  | "probation"
  | "verified"
  | "failed";

export interface PhaseRule {
  /** Where the phase's deadline comes from; null: no deadline, the phase waits. */
  readonly deadline: keyof Settings | null;
  /** What the deadline leads to: `restore`, or on to the next phase all the same. */
  readonly onDeadline: "restore" | "go-on" | "wait";
  readonly next: Phase;
  /** The old instance has not been told to stop: giving up is possible. */
  readonly reversible: boolean;
}

const ended: PhaseRule = { deadline: null, onDeadline: "wait", next: "failed", reversible: false };

const replace: Readonly<Record<Phase, PhaseRule>> = {
  starting: { deadline: "startTimeoutMs", onDeadline: "restore", next: "warming", reversible: true },
  // Beside minReadyMs, which it takes in any case: it may have stopped listening again.
  warming: { deadline: "startTimeoutMs", onDeadline: "restore", next: "cordoning", reversible: true },
  cordoning: { deadline: "fenceTimeoutMs", onDeadline: "restore", next: "draining", reversible: true },
  draining: { deadline: "drainTimeoutMs", onDeadline: "go-on", next: "handing-off", reversible: true },
  "handing-off": { deadline: "handOffTimeoutMs", onDeadline: "restore", next: "evidence", reversible: true },
  evidence: { deadline: "evidenceTimeoutMs", onDeadline: "go-on", next: "stopping", reversible: true },
  stopping: { deadline: "killTimeoutMs", onDeadline: "wait", next: "probation", reversible: false },
  // The instance's own deadline ends one that does not listen (nodes.ts).
  regrowing: { deadline: null, onDeadline: "wait", next: "probation", reversible: false },
  probation: { deadline: "probationMs", onDeadline: "go-on", next: "verified", reversible: false },
  retired: ended,
  verified: ended,
  failed: ended,
};

export const lifecycle: Readonly<Record<Mode, Readonly<Record<Phase, PhaseRule>>>> = {
  replace,
  "in-place": { ...replace, stopping: { ...replace.stopping, next: "regrowing" } },
  retire: { ...replace, stopping: { ...replace.stopping, next: "retired" } },
};
