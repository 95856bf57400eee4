/**
 * A regeneration on its way: what completes each phase of the lifecycle table, what a phase does when it is
 * entered, and what is given out again while it is not confirmed.
 */
import { assert } from "../model/errors.ts";
import type { ListenerId } from "../model/node.ts";
import type { Draft } from "./draft.ts";
import { everyForwarder, isDrained } from "./drain.ts";
import { lifecycle, type Phase } from "./lifecycle.ts";
import { takeMoreRoom } from "./more-room.ts";
import { effectStart, effectStop, makeAvailable, startInstance, stopInstance } from "./nodes.ts";
import { fail, retire, succeed, verifyEnded } from "./outcome.ts";
import type { InstanceRecord, Regeneration } from "./state.ts";
import { tellCordon, tellHandOff, tellWhatWasCut } from "./tell.ts";

/** The first phase: where there is an old one and no room beside it, it goes first. */
export function begin(draft: Draft, regeneration: Regeneration): void {
  if (regeneration.mode === "retire") return enter(draft, regeneration, regeneration.old === null ? "stopping" : "cordoning");
  if (regeneration.mode === "in-place") return enter(draft, regeneration, regeneration.old === null ? "regrowing" : "cordoning");
  const node = draft.node(regeneration.node);
  node.replacement = grow(draft, regeneration);
  enter(draft, regeneration, "starting");
}

function grow(draft: Draft, regeneration: Regeneration): string {
  const { node, old, release, origin } = regeneration;
  const hasMoreRoom = takeMoreRoom(draft, regeneration);
  const replacement = startInstance(draft, draft.node(node), { slowStart: true, release, hasMoreRoom });
  regeneration.replacement = replacement;
  draft.event(
    "replacement-started",
    `${replacement} is started to replace ${old ?? "nobody"}`,
    { origin },
    { node, instance: replacement, regeneration: regeneration.id },
  );
  return replacement;
}

/** Walks as far as the facts allow. */
export function advance(draft: Draft): void {
  for (let regeneration = draft.state.current; regeneration !== null; regeneration = draft.state.current) {
    const rule = lifecycle[regeneration.mode][regeneration.phase];
    if (isComplete(draft, regeneration)) enter(draft, regeneration, rule.next);
    else if (regeneration.deadlineMs === null || draft.nowMs < regeneration.deadlineMs) break;
    // A forwarder is silent, but the instance itself refuses new requests: the checkpoint stands.
    else if (regeneration.phase === "cordoning" && draft.instance(regeneration.old)?.fenced === true) enter(draft, regeneration, rule.next);
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
      return revision !== null && everyForwarder(state, ({ appliedRevision }) => appliedRevision >= revision);
    }
    case "draining":
      return old === null || isDrained(state, old);
    case "handing-off":
      return old === null || regeneration.revoked !== null;
    case "evidence":
      return old === null || !old.linked || regeneration.evidenceTaken;
    case "stopping":
      // A node goes with the last of its instances, a replacement that failed before among them.
      return old === null && (regeneration.mode !== "retire" || state.instances.every(({ node }) => node !== regeneration.node));
    case "regrowing":
      return replacement?.availability === "available";
    default:
      return false;
  }
}

/** All that the old one serves, the new one must. */
function serves(replacement: InstanceRecord, old: InstanceRecord | null): boolean {
  return Object.keys(replacement.sockets).length > 0 && missingListeners(replacement, old).length === 0;
}

function missingListeners(replacement: InstanceRecord | null, old: InstanceRecord | null): ListenerId[] {
  return Object.keys(old?.sockets ?? {}).filter((id) => !(id in (replacement?.sockets ?? {})));
}

