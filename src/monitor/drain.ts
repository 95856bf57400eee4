/**
 * What counts as drained; and the instance that was to take over and did not: the old one serves again, and the new one
 * leaves as any other does, its requests first.
 */
import type { Draft } from "./draft.ts";
import { stopInstance } from "./nodes.ts";
import type { ForwarderRecord, InstanceRecord, MonitorState } from "./state.ts";

/** One that is not linked is asked for too: it may serve on by the table that it had last. */
export function everyForwarder({ spec, forwarders }: MonitorState, holds: (forwarder: ForwarderRecord) => boolean): boolean {
  return forwarders.length >= (spec?.forwarders ?? 1) && forwarders.every(holds);
}

export function isDrained(state: MonitorState, { id, quiet, linked }: InstanceRecord): boolean {
  return everyForwarder(state, ({ drained }) => drained.includes(id)) && (quiet || !linked);
}

/** It goes: at once, if it never served. */
export function dismiss(draft: Draft, record: InstanceRecord): void {
  if (record.availability !== "available") return stopInstance(draft, record, "SIGTERM", null);
  record.availability = "cordoned";
  record.leavingUntilMs = draft.nowMs + draft.settings.drainTimeoutMs;
  draft.effect({ kind: "fence", instance: record.id });
}

export function isLeaving({ leavingUntilMs, stopping }: InstanceRecord): boolean {
  return leavingUntilMs !== null && stopping === null;
}

export function tendLeaving(draft: Draft): void {
  for (const record of draft.state.instances.filter(isLeaving)) {
    if (isDrained(draft.state, record) || draft.nowMs >= (record.leavingUntilMs ?? 0)) stopInstance(draft, record, "SIGTERM", null);
    else if (draft.retry && !record.quiet) draft.effect({ kind: "fence", instance: record.id });
  }
}
