/**
 * A regeneration on its way (mode `replace`): what completes each phase of the lifecycle table, what a
 * phase does when it is entered, and what is given out again while it is not confirmed. The failure
 * arrow, from anywhere before the old instance was told to stop: it goes back into service.
 */
import { assert } from "../model/errors.ts";
import type { Draft } from "./draft.ts";
import { lifecycle, type Phase } from "./lifecycle.ts";
import { effectStart, effectStop, makeAvailable, scheduleRestart, stopInstance } from "./nodes.ts";
import { rolloutRegenerationEnded } from "./rollout.ts";
import type { InstanceRecord, NodeRecord, Regeneration } from "./state.ts";
import { tellCordon, tellHandOff, tellWhatWasCut } from "./tell.ts";

const endedMax = 100;

/** Walks as far as the facts allow. */
export function advance(draft: Draft): void {
  for (let regeneration = draft.state.current; regeneration !== null; regeneration = draft.state.current) {
    const rule = lifecycle[regeneration.phase];
    if (isComplete(draft, regeneration)) enter(draft, regeneration, rule.next);
    else if (regeneration.deadlineMs === null || draft.nowMs < regeneration.deadlineMs) break;
    else if (rule.onDeadline === "restore") fail(draft, regeneration, lateness(draft, regeneration));
    else if (rule.onDeadline === "go-on") {
      tellWhatWasCut(draft, regeneration);
      enter(draft, regeneration, rule.next);
    } else break;
  }
  if (draft.retry && draft.state.current !== null) giveOut(draft, draft.state.current);
  verifyEnded(draft);
}

function isComplete(draft: Draft, regeneration: Regeneration): boolean {
  const { state, nowMs, settings } = draft;
  const old = draft.instance(regeneration.old);
  const replacement = draft.instance(regeneration.replacement);
  switch (regeneration.phase) {
    case "starting":
      return replacement !== null && replacement.listeningAtMs !== null && serves(replacement, old);
    case "warming":
      // Where nobody serves, nobody waits for proof.
      if (replacement === null || !serves(replacement, old)) return false;
      return old === null || nowMs - (replacement.listeningAtMs ?? nowMs) >= settings.minReadyMs;
    case "cordoning": {
      // The forwarders alone complete it; the fence is for those that do not answer (see lateness).
      const revision = regeneration.cordonRevision;
      return (
        state.forwarders.length > 0 && revision !== null && state.forwarders.every(({ appliedRevision }) => appliedRevision >= revision)
      );
    }
    case "draining":
      return old === null || (state.forwarders.every(({ drained }) => drained.includes(old.id)) && (old.quiet || !old.linked));
    case "handing-off":
      return old === null || regeneration.revoked !== null;
    case "evidence":
      return old === null || !old.linked || regeneration.evidenceTaken;
    case "stopping":
      return old === null;
    default:
      return false;
  }
}

/** All that the old one serves, the new one must. */
function serves(replacement: InstanceRecord, old: InstanceRecord | null): boolean {
  const wanted = old === null ? [] : Object.keys(old.sockets);
  return Object.keys(replacement.sockets).length > 0 && wanted.every((id) => id in replacement.sockets);
}

function enter(draft: Draft, regeneration: Regeneration, phase: Phase): void {
  const { nowMs, settings } = draft;
  const about = { node: regeneration.node, regeneration: regeneration.id };
  const left = regeneration.phase;
  const tookMs = nowMs - regeneration.phaseSinceMs;
  regeneration.phase = phase;
  regeneration.phaseSinceMs = nowMs;
  regeneration.timeline.push({ phase, atMs: nowMs });
  const { deadline } = lifecycle[phase];
  const deadlineMs = deadline === null ? null : settings[deadline];
  regeneration.deadlineMs = typeof deadlineMs === "number" ? nowMs + deadlineMs : null;
  const old = regeneration.old;
  if (left === "warming")
    draft.event(
      "replacement-ready",
      `${regeneration.replacement} is ready to take over`,
      { tookMs },
      { ...about, instance: regeneration.replacement },
    );
  if (left === "cordoning") tellCordon(draft, regeneration);
  if (left === "draining" && regeneration.remark === null) draft.event("drained", `${old} is drained (${tookMs} ms)`, { tookMs }, about);
  if (left === "handing-off") tellHandOff(draft, regeneration);
  if (left === "stopping") draft.event("stopped", `${old} has stopped (${tookMs} ms)`, { tookMs }, about);
  if (phase === "cordoning") cordon(draft, regeneration);
  if (phase === "stopping") {
    const record = draft.instance(regeneration.old);
    if (record !== null) stopInstance(draft, record, "SIGTERM", null);
  }
  if (phase === "probation") succeed(draft, regeneration, regeneration.remark);
  else giveOut(draft, regeneration);
}

