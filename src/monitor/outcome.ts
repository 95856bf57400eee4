/**
 * How a regeneration ends: succeeded, retired or failed, and on probation after it. The failure arrow, from
 * anywhere before the old instance was told to stop, puts it back into service.
 */
import type { Draft } from "./draft.ts";
import { dismiss } from "./drain.ts";
import { scheduleRestart } from "./nodes.ts";
import { dropEntries, settle } from "./requests.ts";
import { bringAllToRunningRelease, rolloutRegenerationEnded } from "./rollout.ts";
import type { InstanceRecord, Regeneration } from "./state.ts";

const endedMax = 100;

/** The failure arrow: the old instance goes back into service, the replacement goes. */
export function fail(draft: Draft, regeneration: Regeneration, why: string): void {
  const old = draft.instance(regeneration.old);
  const node = draft.node(regeneration.node);
  const replacement = draft.instance(regeneration.replacement);
  if (replacement !== null) dismiss(draft, replacement);
  node.replacement = null;
  restore(draft, old);
  end(draft, regeneration, "failed", why);
  if (regeneration.mode === "retire") {
    draft.state.wanted = Math.max(draft.state.wanted, node.index);
    settle(draft, node.name, "succeeded"); // who wanted it again has it
    // The cluster keeps its size: whoever else was to go would only come again.
    dropEntries(draft, ({ node: name, mode }) => mode === "retire" && draft.node(name).index <= draft.state.wanted);
    bringAllToRunningRelease(draft);
  }
  const stays = old === null ? "" : `; ${old.id} stays in service`;
  draft.event(
    "regeneration-failed",
    `${regeneration.node}: regeneration failed: ${why}${stays}`,
    { why, phase: regeneration.timeline.at(-2)?.phase ?? null },
    { node: regeneration.node, regeneration: regeneration.id },
  );
  countFailure(draft, regeneration, why);
  if (old === null && node.instance === null) scheduleRestart(draft, node, why, 0);
}

/** After some in a row the fleet stops. A release that cannot start says nothing about regenerating from the running one. */
export function countFailure(draft: Draft, { origin }: Regeneration, why: string): void {
  if (origin === "deploy") return;
  const { state, settings } = draft;
  state.consecutiveFailures += 1;
  if (state.consecutiveFailures < settings.maxConsecutiveFailures || state.halted !== null) return;
  state.halted = `${state.consecutiveFailures} regenerations failed in a row, the last: ${why}; they go on when told (coppice resume), or after one by hand that succeeds (coppice regenerate)`;
  draft.event("fleet-halted", `automatic regenerations are halted: ${state.halted}`, { failures: state.consecutiveFailures });
}

function restore(draft: Draft, old: InstanceRecord | null): void {
  if (old === null || old.stopping !== null) return;
  if (old.availability === "cordoned") {
    draft.effect({ kind: "unfence", instance: old.id });
    draft.effect({ kind: "reinstate", instance: old.id }); // a revoke may have been told that nobody confirmed
  }
  // One that was still starting has its start before it.
  old.availability = Object.keys(old.sockets).length > 0 ? "available" : "none";
  old.fenced = false;
  old.quiet = false;
  for (const forwarder of draft.state.forwarders) forwarder.drained = forwarder.drained.filter((id) => id !== old.id);
}

export function succeed(draft: Draft, regeneration: Regeneration, remark: string | null): void {
  const node = draft.node(regeneration.node);
  node.instance = regeneration.replacement;
  node.replacement = null;
  node.reason = null;
  node.failed = false;
  node.restartAtMs = null;
  node.crashes = [];
  if (regeneration.origin === "deploy") {
    node.lives = null; // what another release does is its own
    // So is what only one of it can have, unless that was found on the way.
    if (regeneration.timeline[0]?.phase !== "starting") node.exclusive = null;
  }
  end(draft, regeneration, "probation", remark);
  regeneration.deadlineMs = draft.nowMs + draft.settings.probationMs;
  draft.state.consecutiveFailures = 0;
  if (regeneration.origin === "operator" && draft.state.halted !== null) draft.state.halted = null;
  const durationMs = draft.nowMs - regeneration.startedAtMs;
  draft.event(
    "regenerated",
    `${node.name} ${regeneration.inFlightAtCordon === null ? "has started" : "is regenerated"} as ${regeneration.replacement} in ${(durationMs / 1_000).toFixed(1)} s (${regeneration.origin === "aging" ? "it was aging" : regeneration.why})`,
    {
      durationMs,
      origin: regeneration.origin,
      why: regeneration.why,
      remark,
      timeline: regeneration.timeline,
      inFlightAtCordon: regeneration.inFlightAtCordon,
    },
    { node: node.name, instance: regeneration.replacement ?? "", regeneration: regeneration.id },
  );
}

export function end(draft: Draft, regeneration: Regeneration, phase: "probation" | "retired" | "failed", remark: string | null): void {
  const { state, nowMs } = draft;
  const outcome = phase === "failed" ? "failed" : "succeeded";
  if (regeneration.phase !== phase) regeneration.timeline.push({ phase, atMs: nowMs });
  regeneration.phase = phase;
  regeneration.outcome = outcome;
  regeneration.endedAtMs = nowMs;
  regeneration.deadlineMs = null;
  regeneration.remark = remark;
  if (outcome === "failed" || isRegenerated(regeneration)) state[outcome] += 1;
  state.current = null;
  state.ended = [...state.ended, regeneration].slice(-endedMax);
  for (const request of state.requests) {
    for (const entry of request.nodes) if (entry.regeneration === regeneration.id) entry.outcome = outcome;
  }
  rolloutRegenerationEnded(draft, regeneration);
}

/** Neither a node's first start nor its retirement: one that served was cordoned, and another serves in its place. */
export function isRegenerated({ mode, inFlightAtCordon }: Regeneration): boolean {
  return mode !== "retire" && inFlightAtCordon !== null;
}

export function verifyEnded(draft: Draft): void {
  for (const regeneration of draft.state.ended) {
    if (regeneration.phase !== "probation" || regeneration.deadlineMs === null || draft.nowMs < regeneration.deadlineMs) continue;
    regeneration.deadlineMs = null;
    const lives = draft.state.nodes.some(({ instance }) => instance !== null && instance === regeneration.replacement);
    regeneration.phase = lives ? "verified" : "failed";
    if (lives)
      draft.event(
        "verified",
        `${regeneration.replacement} has passed its probation`,
        {},
        { node: regeneration.node, instance: regeneration.replacement ?? "", regeneration: regeneration.id },
      );
  }
}

/** The node's last instance has gone, and nothing is to come after it. */
export function retire(draft: Draft, regeneration: Regeneration): void {
  const { state, nowMs } = draft;
  const node = draft.node(regeneration.node);
  end(draft, regeneration, "retired", regeneration.remark);
  state.retired[node.name] = node.generation;
  state.nodes = state.nodes.filter((other) => other !== node);
  // If it is wanted again by now, what waits for it is for its next life.
  if (node.index > state.wanted) {
    dropEntries(draft, ({ node: name }) => name === node.name);
    settle(draft, node.name, "failed");
  }
  draft.event(
    "retired",
    `${node.name} has retired (${regeneration.why})`,
    { durationMs: nowMs - regeneration.startedAtMs, why: regeneration.why },
    { node: node.name, regeneration: regeneration.id },
  );
}