export function enter(draft: Draft, regeneration: Regeneration, phase: Phase): void {
  const { nowMs, settings } = draft;
  const about = { node: regeneration.node, regeneration: regeneration.id };
  const left = regeneration.phase;
  const tookMs = nowMs - regeneration.phaseSinceMs;
  regeneration.phase = phase;
  regeneration.phaseSinceMs = nowMs;
  regeneration.timeline.push({ phase, atMs: nowMs });
  const { deadline } = lifecycle[regeneration.mode][phase];
  const deadlineMs = deadline === null ? null : settings[deadline];
  const provingMs = phase === "warming" ? settings.minReadyMs : 0;
  regeneration.deadlineMs = typeof deadlineMs === "number" ? nowMs + deadlineMs + provingMs : null;
  const old = regeneration.old;
  if (left === "warming")
    draft.event(
      "replacement-ready",
      `${regeneration.replacement} is ready to take over`,
      { tookMs },
      { ...about, instance: regeneration.replacement ?? "" },
    );
  if (left === "cordoning") tellCordon(draft, regeneration);
  if (left === "draining" && regeneration.remark === null) draft.event("drained", `${old} is drained (${tookMs} ms)`, { tookMs }, about);
  if (left === "handing-off" && old !== null) tellHandOff(draft, regeneration);
  if (left === "stopping" && old !== null) draft.event("stopped", `${old} has stopped (${tookMs} ms)`, { tookMs }, about);
  if (phase === "cordoning") cordon(draft, regeneration);
  if (phase === "stopping") {
    const record = draft.instance(regeneration.old);
    if (record !== null) stopInstance(draft, record, "SIGTERM", null);
  }
  if (phase === "regrowing") draft.node(regeneration.node).instance = grow(draft, regeneration);
  if (phase === "retired") return retire(draft, regeneration);
  if (phase === "probation") succeed(draft, regeneration, regeneration.remark);
  else giveOut(draft, regeneration);
}

/** One revision of the table puts the new one in and the old one out. */
function cordon(draft: Draft, regeneration: Regeneration): void {
  const old = draft.instance(regeneration.old);
  if (regeneration.mode === "replace") {
    const replacement = draft.instance(regeneration.replacement);
    assert(replacement !== null, "a ready replacement is there");
    makeAvailable(draft, replacement);
  }
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
    // One whose event loop is busy for long gives no word. Without: what was not acknowledged to it, it has not answered.
    const isEarly = draft.nowMs - regeneration.phaseSinceMs < draft.settings.handOffTimeoutMs / 2;
    // What only it can save, nobody confirms in its place, also where its link is down for a moment.
    const waits = old.keepsCheckpoint || (old.linked && isEarly);
    if (regeneration.handedOff === null && waits) draft.effect({ kind: "hand-off", instance: old.id, regeneration: regeneration.id });
    else draft.effect({ kind: "revoke", instance: old.id, regeneration: regeneration.id });
  }
  if (phase === "evidence" && old.linked) draft.effect({ kind: "take-evidence", instance: old.id });
  if (phase === "stopping") effectStop(draft, old);
}

/** Between hand-off and revoke the instance's word is what the replicator's is compared with. */
export function askToRevoke(draft: Draft): void {
  const { current } = draft.state;
  if (current?.phase === "handing-off" && current.handedOff !== null && current.revoked === null && current.old !== null) {
    draft.effect({ kind: "revoke", instance: current.old, regeneration: current.id });
  }
}

function lateness(draft: Draft, regeneration: Regeneration): string {
  const ms = draft.nowMs - regeneration.phaseSinceMs;
  const { replacement, old } = regeneration;
  const { missing, others } = unlikePorts(draft, regeneration);
  const where = missing === "" ? "" : ` on port ${missing}, as ${old} does,${others === "" ? "" : ` but on ${others},`}`;
  const isDeploy = regeneration.origin === "deploy";
  const way = missing === "" || (!isDeploy && others === "") ? "" : isDeploy ? droppedAPort : looksForAPort;
  if (regeneration.phase === "starting") return `${replacement} did not listen${where} within ${ms} ms${way}`;
  if (regeneration.phase === "warming") return `${replacement} listened, and then no more for ${ms} ms`;
  if (regeneration.phase === "handing-off") return `the state of ${old} could not be handed off within ${ms} ms`;
  return `the cordon of ${old} was not confirmed within ${ms} ms`;
}

const droppedAPort = "; a release without that port needs a restart (coppice restart)";
const looksForAPort =
  "; a server that looks for a free port itself finds Coppice's taken: let it take its port from PORT, as a command with --port (coppice run --port 3000 -- node server.js)";

/** Where it does not listen though the old one does, as a release that dropped a port, and where instead; while it listens nowhere that says nothing. */
function unlikePorts(draft: Draft, regeneration: Regeneration): { readonly missing: string; readonly others: string } {
  const [replacement, old] = [draft.instance(regeneration.replacement), draft.instance(regeneration.old)];
  if (replacement === null || Object.keys(replacement.sockets).length === 0) return { missing: "", others: "" };
  const portsOf = (ids: readonly ListenerId[]) =>
    draft.state.listeners
      .filter(({ id }) => ids.includes(id))
      .map(({ at }) => at.port)
      .join(", ");
  return { missing: portsOf(missingListeners(replacement, old)), others: portsOf(missingListeners(old, replacement)) };
}