/** One revision of the table puts the new one in and the old one out. */
function cordon(draft: Draft, regeneration: Regeneration): void {
  const old = draft.instance(regeneration.old);
  const replacement = draft.instance(regeneration.replacement);
  assert(replacement !== null, "a ready replacement is there");
  makeAvailable(draft, replacement);
  if (old === null) return succeed(draft, regeneration, "nobody served before it");
  old.availability = "cordoned";
  regeneration.cordonRevision = draft.state.routes.revision + 1;
}

/** The effects of the phase that are not confirmed: harmless to repeat. */
function giveOut(draft: Draft, regeneration: Regeneration): void {
  const old = draft.instance(regeneration.old);
  const replacement = draft.instance(regeneration.replacement);
  const { phase } = regeneration;
  if (phase === "starting" && replacement !== null && replacement.pid === null)
    effectStart(draft, replacement, draft.node(regeneration.node));
  if (old === null) return;
  if ((phase === "cordoning" || phase === "draining") && !old.quiet) draft.effect({ kind: "fence", instance: old.id });
  if (phase === "handing-off") {
    if (regeneration.handedOff === null && old.linked) draft.effect({ kind: "hand-off", instance: old.id });
    else draft.effect({ kind: "revoke", instance: old.id });
  }
  if (phase === "evidence" && old.linked) draft.effect({ kind: "take-evidence", instance: old.id });
  if (phase === "stopping") effectStop(draft, old);
}

/** Between hand-off and revoke the instance's word is what the replicator's is compared with. */
export function askToRevoke(draft: Draft): void {
  const { current } = draft.state;
  if (current?.phase === "handing-off" && current.handedOff !== null && current.revoked === null && current.old !== null) {
    draft.effect({ kind: "revoke", instance: current.old });
  }
}

function lateness(draft: Draft, regeneration: Regeneration): string {
  const ms = draft.nowMs - regeneration.phaseSinceMs;
  if (regeneration.phase === "starting") return `${regeneration.replacement} did not listen within ${ms} ms`;
  if (regeneration.phase === "handing-off") return `the state of ${regeneration.old} could not be handed off within ${ms} ms`;
  return `the cordon of ${regeneration.old} was not confirmed within ${ms} ms`;
}

function fail(draft: Draft, regeneration: Regeneration, why: string): void {
  const old = draft.instance(regeneration.old);
  if (regeneration.phase === "cordoning" && old?.fenced === true) {
    // A forwarder is silent, but the instance itself refuses new requests: the checkpoint stands.
    enter(draft, regeneration, "draining");
    return;
  }
  const node = draft.node(regeneration.node);
  const replacement = draft.instance(regeneration.replacement);
  if (replacement !== null) stopInstance(draft, replacement, "SIGTERM", null);
  node.replacement = null;
  restore(draft, old);
  end(draft, regeneration, "failed", "failed", why);
  const stays = old === null ? "" : `; ${old.id} stays in service`;
  draft.event(
    "regeneration-failed",
    `${regeneration.node}: regeneration failed: ${why}${stays}`,
    { why, phase: regeneration.timeline.at(-2)?.phase ?? null },
    { node: regeneration.node, regeneration: regeneration.id },
  );
  // A release that cannot start says nothing about regenerating from the running one.
  if (regeneration.origin === "deploy") return startAnewIfNobody(draft, node, old, why);
  draft.state.consecutiveFailures += 1;
  const { maxConsecutiveFailures } = draft.settings;
  if (draft.state.consecutiveFailures >= maxConsecutiveFailures && draft.state.halted === null) {
    draft.state.halted = `${draft.state.consecutiveFailures} regenerations failed in a row, the last: ${why}`;
    draft.event("fleet-halted", `automatic regenerations are halted: ${draft.state.halted}`, { failures: draft.state.consecutiveFailures });
  }
  startAnewIfNobody(draft, node, old, why);
}

function startAnewIfNobody(draft: Draft, node: NodeRecord, old: InstanceRecord | null, why: string): void {
  if (old === null && node.instance === null) scheduleRestart(draft, node, why, 0);
}

