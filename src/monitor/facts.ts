/**
 * What each input says about the world, written into the state. Nothing is decided here: what follows
 * from the new state, the reconcile pass finds (step.ts).
 */
import { assert } from "../model/errors.ts";
import { listenerId, nodeOf } from "../model/node.ts";
import { agingFound, backStopMet, notAging } from "./automatic.ts";
import type { Draft } from "./draft.ts";
import { oldLost, regrowthLost, replacementLost } from "./lost.ts";
import {
  buryInstance,
  type Exit,
  effectGiveUp,
  endDeserted,
  endStuck,
  giveUpIfNobodyEverListened,
  scheduleRestart,
  startCluster,
} from "./nodes.ts";
import { resume } from "./quarantine.ts";
import { requestRegeneration } from "./requests.ts";
import { releaseWorse, requestReload, rolloutInstanceDied } from "./rollout.ts";
import { requestScale } from "./scale.ts";
import { changeSettings } from "./settings.ts";
import type { ForwarderRecord } from "./state.ts";
import type { Input } from "./types.ts";

const learnedCookiesMax = 8;
type Of<K extends Input["kind"]> = Extract<Input, { kind: K }>;

export function takeFact(draft: Draft, input: Input): void {
  switch (input.kind) {
    case "cluster-started":
      return startCluster(draft, input.spec);
    case "woken":
      return;
    case "instance-started":
      return started(draft, input);
    case "instance-start-failed":
      return exited(draft, input.instance, { code: null, signal: null, tail: [] }, `it cannot be started: ${input.reason}`);
    case "instance-exited":
      return exited(draft, input.instance, input, null);
    case "instance-listening":
      return listening(draft, input);
    case "instance-listener-closed":
      return listenerClosed(draft, input);
    case "instance-link":
      return linked(draft, input);
    case "instance-stuck":
      return endStuck(draft, input.instance, input.silentMs);
    case "instance-deserted":
      return endDeserted(draft, input.instance);
    case "instance-fenced":
    case "instance-quiet":
    case "instance-keeps-checkpoint":
      return told(draft, input);
    case "instance-handed-off":
    case "replicator-revoked":
      return handedOff(draft, input);
    case "instance-evidence":
      return evidence(draft, input);
    case "affinity-cookie":
      return cookieLearned(draft, input.name);
    case "aging":
      return agingFound(draft, input.instance, input.report);
    case "not-aging":
      return notAging(draft, input.instance);
    case "back-stop":
      return backStopMet(draft, input);
    case "calendar":
    case "load":
      return changed(draft, input);
    case "forwarder-link":
      return forwarderLinked(draft, input);
    case "routes-applied":
      return routesApplied(draft, input);
    case "upstream-drained":
      return upstreamDrained(draft, input);
    case "replicator-link":
      return replicatorLinked(draft, input.up);
    case "listener-bound":
      return bound(draft, input);
    case "listener-failed":
      return bindFailed(draft, input);
    case "regenerate":
    case "resume":
    case "scale":
    case "settings":
    case "reload":
      return takeOrder(draft, input);
    case "release-worse":
      return releaseWorse(draft, input.instance, input.reason);
    case "recovered":
      return recovered(draft, input);
  }
}

/** What automatic regenerations go by, beside the nodes themselves. */
function changed({ state }: Draft, input: Of<"calendar" | "load">): void {
  if (input.kind === "calendar") state.calendar = input.calendar;
  else state.othersAreFull = input.othersAreFull;
}

/** By its probe. */
function told(draft: Draft, { kind, instance }: Of<"instance-fenced" | "instance-quiet" | "instance-keeps-checkpoint">): void {
  const record = draft.instance(instance);
  if (record === null) return;
  if (kind === "instance-keeps-checkpoint") record.keepsCheckpoint = true;
  else if (record.availability === "cordoned") record[kind === "instance-fenced" ? "fenced" : "quiet"] = true;
}

/** Of an operator. */
function takeOrder(draft: Draft, order: Of<"regenerate" | "resume" | "scale" | "settings" | "reload">): void {
  switch (order.kind) {
    case "regenerate":
      return requestRegeneration(draft, order.request, order.nodes);
    case "resume":
      return resume(draft, order.nodes);
    case "scale":
      return requestScale(draft, order.request, order.nodes);
    case "settings":
      return changeSettings(draft, order.changes);
    case "reload":
      return requestReload(draft, order.request, order.release);
  }
}

