/**
 * Who is regenerated, and when: the operator's requests as they come, one after the other; automatic
 * ones by the policy (DESIGN §6).
 */
import { type InstanceId, type NodeName, nodeOf } from "../model/node.ts";
import type { AgingReport } from "../model/report.ts";
import { begin } from "./advance.ts";
import type { Draft } from "./draft.ts";
import { isLeaving } from "./drain.ts";
import type { Mode } from "./lifecycle.ts";
import { isQuarantined, judgeLife } from "./quarantine.ts";
import { attach, enqueue } from "./requests.ts";
import type { NodeRecord, QueueEntry, Regeneration } from "./state.ts";
import { regenerationTakesMs } from "./view.ts";

const toldMax = 200;

/** A report says `aging`: regenerate, or say once why not yet. */
export function agingFound(draft: Draft, instance: InstanceId, report: AgingReport): void {
  const { state, settings, nowMs } = draft;
  const record = draft.instance(instance);
  if (record === null || record.availability !== "available") return;
  const node = draft.node(record.node);
  if (node.instance !== instance || state.current?.node === node.name) return;
  const latestMs = nowMs + Math.max(0, exhaustionInMs(report) - regenerationTakesMs(state, settings));
  const queued = state.queue.find((entry) => entry.node === node.name);
  if (queued !== undefined) {
    if (queued.origin === "aging") queued.notBeforeMs = Math.min(queued.notBeforeMs, latestMs);
    return;
  }
  const reasons = report.reasons.join("; ");
  tellOnce(draft, instance, "aging-found", `${instance} is aging: ${reasons}`, { report });
  if (settings.mode === "observe")
    return tellOnce(draft, instance, "regeneration-deferred", `${instance} would be regenerated now (mode observe)`, {});
  judgeLife(draft, node, record);
  const deferral = reasonToWait(draft, instance, report);
  if (deferral !== null)
    return tellOnce(draft, instance, "regeneration-deferred", `${instance} is not regenerated yet: ${deferral}`, { deferral });
  // A leak does not heal: whoever was found aging keeps its place, at the distance that the policy asks for; or at less,
  // where it would not live to see its turn: the distance is there to spare the cluster, and a crash does not.
  const { lastAutomaticAtMs } = state;
  const turnMs = lastAutomaticAtMs === null ? nowMs : Math.max(nowMs, lastAutomaticAtMs + settings.minRegenerationIntervalMs);
  const notBeforeMs = isQuarantined(node) ? nowMs : Math.min(turnMs, latestMs);
  state.lastAutomaticAtMs = Math.max(notBeforeMs, lastAutomaticAtMs ?? notBeforeMs);
  const why = isQuarantined(node) ? `${reasons}; though in quarantine, since its end is as near as regenerating it takes` : reasons;
  enqueue(draft, { node: node.name, origin: "aging", why, requests: [], notBeforeMs, instance });
  if (notBeforeMs > nowMs) {
    const inMs = notBeforeMs - nowMs;
    const kept = `${settings.minRegenerationIntervalMs / 1_000} s are kept between two of them`;
    draft.event(
      "regeneration-deferred",
      `${instance} waits ${Math.ceil(inMs / 1_000)} s to be regenerated: ${kept}${notBeforeMs < turnMs ? ", but it would not live so long" : ""}`,
      { inMs },
      { node: node.name, instance },
    );
  }
}

function reasonToWait(draft: Draft, instance: InstanceId, report: AgingReport): string | null {
  const { state, nowMs } = draft;
  if (state.halted !== null) return "automatic regenerations are halted";
  const probation = state.ended.find(({ replacement, phase }) => replacement === instance && phase === "probation");
  if (probation !== undefined && probation.deadlineMs !== null && exhaustionInMs(report) > probation.deadlineMs - nowMs)
    return "it is on probation";
  if (isQuarantined(draft.node(nodeOf(instance))) && !isLastMoment(draft, report))
    return "its node is in quarantine until just before its end";
  return null;
}

/** Its end is as near, at the earliest, as regenerating one after the other those who wait for that. */
function isLastMoment({ state, settings }: Draft, report: AgingReport): boolean {
  const waiting = state.nodes.filter(isQuarantined).length;
  return exhaustionInMs(report) <= waiting * regenerationTakesMs(state, settings);
}

/** At the earliest, of what grows for real: any indicator may meet its limit by chance. */
function exhaustionInMs({ trends }: AgingReport): number {
  return Math.min(
    ...trends.map(({ held, exhaustionInMs }) => (held && exhaustionInMs !== null ? exhaustionInMs.low : Number.POSITIVE_INFINITY)),
  );
}

function tellOnce(
  draft: Draft,
  instance: InstanceId,
  kind: "aging-found" | "regeneration-deferred",
  text: string,
  facts: Readonly<Record<string, unknown>>,
): void {
  const subject = kind === "aging-found" ? kind : text;
  const key = `${instance} ${subject}`;
  if (draft.state.told.includes(key)) return;
  draft.state.told = [...draft.state.told, key].slice(-toldMax);
  draft.event(kind, text, facts, { node: draft.instance(instance)?.node ?? "", instance });
}

/** Starts the next of the queue if none is under way. */
export function admitNext(draft: Draft): void {
  const { state, nowMs } = draft;
  // One that leaves takes the room of the next replacement.
  if (state.current !== null || state.gaveUp || state.instances.some(isLeaving)) return;
  // An automatic one whose instance is gone (it crashed, or somebody was faster) has no reason any more.
  state.queue = state.queue.filter(({ node, instance }) => instance === null || draft.node(node).instance === instance);
  const entry = state.queue.find(
    ({ notBeforeMs, origin, ...other }) =>
      notBeforeMs <= nowMs && (origin !== "aging" || state.halted === null) && canSpare(draft, other.node, modeOf(draft, other)),
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
  begin(draft, regeneration);
}

function modeOf(draft: Draft, { node, mode }: Pick<QueueEntry, "node" | "mode">): Mode {
  return mode ?? (draft.node(node).exclusive === null ? draft.spec.regenerate : "in-place");
}

/** A node that will not serve, for a while or for good, is not taken while another is down that will come back. */
export function canSpare(draft: Draft, name: NodeName, mode: Mode): boolean {
  const serves = ({ instance }: NodeRecord) => draft.instance(instance)?.availability === "available";
  if (mode === "replace" || !serves(draft.node(name))) return true;
  const others = draft.state.nodes.filter((node) => node.name !== name);
  return others.every((node) => node.failed || serves(node)) && (mode !== "retire" || others.some(serves));
}