function restore(draft: Draft, old: InstanceRecord | null): void {
  if (old === null || old.stopping !== null) return;
  if (old.availability === "cordoned") draft.effect({ kind: "unfence", instance: old.id });
  old.availability = "available";
  old.fenced = false;
  old.quiet = false;
  for (const forwarder of draft.state.forwarders) forwarder.drained = forwarder.drained.filter((id) => id !== old.id);
}

/** The replacement died or never came. */
export function replacementLost(draft: Draft, node: NodeRecord, why: string): void {
  node.replacement = null;
  const { current } = draft.state;
  if (current?.node !== node.name) return;
  if (!lifecycle[current.phase].reversible) {
    // The old one is stopping already: the node is restarted when it has gone.
    node.instance = null;
    end(draft, current, "failed", "failed", `${current.replacement} died: ${why}`);
    draft.event(
      "regeneration-failed",
      `${node.name}: regeneration failed: ${current.replacement} died: ${why}`,
      { why },
      { node: node.name, regeneration: current.id },
    );
    scheduleRestart(draft, node, why, 0);
    return;
  }
  current.deadlineMs = null;
  const old = draft.instance(current.old);
  if (old !== null) old.fenced = false; // no checkpoint stands without the replacement
  fail(draft, current, `${current.replacement} did not become ready: ${why}`);
}

/** The old instance is gone: as planned, or it died on the way. */
export function oldLost(draft: Draft, node: NodeRecord, crash: string | null): void {
  const { current } = draft.state;
  assert(current !== null, "a regeneration is under way");
  node.instance = null;
  if (current.phase === "stopping") return; // `advance` sees that it is gone
  current.remark = `${current.old} died while it was being regenerated: ${crash ?? "stopped"}`;
  current.old = null;
  const replacement = draft.instance(current.replacement);
  if (replacement === null || replacement.listeningAtMs === null) return; // it serves as soon as it listens
  makeAvailable(draft, replacement);
  succeed(draft, current, current.remark);
}

function succeed(draft: Draft, regeneration: Regeneration, remark: string | null): void {
  const node = draft.node(regeneration.node);
  node.instance = regeneration.replacement;
  node.replacement = null;
  node.reason = null;
  node.failed = false;
  node.restartAtMs = null;
  node.crashes = [];
  end(draft, regeneration, "probation", "succeeded", remark);
  regeneration.deadlineMs = draft.nowMs + draft.settings.probationMs;
  draft.state.consecutiveFailures = 0;
  if (regeneration.origin === "operator" && draft.state.halted !== null) draft.state.halted = null;
  const durationMs = draft.nowMs - regeneration.startedAtMs;
  draft.event(
    "regenerated",
    `${node.name} is regenerated as ${regeneration.replacement} in ${(durationMs / 1_000).toFixed(1)} s (${regeneration.why})`,
    {
      durationMs,
      origin: regeneration.origin,
      why: regeneration.why,
      remark,
      timeline: regeneration.timeline,
      inFlightAtCordon: regeneration.inFlightAtCordon,
    },
    { node: node.name, instance: regeneration.replacement, regeneration: regeneration.id },
  );
}

function end(draft: Draft, regeneration: Regeneration, phase: Phase, outcome: "succeeded" | "failed", remark: string | null): void {
  const { state, nowMs } = draft;
  if (regeneration.phase !== phase) regeneration.timeline.push({ phase, atMs: nowMs });
  regeneration.phase = phase;
  regeneration.outcome = outcome;
  regeneration.endedAtMs = nowMs;
  regeneration.deadlineMs = null;
  regeneration.remark = remark;
  state[outcome] += 1;
  state.current = null;
  state.ended = [...state.ended, regeneration].slice(-endedMax);
  for (const request of state.requests) {
    for (const entry of request.nodes) if (entry.regeneration === regeneration.id) entry.outcome = outcome;
  }
  rolloutRegenerationEnded(draft, regeneration);
}

function verifyEnded(draft: Draft): void {
  for (const regeneration of draft.state.ended) {
    if (regeneration.phase !== "probation" || regeneration.deadlineMs === null || draft.nowMs < regeneration.deadlineMs) continue;
    regeneration.deadlineMs = null;
    const lives = draft.node(regeneration.node).instance === regeneration.replacement;
    regeneration.phase = lives ? "verified" : "failed";
    if (lives)
      draft.event(
        "verified",
        `${regeneration.replacement} has passed its probation`,
        {},
        { node: regeneration.node, instance: regeneration.replacement, regeneration: regeneration.id },
      );
  }
}