function handedOff(draft: Draft, input: Of<"instance-handed-off" | "replicator-revoked">): void {
  const { kind, instance, regeneration, writes, checksum } = input;
  const { current } = draft.state;
  if (current?.phase !== "handing-off" || current.old !== instance) return;
  // A late word may be of one that was given up: by now the instance has its right to write again.
  if (regeneration !== undefined && regeneration !== current.id) return;
  current[kind === "replicator-revoked" ? "revoked" : "handedOff"] = { writes, checksum };
}

function routesApplied(draft: Draft, { forwarder: id, revision, inFlight }: Of<"routes-applied">): void {
  const forwarder = forwarderOf(draft, id);
  forwarder.appliedRevision = Math.max(forwarder.appliedRevision, revision);
  forwarder.inFlight = { ...inFlight };
}

function upstreamDrained(draft: Draft, { forwarder: id, instance }: Of<"upstream-drained">): void {
  const forwarder = forwarderOf(draft, id);
  const cordoned = draft.instance(instance)?.availability === "cordoned";
  if (cordoned && !forwarder.drained.includes(instance)) forwarder.drained.push(instance);
}

function started(draft: Draft, { instance, pid }: Of<"instance-started">): void {
  const record = draft.instance(instance);
  if (record === null || record.pid === pid) return;
  record.pid = pid;
  draft.event("instance-started", `${instance} started (pid ${pid})`, { pid }, { node: record.node, instance });
}

function listening(draft: Draft, { instance, at, socketPath }: Of<"instance-listening">): void {
  const { state } = draft;
  const record = draft.instance(instance);
  if (record === null || record.stopping !== null) return;
  const id = listenerId(at);
  record.sockets[id] = socketPath;
  record.listeningAtMs ??= draft.nowMs;
  state.everListened = true;
  if (state.listeners.some((listener) => listener.id === id)) return;
  assert(state.spec !== null, "the cluster was started");
  const port = state.listeners.length === 0 ? (state.spec.port ?? at.port) : at.port;
  const publicAt = { ...at, port };
  state.listeners.push({ id, at: publicAt, bound: false });
  draft.effect({ kind: "open-listener", id, at: publicAt });
}

function listenerClosed(draft: Draft, { instance, at }: Of<"instance-listener-closed">): void {
  const record = draft.instance(instance);
  if (record === null || !(listenerId(at) in record.sockets)) return;
  delete record.sockets[listenerId(at)];
  if (Object.keys(record.sockets).length > 0 || record.stopping !== null) return;
  // Nobody can reach it. It may listen again, as one that starts may take its time to.
  record.listeningAtMs = null;
  record.deadlineMs = draft.nowMs + draft.settings.startTimeoutMs;
  if (record.availability === "available") record.availability = "none";
}

function bound(draft: Draft, { id }: Of<"listener-bound">): void {
  const listener = draft.state.listeners.find((one) => one.id === id);
  if (listener === undefined || listener.bound) return;
  listener.bound = true;
  const { address, port } = listener.at;
  const host = address === null ? "localhost" : address.includes(":") ? `[${address}]` : address;
  const scheme = draft.state.spec?.tls.length === 0 ? "http" : "https";
  draft.event("listening", `listening on ${scheme}://${host}:${port}${address === null ? " (all addresses)" : ""}`, { address, port });
}

function bindFailed(draft: Draft, { id, at, code }: Of<"listener-failed">): void {
  const { state } = draft;
  const port = at.port;
  const why =
    code === "EADDRINUSE"
      ? `port ${port} is in use by another process; end that one, or choose another with --port`
      : code === "EACCES"
        ? `port ${port} needs privileges that this user does not have; choose one above 1023 with --port`
        : `port ${port} on ${at.address ?? "all addresses"} cannot be had (${code}); choose another with --port`;
  if (state.listeners.some((listener) => listener.bound)) {
    state.listeners = state.listeners.filter((listener) => listener.id !== id);
    draft.event("notice", `not listening on a further port: ${why}`, { code, port });
  } else if (state.gaveUp === null) {
    state.gaveUp = why;
    effectGiveUp(draft);
  }
}

function linked(draft: Draft, { instance, up }: Of<"instance-link">): void {
  const record = draft.instance(instance);
  if (record === null) return;
  record.linked = up;
  record.probed ||= up;
  draft.retry ||= up;
  // It may have been away when its regeneration was given up.
  if (up && record.availability === "available") draft.effect({ kind: "unfence", instance });
}

