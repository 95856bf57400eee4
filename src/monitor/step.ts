/**
 * The state monitor as a pure function: a fact comes in, the next state and the effects go out. First the
 * fact is written into the state, then one reconcile pass finds what follows from the state as it is, not
 * from which fact woke it; so a step after a recovery does what any other step does.
 */

import { admitNext } from "./admission.ts";
import { advance, askToRevoke } from "./advance.ts";
import { Draft } from "./draft.ts";
import { isLeaving, tendLeaving } from "./drain.ts";
import { takeFact } from "./facts.ts";
import { lifecycle } from "./lifecycle.ts";
import { effectStart, effectStop, mustListen, restartDueNodes, tendStarting } from "./nodes.ts";
import { endQuarantines, quarantineEndsAtMs } from "./quarantine.ts";
import { advanceRollout } from "./rollout.ts";
import { publishRoutes } from "./route-table.ts";
import { growToWanted } from "./scale.ts";
import type { MonitorState } from "./state.ts";
import type { Input, StepResult } from "./types.ts";

/** Unconfirmed effects are given out again after this time; all are idempotent. */
const retryMs = 1_000;
/** A wake-up that comes so much too late was not ours to miss: the host slept, or the clock was set. */
const jumpMs = 5_000;

export function step(before: MonitorState, input: Input): StepResult<MonitorState> {
  const draft = new Draft(before, input.nowMs);
  const { state } = draft;
  forgiveJump(draft, input.kind === "woken");
  state.nowMs = input.nowMs;
  takeFact(draft, input);
  if (state.spec === null) return { state, effects: draft.effects, wakeAtMs: null };
  draft.retry ||= somethingPends(state) && input.nowMs - state.retriedAtMs >= retryMs;
  if (draft.retry) {
    state.retriedAtMs = input.nowMs;
    giveOutAgain(draft);
  }
  restartDueNodes(draft);
  tendStarting(draft);
  tendLeaving(draft);
  askToRevoke(draft);
  advance(draft);
  growToWanted(draft);
  advanceRollout(draft);
  endQuarantines(draft);
  admitNext(draft);
  publishRoutes(draft);
  state.wakeAtMs = nextWake(draft);
  return { state, effects: draft.effects, wakeAtMs: state.wakeAtMs };
}

function giveOutAgain(draft: Draft): void {
  for (const record of draft.state.instances) {
    if (record.stopping !== null) effectStop(draft, record);
    else if (record.pid === null) effectStart(draft, record, draft.node(record.node));
  }
  for (const { id, at, bound } of draft.state.listeners) if (!bound) draft.effect({ kind: "open-listener", id, at });
}

function somethingPends(state: MonitorState): boolean {
  return (
    state.current !== null ||
    state.instances.some((record) => record.pid === null || record.stopping !== null || isLeaving(record)) ||
    state.listeners.some(({ bound }) => !bound)
  );
}

/**
 * Nobody is late for a time in which nothing could run: every deadline moves with the jump, once. Who is woken ran until then,
 * and jumped after that; if something else is heard first, how long it ran is not known, and nothing of it counts.
 */
function forgiveJump(draft: Draft, isWoken: boolean): void {
  const { state, nowMs } = draft;
  const overdueMs = state.wakeAtMs === null ? 0 : nowMs - Math.max(state.wakeAtMs, state.nowMs);
  const jumpedMs = isWoken ? overdueMs : nowMs - state.nowMs;
  const shiftMs = nowMs < state.nowMs ? nowMs - state.nowMs : overdueMs > jumpMs ? jumpedMs : 0;
  if (shiftMs === 0) return;
  for (const record of state.instances) {
    record.deadlineMs += shiftMs;
    if (record.leavingUntilMs !== null) record.leavingUntilMs += shiftMs;
    if (record.listeningAtMs !== null) record.listeningAtMs += shiftMs;
  }
  if (shiftMs < 0) for (const record of state.instances) if (record.availableSinceMs > 0) record.availableSinceMs += shiftMs;
  for (const node of state.nodes) {
    if (node.restartAtMs !== null) node.restartAtMs += shiftMs;
    if (node.lives !== null) node.lives.foundAtMs += shiftMs;
  }
  for (const regeneration of state.current === null ? state.ended : [...state.ended, state.current]) {
    if (regeneration.deadlineMs !== null) regeneration.deadlineMs += shiftMs;
    regeneration.phaseSinceMs += shiftMs;
    if (shiftMs < 0) regeneration.startedAtMs += shiftMs;
  }
  if (state.rollout?.watchUntilMs != null) state.rollout.watchUntilMs += shiftMs;
  if (state.lastAutomaticAtMs !== null && shiftMs < 0) state.lastAutomaticAtMs += shiftMs;
  if (shiftMs < 0) for (const node of state.nodes) node.crashes = node.crashes.map((atMs) => atMs + shiftMs);
  if (shiftMs < 0) for (const entry of state.queue) entry.notBeforeMs += shiftMs;
  if (shiftMs < 0) state.retriedAtMs = Math.min(state.retriedAtMs, nowMs);
}

function nextWake(draft: Draft): number | null {
  const { state, settings } = draft;
  const times: number[] = [];
  for (const record of state.instances) if (record.listeningAtMs === null && mustListen(record)) times.push(record.deadlineMs);
  for (const { leavingUntilMs, stopping } of state.instances) if (leavingUntilMs !== null && stopping === null) times.push(leavingUntilMs);
  for (const { restartAtMs } of state.nodes) if (restartAtMs !== null) times.push(restartAtMs);
  if (state.current === null) for (const { notBeforeMs } of state.queue) if (notBeforeMs > state.nowMs) times.push(notBeforeMs);
  for (const { phase, deadlineMs } of state.ended) if (phase === "probation" && deadlineMs !== null) times.push(deadlineMs);
  if (state.rollout?.watchUntilMs != null) times.push(state.rollout.watchUntilMs);
  for (const node of state.nodes) {
    const endsAtMs = quarantineEndsAtMs(node, settings);
    if (endsAtMs !== null) times.push(endsAtMs);
  }
  const { current } = state;
  if (current !== null) {
    if (current.deadlineMs !== null && lifecycle[current.mode][current.phase].onDeadline !== "wait") times.push(current.deadlineMs);
    // Where that has passed it waits for something else.
    const readyAtMs = (draft.instance(current.replacement)?.listeningAtMs ?? 0) + settings.minReadyMs;
    if (current.phase === "warming" && readyAtMs > state.nowMs) times.push(readyAtMs);
  }
  if (somethingPends(state)) times.push(state.retriedAtMs + retryMs);
  return times.length === 0 ? null : Math.max(Math.min(...times), state.nowMs + 1);
}
