/**
 * A deploy: all nodes are brought to a new release, one regeneration after the other. The first
 * node on it is watched for a while; if it does not become ready, dies, or answers worse than the others,
 * every node that has moved goes back to the release before. Until all have moved, each node's crash
 * restarts use the release that the node is on.
 */
import type { InstanceId, NodeName, Release } from "../model/node.ts";
import type { UpstreamTraffic } from "../model/routes.ts";
import type { Draft } from "./draft.ts";
import { isLeaving } from "./drain.ts";
import { enqueue, rememberRequest } from "./requests.ts";
import type { InstanceRecord, MonitorState, NodeRecord, Regeneration } from "./state.ts";

/** Going back fails for good after so many failures: somebody has to look. */
const backFailuresMax = 3;

export function requestReload(draft: Draft, request: string, release: Release): void {
  const { state } = draft;
  if (state.rollout !== null || state.requests.some(({ id }) => id === request)) return;
  state.releases = [...state.releases.filter(({ id }) => isUsed(draft, id)), release];
  state.rollout = {
    request,
    release: release.id,
    previous: state.release,
    phase: "going",
    watchUntilMs: null,
    watched: false,
    failures: 0,
    reason: null,
  };
  state.nextRelease += 1;
  const names = state.nodes.map(({ name }) => name);
  rememberRequest(draft, request, names, { release: release.id, outcome: "running", reason: null });
  draft.event("reload-requested", `reload: all nodes go to release ${release.id} (${release.workingDirectory})`, {
    request,
    release: release.id,
    workingDirectory: release.workingDirectory,
    script: release.script,
  });
}

/** Asks for the next node when nothing of the rollout is under way, and ends it when nothing is left. */
export function advanceRollout(draft: Draft): void {
  const { state, nowMs } = draft;
  const { rollout } = state;
  if (rollout === null || state.gaveUp !== null) return;
  if (state.current?.origin === "deploy" || state.queue.some(({ origin }) => origin === "deploy")) return;
  if (rollout.watchUntilMs !== null && rollout.phase === "going") {
    if (nowMs < rollout.watchUntilMs) return;
    rollout.watchUntilMs = null;
  }
  const target = rollout.phase === "going" ? rollout.release : rollout.previous;
  const next =
    rollout.phase === "going"
      ? state.nodes.find(({ release, index }) => release !== target && index <= state.wanted)?.name
      : stillOn(draft, rollout.release);
  if (next === undefined) return finish(draft, rollout.phase === "going" ? "succeeded" : "rolled-back");
  const why = rollout.phase === "going" ? `reload to release ${target}` : `back to release ${target}`;
  enqueue(draft, {
    node: next,
    origin: "deploy",
    why,
    requests: [rollout.request],
    release: target,
  });
}

/** Whose instance is of the release that is being left. A node without one starts the right one by itself. */
function stillOn(draft: Draft, release: string): NodeName | undefined {
  const stays = (record: InstanceRecord) =>
    !isLeaving(record) && record.stopping === null && draft.node(record.node).index <= draft.state.wanted;
  return draft.state.instances.find((record) => record.release === release && stays(record))?.node;
}

export function rolloutRegenerationEnded(draft: Draft, regeneration: Regeneration): void {
  const { state, settings, nowMs } = draft;
  const { rollout } = state;
  // What was under way when the rollout turned back does not become the node's own, and its failure is none of going back.
  const isLeft = rollout?.phase === "going-back" && regeneration.release === rollout.release;
  if (regeneration.outcome === "succeeded" && !isLeft) draft.node(regeneration.node).release = regeneration.release;
  if (rollout === null || regeneration.origin !== "deploy") return;
  if (rollout.phase === "going") {
    if (regeneration.outcome === "failed")
      return goBack(draft, `${regeneration.node}: ${regeneration.remark ?? "its regeneration failed"}`);
    if (!rollout.watched) rollout.watchUntilMs = nowMs + settings.releaseWatchMs;
    rollout.watched = true;
  } else if (regeneration.outcome === "failed" && !isLeft) {
    rollout.failures += 1;
    if (rollout.failures >= backFailuresMax) finish(draft, "failed");
  }
}

/** An instance of the new release died while the rollout was under way. */
export function rolloutInstanceDied(draft: Draft, record: InstanceRecord, crash: string | null): void {
  const { rollout } = draft.state;
  // A replacement's death is its regeneration's failure.
  if (rollout === null || crash === null || record.release !== rollout.release || draft.state.current?.replacement === record.id) return;
  if (rollout.phase === "going") goBack(draft, `${record.id} of release ${rollout.release} died: ${crash}`);
}

/** The shell found that an instance of the new release answers worse than the others do. */
export function releaseWorse(draft: Draft, instance: InstanceId, reason: string): void {
  const { rollout } = draft.state;
  if (rollout?.phase === "going" && draft.instance(instance)?.release === rollout.release) goBack(draft, reason);
}

