/**
 * The lifecycle of a regeneration as one table: each phase's deadline and what its end leads to. Live
 * running and recovery both walk it (advance.ts). `restore` means: the old instance goes back into
 * service, the replacement is stopped; so a failure never ends with fewer healthy nodes than doing
 * nothing. A phase of mode `in-place` will be a row here too.
 */
import type { Settings } from "../model/settings.ts";

export type Phase =
  | "starting"
  | "warming"
  | "cordoning"
  | "draining"
  | "handing-off"
  | "evidence"
  | "stopping"
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

export const lifecycle: Readonly<Record<Phase, PhaseRule>> = {
  starting: { deadline: "startTimeoutMs", onDeadline: "restore", next: "warming", reversible: true },
  warming: { deadline: null, onDeadline: "wait", next: "cordoning", reversible: true },
  cordoning: { deadline: "fenceTimeoutMs", onDeadline: "restore", next: "draining", reversible: true },
  draining: { deadline: "drainTimeoutMs", onDeadline: "go-on", next: "handing-off", reversible: true },
  "handing-off": { deadline: "handOffTimeoutMs", onDeadline: "restore", next: "evidence", reversible: true },
  evidence: { deadline: "evidenceTimeoutMs", onDeadline: "go-on", next: "stopping", reversible: true },
  stopping: { deadline: "killTimeoutMs", onDeadline: "wait", next: "probation", reversible: false },
  probation: { deadline: "probationMs", onDeadline: "go-on", next: "verified", reversible: false },
  verified: { deadline: null, onDeadline: "wait", next: "verified", reversible: false },
  failed: { deadline: null, onDeadline: "wait", next: "failed", reversible: false },
};
