/**
 * Who is regenerated next: the operator's requests as they come, one after the other; automatic ones (automatic.ts) when their
 * time has come.
 */
import type { Calendar } from "../model/calendar.ts";
import type { NodeName } from "../model/node.ts";
import { begin } from "./advance.ts";
import type { Draft } from "./draft.ts";
import { isLeaving } from "./drain.ts";
import type { Mode } from "./lifecycle.ts";
import { attach } from "./requests.ts";
import { publishRoutes } from "./route-table.ts";
import { isAutomatic, type NodeRecord, type QueueEntry, type Regeneration } from "./state.ts";

/** Starts the next of the queue if none is under way. */
export function admitNext(draft: Draft): void {
  const { state, nowMs } = draft;
  // One that leaves takes the room of the next replacement.
  if (state.current !== null || state.gaveUp !== null || state.instances.some(isLeaving)) return;
  // An automatic one whose instance is gone (it crashed, or somebody was faster) has no reason any more.
  state.queue = state.queue.filter(({ node, instance }) => instance === null || draft.node(node).instance === instance);
  // Its time is over; it is found again while its reason stands.
  state.queue = state.queue.filter(({ origin, isLast }) => !isAutomatic(origin) || isTimeFor(state.calendar, isLast));
  const entry = state.queue.find(
    ({ notBeforeMs, origin, ...other }) =>
      notBeforeMs <= nowMs && (!isAutomatic(origin) || state.halted === null) && canSpare(draft, other.node, modeOf(draft, other)),
  );
  if (entry === undefined) return;
  state.queue = state.queue.filter((other) => other !== entry);
  const node = draft.node(entry.node);
  // A node that is down is started anew; one that is starting for the first time is what was asked for.
  node.failed = false;
  node.restartAtMs = null;
  const old = draft.instance(node.instance);
  const release = entry.release ?? node.release;
  const mode = modeOf(draft, entry);
  const regeneration: Regeneration = {
    id: `regeneration-${state.nextRegeneration}`,
    node: node.name,
    origin: entry.origin,
    why: entry.why,
    metMemory: entry.metMemory,
    requests: entry.requests,
    old: old?.id ?? null,
    mode,
    replacement: null,
    release,
    phase: "starting",
    phaseSinceMs: nowMs,
    deadlineMs: null,
    startedAtMs: nowMs,
    endedAtMs: null,
    outcome: "running",
    remark: null,
    cordonRevision: null,
    inFlightAtCordon: null,
    handedOff: null,
    revoked: null,
    evidenceTaken: false,
    timeline: [],
  };
  state.nextRegeneration += 1;
  if (isAutomatic(entry.origin)) state.lastAutomaticAtMs = nowMs;
  state.current = regeneration;
  attach(draft, regeneration);
  draft.event(
    "regeneration-admitted",
    mode === "retire"
      ? `${node.name} is being retired: ${entry.why}`
      : `${node.name} is being regenerated${mode === "in-place" ? " in place" : ""}: ${entry.why}`,
    { origin: entry.origin, why: entry.why, mode },
    { node: node.name, regeneration: regeneration.id },
  );
  // Where this very step has put the old one back after a failure, that is a revision of its own: else the cordon were none.
  publishRoutes(draft);
  begin(draft, regeneration);
}

function isTimeFor(calendar: Calendar, isLast: boolean): boolean {
  return calendar === "open" || (calendar === "outside" && isLast);
}

export function modeOf(draft: Draft, { node, mode }: Pick<QueueEntry, "node" | "mode">): Mode {
  const { exclusive, instance } = draft.node(node);
  const isAlone = exclusive !== null || draft.instance(instance)?.keepsCheckpoint === true;
  return mode ?? (isAlone ? "in-place" : draft.spec.regenerate);
}

/** A node that will not serve, for a while or for good, is not taken while another is down that will come back. */
export function canSpare(draft: Draft, name: NodeName, mode: Mode): boolean {
  const serves = ({ instance }: NodeRecord) => draft.instance(instance)?.availability === "available";
  if (mode === "replace" || !serves(draft.node(name))) return true;
  const others = draft.state.nodes.filter((node) => node.name !== name);
  return others.every((node) => node.failed || serves(node)) && (mode !== "retire" || others.some(serves));
}