function goBack(draft: Draft, reason: string): void {
  const { state } = draft;
  const { rollout } = state;
  if (rollout === null) return;
  rollout.phase = "going-back";
  rollout.watchUntilMs = null;
  rollout.reason = reason;
  // What operators asked for, and the deploy would have done, is done for them.
  state.queue = state.queue.flatMap((entry) => {
    const requests = entry.requests.filter((request) => request !== rollout.request);
    if (entry.origin !== "deploy") return [entry];
    return requests.length === 0 ? [] : [{ ...entry, origin: "operator", why: "requested", release: null, requests }];
  });
  for (const node of state.nodes) if (node.release === rollout.release) node.release = rollout.previous;
  draft.event("reload-going-back", `reload: back to release ${rollout.previous}: ${reason}`, {
    release: rollout.release,
    previous: rollout.previous,
    reason,
  });
}

function finish(draft: Draft, outcome: "succeeded" | "rolled-back" | "failed"): void {
  const { state } = draft;
  const { rollout } = state;
  if (rollout === null) return;
  state.rollout = null;
  if (outcome === "succeeded") state.release = rollout.release;
  bringAllToRunningRelease(draft);
  for (const request of state.requests) {
    if (request.id === rollout.request && request.reload !== null) request.reload = { ...request.reload, outcome, reason: rollout.reason };
  }
  const text = {
    succeeded: `reload: all nodes are on release ${rollout.release}`,
    "rolled-back": `reload failed: all nodes are on release ${rollout.previous} as before (${rollout.reason})`,
    failed: `reload failed, and so did going back: some nodes are still on release ${rollout.release} (${rollout.reason})`,
  }[outcome];
  draft.event(outcome === "succeeded" ? "reloaded" : "reload-failed", text, {
    release: rollout.release,
    previous: rollout.previous,
    reason: rollout.reason,
  });
}

/** A deploy passes by who is to retire. Who could not, or is wanted again, comes after; while a deploy is under way, with it. */
export function bringAllToRunningRelease(draft: Draft): void {
  const { state } = draft;
  if (state.rollout === null) for (const node of state.nodes) if (node.index <= state.wanted) bringToRunningRelease(draft, node);
}

function bringToRunningRelease(draft: Draft, node: NodeRecord): void {
  const { state } = draft;
  if (node.release === state.release) return;
  node.release = state.release;
  enqueue(draft, { node: node.name, origin: "operator", why: `it runs another release than ${state.release}` });
}

function isUsed(draft: Draft, release: string): boolean {
  const { state } = draft;
  return (
    release === state.release ||
    state.nodes.some((node) => node.release === release) ||
    state.instances.some((one) => one.release === release)
  );
}

const worseRequestsMin = 20;
const worseErrorRatioMin = 0.05;
const worseTimes = 3;

/** Who of the release that is being rolled out answers worse than those of the one before. @param upstreams as each forwarder counted. */
export function worseInstances(
  { rollout, instances }: MonitorState,
  upstreams: readonly UpstreamTraffic[],
): { readonly instance: InstanceId; readonly reason: string }[] {
  if (rollout?.phase !== "going") return [];
  const isNew = ({ id }: UpstreamTraffic) => instances.some((one) => one.id === id && one.release === rollout.release);
  const others = upstreams.filter((one) => !isNew(one));
  const watched = new Set(upstreams.filter(isNew).map(({ id }) => id));
  return [...watched].flatMap((instance) => {
    const mine = upstreams.filter(({ id }) => id === instance);
    const worse = worseThanOthers(mine, others);
    return worse === null ? [] : [{ instance, reason: `${instance} is worse: ${worse}` }];
  });
}

/** Errors (5xx answers and failed requests) beyond those of the others; null while it is no worse. Ratios are of all requests since birth. */
function worseThanOthers(mine: readonly UpstreamTraffic[], others: readonly UpstreamTraffic[]): string | null {
  const own = errorsOf(mine);
  const usual = errorsOf(others);
  if (own.requests < worseRequestsMin || own.ratio < worseErrorRatioMin + worseTimes * usual.ratio) return null;
  const percent = (ratio: number) => `${(100 * ratio).toFixed(0)} %`;
  return `${percent(own.ratio)} of its ${own.requests} requests failed or were answered with 5xx, ${percent(usual.ratio)} elsewhere`;
}

function errorsOf(traffic: readonly UpstreamTraffic[]): { requests: number; ratio: number } {
  const requests = traffic.reduce((sum, one) => sum + one.requestsTotal, 0);
  const errors = traffic.reduce((sum, one) => sum + one.serverErrorsTotal + one.failedTotal, 0);
  return { requests, ratio: requests === 0 ? 0 : errors / requests };
}
