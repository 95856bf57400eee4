/**
 * Who is regenerated, and when: the operator's requests as they come, one after the other; automatic
 * ones by the policy (DESIGN §6). A node is never queued twice: who asks again joins.
 */
import type { InstanceId, NodeName } from "../model/node.ts";
import type { AgingReport } from "../model/report.ts";
import type { Draft } from "./draft.ts";
import { lifecycle } from "./lifecycle.ts";
import { startInstance } from "./nodes.ts";
import type { Origin, QueueEntry, Regeneration, ReloadOutcome } from "./state.ts";

const requestsMax = 50;
const toldMax = 200;

export function requestRegeneration(draft: Draft, request: string, nodes: readonly NodeName[] | "all"): void {
  const { state } = draft;
  if (state.requests.some(({ id }) => id === request)) return;
  const known = state.nodes.map(({ name }) => name);
  const names = nodes === "all" ? known : known.filter((name) => nodes.includes(name));
  rememberRequest(draft, request, names, null);
  draft.event("regeneration-requested", `regeneration of ${names.join(", ")} was requested`, { request, nodes: names });
  for (const name of names) {
    const { current } = state;
    if (current?.node === name) {
      current.requests.push(request);
      attach(draft, current);
    } else
      enqueue(draft, {
        node: name,
        origin: "operator",
        why: "requested",
        requests: [request],
        notBeforeMs: 0,
        instance: null,
        release: null,
      });
  }
}

export function rememberRequest(draft: Draft, id: string, names: readonly NodeName[], reload: ReloadOutcome | null): void {
  const nodes = names.map((name) => ({ name, regeneration: null, outcome: "waiting" as const }));
  draft.state.requests = [...draft.state.requests, { id, nodes, reload }].slice(-requestsMax);
}

export function enqueue(draft: Draft, entry: QueueEntry): void {
  const { state } = draft;
  const queued = state.queue.find(({ node }) => node === entry.node);
  if (queued === undefined) state.queue.push(entry);
  // Who asks waits for nobody's distance; what was planned for the node is done by it.
  else if (queued.origin === "aging" || entry.origin === "deploy")
    state.queue[state.queue.indexOf(queued)] = { ...entry, requests: [...queued.requests, ...entry.requests] };
  else queued.requests.push(...entry.requests);
}

/** A report says `aging`: regenerate, or say once why not yet. */
export function agingFound(draft: Draft, instance: InstanceId, report: AgingReport): void {
  const { state, settings, nowMs } = draft;
  const record = draft.instance(instance);
  if (record === null || record.availability !== "available") return;
  const node = draft.node(record.node);
  if (node.instance !== instance || state.current?.node === node.name || state.queue.some((entry) => entry.node === node.name)) return;
  const why = report.reasons.join("; ");
  tellOnce(draft, instance, "aging-found", `${instance} is aging: ${why}`, { report });
  if (settings.mode === "observe")
    return tellOnce(draft, instance, "regeneration-deferred", `${instance} would be regenerated now (mode observe)`, {});
  const deferral = reasonToWait(draft, instance, report);
  if (deferral !== null)
    return tellOnce(draft, instance, "regeneration-deferred", `${instance} is not regenerated yet: ${deferral}`, { deferral });
  // A leak does not heal: whoever was found aging keeps its place, at the distance that the policy asks for.
  const { lastAutomaticAtMs } = state;
  const notBeforeMs = lastAutomaticAtMs === null ? nowMs : Math.max(nowMs, lastAutomaticAtMs + settings.minRegenerationIntervalMs);
  state.lastAutomaticAtMs = notBeforeMs;
  enqueue(draft, { node: node.name, origin: "aging", why, requests: [], notBeforeMs, instance, release: null });
  if (notBeforeMs > nowMs) {
    const inMs = notBeforeMs - nowMs;
    draft.event(
      "regeneration-deferred",
      `${instance} is regenerated in ${Math.ceil(inMs / 1_000)} s: the last one was less than ${settings.minRegenerationIntervalMs} ms ago`,
      { inMs },
      { node: node.name, instance },
    );
  }
}

function reasonToWait(draft: Draft, instance: InstanceId, report: AgingReport): string | null {
  const { state, nowMs } = draft;
  if (state.halted !== null) return "automatic regenerations are halted";
  const probation = state.ended.find(({ replacement, phase }) => replacement === instance && phase === "probation");
  const exhaustionInMs = Math.min(...report.trends.map((trend) => trend.exhaustionInMs?.low ?? Number.POSITIVE_INFINITY));
  if (probation !== undefined && probation.deadlineMs !== null && exhaustionInMs > probation.deadlineMs - nowMs)
    return "it is on probation";
  return null;
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
  const { state, nowMs, settings } = draft;
  if (state.current !== null || state.gaveUp) return;
  // An automatic one whose instance is gone (it crashed, or somebody was faster) has no reason any more.
  state.queue = state.queue.filter(({ node, instance }) => instance === null || draft.node(node).instance === instance);
  const entry = state.queue.find(({ notBeforeMs, origin }) => notBeforeMs <= nowMs && (origin !== "aging" || state.halted === null));
  if (entry === undefined) return;
  state.queue = state.queue.filter((other) => other !== entry);
  const node = draft.node(entry.node);
  // A node that is down is started anew; one that is starting for the first time is what was asked for.
  node.failed = false;
  node.restartAtMs = null;
  const old = draft.instance(node.instance);
  const release = entry.release ?? node.release;
  const replacement = startInstance(draft, node, true, release);
  node.replacement = replacement;
  const regeneration: Regeneration = {
    id: `regeneration-${state.nextRegeneration}`,
    node: node.name,
    origin: entry.origin,
    why: entry.why,
    requests: entry.requests,
    old: old?.id ?? null,
    replacement,
    release,
    phase: "starting",
    phaseSinceMs: nowMs,
    deadlineMs: nowMs + Number(settings[lifecycle.starting.deadline ?? "startTimeoutMs"]),
    startedAtMs: nowMs,
    endedAtMs: null,
    outcome: "running",
    remark: null,
    cordonRevision: null,
    inFlightAtCordon: null,
    handedOff: null,
    revoked: null,
    evidenceTaken: false,
    timeline: [{ phase: "starting", atMs: nowMs }],
  };
  state.nextRegeneration += 1;
  state.current = regeneration;
  attach(draft, regeneration);
  draft.event(
    "regeneration-admitted",
    `${node.name} is being regenerated: ${entry.why}`,
    { origin: entry.origin, why: entry.why },
    { node: node.name, regeneration: regeneration.id },
  );
  draft.event(
    "replacement-started",
    `${replacement} is started to replace ${old?.id ?? "nobody"}`,
    { origin: entry.origin },
    { node: node.name, instance: replacement, regeneration: regeneration.id },
  );
}

function attach(draft: Draft, regeneration: Regeneration): void {
  for (const request of draft.state.requests) {
    if (!regeneration.requests.includes(request.id)) continue;
    for (const entry of request.nodes) {
      if (entry.name !== regeneration.node || entry.regeneration !== null) continue;
      entry.regeneration = regeneration.id;
      entry.outcome = "running";
    }
  }
}

export type { Origin };