function cookieLearned(draft: Draft, name: string): void {
  const { learnedCookies } = draft.state;
  if (!learnedCookies.includes(name) && learnedCookies.length < learnedCookiesMax) learnedCookies.push(name);
}

function replicatorLinked(draft: Draft, up: boolean): void {
  if (draft.state.replicatorLinked !== up) {
    draft.event(up ? "replicator-joined" : "replicator-left", `the replicator is ${up ? "there" : "away"}`, {});
  }
  draft.state.replicatorLinked = up;
  draft.retry ||= up;
  if (!up) return;
  const { current } = draft.state;
  // One that comes back counts anew, and so does the instance: its word of before is no measure.
  if (current?.phase === "handing-off") current.handedOff = null;
  // And it knows of no hand-off before: who is still ending has none of its right to write back.
  else if (current !== null && current.revoked !== null && current.old !== null)
    draft.effect({ kind: "revoke", instance: current.old, regeneration: current.id });
  // As instances are told: it may have been away when a hand-off was given up.
  for (const { id, availability } of draft.state.instances)
    if (availability === "available") draft.effect({ kind: "reinstate", instance: id });
}

function forwarderOf(draft: Draft, id: string): ForwarderRecord {
  const known = draft.state.forwarders.find((forwarder) => forwarder.id === id);
  if (known !== undefined) return known;
  const record: ForwarderRecord = { id, appliedRevision: 0, inFlight: {}, drained: [] };
  draft.state.forwarders.push(record);
  draft.state.forwarders.sort((a, b) => (a.id < b.id ? -1 : 1));
  return record;
}

function forwarderLinked(draft: Draft, { forwarder, up }: Of<"forwarder-link">): void {
  draft.state.forwarders = draft.state.forwarders.filter(({ id }) => id !== forwarder);
  if (up) forwarderOf(draft, forwarder);
  draft.event(up ? "forwarder-joined" : "forwarder-left", `${forwarder} is ${up ? "there" : "away"}`, { forwarder });
}

function exited(draft: Draft, instance: string, exit: Exit, startFailure: string | null): void {
  const record = draft.instance(instance);
  if (record === null) return;
  const sinceMs = record.listeningAtMs ?? record.availableSinceMs; // it may have closed its port before it ended
  const servedMs = sinceMs === 0 ? 0 : draft.nowMs - sinceMs;
  if (startFailure !== null) record.stopping = { signal: "SIGKILL", graceMs: 0, crash: startFailure };
  const { code, signal, tail } = exit;
  const crash = buryInstance(draft, record, { code, signal, tail });
  rolloutInstanceDied(draft, record, crash);
  const node = draft.node(record.node);
  if (node.replacement === record.id) return replacementLost(draft, node, crash ?? "it was stopped");
  if (node.instance !== record.id) return;
  if (draft.state.current?.old === record.id) return oldLost(draft, node, crash);
  if (draft.state.current?.replacement === record.id) return regrowthLost(draft, node, crash ?? "it was stopped", servedMs);
  scheduleRestart(draft, node, crash ?? "it was stopped", servedMs);
  giveUpIfNobodyEverListened(draft, crash ?? "it was stopped", tail);
}

function evidence(draft: Draft, { instance, evidence: facts }: Of<"instance-evidence">): void {
  const { current } = draft.state;
  if (current?.phase !== "evidence" || current.old !== instance) return;
  draft.event(
    "evidence-taken",
    `${instance}: evidence taken`,
    { evidence: facts },
    { node: current.node, instance, regeneration: current.id },
  );
  current.evidenceTaken = true;
}

/** After the monitor was away: who died meanwhile is buried, who is unknown is ended, all else is taken up. */
function recovered(draft: Draft, { roster }: Of<"recovered">): void {
  draft.retry = true;
  effectGiveUp(draft); // init lives, so it was not told
  for (const { id, pid, stopping } of [...draft.state.instances]) {
    const living = roster.some(({ instance }) => instance === id);
    // Never started, as the monitor died before telling init: the start is given out again, unless it was to end already.
    if (!living && (pid !== null || stopping !== null)) exited(draft, id, { code: null, signal: null, tail: [] }, null);
  }
  for (const { instance, pid } of roster) {
    const record = draft.instance(instance);
    if (record !== null) record.pid = pid;
    else if (draft.state.nodes.some(({ name }) => name === nodeOf(instance))) {
      draft.effect({ kind: "stop-instance", instance, signal: "SIGTERM", graceMs: draft.settings.killTimeoutMs });
    }
  }
}
