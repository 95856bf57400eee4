/**
 * The life of a node outside of regenerations: first start, crash, backoff, restart, crash loop. A node
 * whose instance crashed is started anew from the running release; one that crashes again and again ends
 * in `failed`, with the reason.
 */
import type { ClusterSpec } from "../model/birth.ts";
import { assert } from "../model/errors.ts";
import { heapLimit } from "../model/memory.ts";
import { type InstanceId, instanceId, nodeName } from "../model/node.ts";
import type { Settings } from "../model/settings.ts";
import type { Draft } from "./draft.ts";
import { beyondShareBytes } from "./more-room.ts";
import type { InstanceRecord, NodeRecord } from "./state.ts";

/** An instance that served so long ran well: the next crash starts with the shortest backoff again. */
const ranWellMs = 30_000;

export function startCluster(draft: Draft, spec: ClusterSpec): void {
  const { state } = draft;
  if (state.spec !== null) return;
  state.spec = spec;
  state.releases = [spec.release];
  state.release = spec.release.id;
  state.wanted = spec.nodes;
  for (let index = 1; index <= spec.nodes; index += 1) addNode(draft, index);
  draft.event("cluster-started", `${spec.name}: starting ${spec.nodes} node${spec.nodes === 1 ? "" : "s"} of ${spec.release.script}`, {
    name: spec.name,
    nodes: spec.nodes,
    script: spec.release.script,
  });
  for (const node of state.nodes) node.instance = startInstance(draft, node, { slowStart: false });
}

/** A node that nobody serves yet. */
export function addNode({ state }: Draft, index: number): NodeRecord {
  const name = nodeName(index);
  const node: NodeRecord = {
    name,
    index,
    release: state.release,
    generation: state.retired[name] ?? 0,
    instance: null,
    replacement: null,
    restartAtMs: null,
    crashes: [],
    attempts: 0,
    restarts: 0,
    reason: null,
    failed: false,
    exclusive: null,
    lives: null,
    waits: null,
  };
  state.nodes.push(node);
  return node;
}

/** The next generation of a node: a new record and the effect that starts it. */
export function startInstance(
  draft: Draft,
  node: NodeRecord,
  {
    slowStart,
    release = node.release,
    hasMoreRoom = false,
  }: { readonly slowStart: boolean; readonly release?: string; readonly hasMoreRoom?: boolean },
): InstanceId {
  node.generation += 1;
  const record: InstanceRecord = {
    id: instanceId(node.name, node.generation),
    node: node.name,
    generation: node.generation,
    release,
    askedAtMs: draft.nowMs,
    deadlineMs: draft.nowMs + draft.settings.startTimeoutMs,
    pid: null,
    sockets: {},
    listeningAtMs: null,
    availability: "none",
    availableSinceMs: 0,
    slowStart,
    hasMoreRoom,
    keepsCheckpoint: false,
    linked: false,
    probed: false,
    fenced: false,
    quiet: false,
    leavingUntilMs: null,
    stopping: null,
  };
  draft.state.instances.push(record);
  effectStart(draft, record, node);
  return record.id;
}

export function effectStart(draft: Draft, record: InstanceRecord, node: NodeRecord): void {
  const { id: instance, generation } = record;
  const release = draft.state.releases.find(({ id }) => id === record.release);
  assert(release !== undefined, `release ${record.release} is known`);
  const { memory } = draft.spec;
  const nodes = draft.state.nodes.length;
  const heapLimitBytes = memory === null ? null : heapLimit(memory, nodes) + beyondShareBytes(record, memory, nodes);
  const { quietMs, sessionStoreTimeoutMs } = draft.settings;
  const settings = { quietMs, sessionStoreTimeoutMs };
  draft.effect({ kind: "start-instance", instance, node: node.name, nodeIndex: node.index, generation, release, heapLimitBytes, settings });
}

/** `crash` is the reason for which the exit counts as one; null: the stop is intended. */
export function stopInstance(draft: Draft, record: InstanceRecord, signal: "SIGTERM" | "SIGKILL", crash: string | null): void {
  record.availability = "none";
  record.stopping ??= { signal, graceMs: draft.settings.killTimeoutMs, crash };
  effectStop(draft, record);
}

/** It answers nobody, so nobody waits for it: its requests are settled as those of one that died. */
export function endStuck(draft: Draft, instance: InstanceId, silentMs: number): void {
  const record = draft.instance(instance);
  // Without a link its silence says nothing.
  if (record === null || record.stopping !== null || record.listeningAtMs === null || !record.linked) return;
  const why = `its event loop was stuck: nothing was heard of it for ${Math.round(silentMs / 1_000)} s`;
  if (draft.settings.mode === "observe") {
    const key = `${instance} stuck`;
    if (draft.state.told.includes(key)) return;
    draft.state.told.push(key);
    return draft.event("notice", `${instance} would be ended now (mode observe): ${why}`, { silentMs }, { node: record.node, instance });
  }
  stopInstance(draft, record, "SIGKILL", why);
}

/** Whatever is left of its tree, the one that served was the instance. */
export function endDeserted(draft: Draft, instance: InstanceId): void {
  const record = draft.instance(instance);
  if (record === null || record.stopping !== null || record.linked) return;
  stopInstance(draft, record, "SIGKILL", "its server ended, and the command that had started it went on");
}

export function effectStop(draft: Draft, record: InstanceRecord): void {
  if (record.stopping === null) return;
  draft.effect({ kind: "stop-instance", instance: record.id, signal: record.stopping.signal, graceMs: record.stopping.graceMs });
}

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly tail: readonly string[];
}

/** Takes the record out; what it meant for its node is for the caller. Returns the reason if it was a crash. */
export function buryInstance(draft: Draft, record: InstanceRecord, exit: Exit): string | null {
  draft.state.instances = draft.state.instances.filter(({ id }) => id !== record.id);
  for (const forwarder of draft.state.forwarders) {
    forwarder.drained = forwarder.drained.filter((id) => id !== record.id);
    delete forwarder.inFlight[record.id];
  }
  draft.state.told = draft.state.told.filter((key) => !key.startsWith(`${record.id} `));
  const crash = record.stopping === null ? describeExit(record, exit) : record.stopping.crash;
  const killed = record.stopping?.signal === "SIGTERM" && exit.signal === "SIGKILL";
  const ended = killed ? `did not end within ${record.stopping?.graceMs} ms of SIGTERM and was killed` : "has ended";
  const text = crash === null ? `${record.id} ${ended}` : `${record.id} died: ${crash}`;
  draft.event("instance-exited", text, { ...exit, intended: crash === null, pid: record.pid }, { node: record.node, instance: record.id });
  return crash;
}

/** The node has nobody who serves: start anew after the backoff, or give it up. */
export function scheduleRestart(draft: Draft, node: NodeRecord, reason: string, servedMs: number): void {
  const { settings, nowMs } = draft;
  node.instance = null;
  if (servedMs >= ranWellMs) node.attempts = 0;
  node.crashes = [...node.crashes.filter((atMs) => nowMs - atMs < settings.crashLoopWindowMs), nowMs].slice(-settings.crashLoopRestarts);
  node.reason = reason;
  if (node.crashes.length >= settings.crashLoopRestarts) {
    node.failed = true;
    node.restartAtMs = null;
    draft.event(
      "node-failed",
      `${node.name} has failed: ${node.crashes.length} crashes, the last: ${reason}; start it anew with "coppice regenerate ${node.name}"`,
      { reason, crashes: node.crashes.length },
      { node: node.name },
    );
    return;
  }
  const pauseMs = restartPauseMs(node.attempts, node.index, settings);
  node.attempts += 1;
  node.restartAtMs = nowMs + pauseMs;
  draft.event("node-restarting", `${node.name} is started again in ${pauseMs} ms`, { pauseMs, reason }, { node: node.name });
}

/** Doubles with each attempt up to the bound; up to a quarter more, by the node, so that nodes do not restart as one. */
export function restartPauseMs(
  attempts: number,
  nodeIndex: number,
  { restartBackoffMsMin: minMs, restartBackoffMsMax: maxMs }: Pick<Settings, "restartBackoffMsMin" | "restartBackoffMsMax">,
): number {
  const plainMs = Math.min(minMs * 2 ** Math.min(attempts, 30), maxMs);
  const jitterRatio = ((nodeIndex * 2_654_435_761) % 1_000) / 4_000;
  return Math.round(plainMs * (1 + jitterRatio));
}

export function restartDueNodes(draft: Draft): void {
  for (const node of draft.state.nodes) {
    if (node.restartAtMs === null || node.restartAtMs > draft.nowMs || node.instance !== null || node.replacement !== null) continue;
    node.restartAtMs = null;
    node.restarts += 1;
    node.instance = startInstance(draft, node, { slowStart: true });
  }
}

/** First instances (and restarted ones) serve as soon as they listen; those that do not in time are ended. */
export function tendStarting(draft: Draft): void {
  for (const record of draft.state.instances) {
    if (!mustListen(record)) continue;
    const node = draft.node(record.node);
    if (record.listeningAtMs === null) {
      if (draft.nowMs >= record.deadlineMs) stopInstance(draft, record, "SIGKILL", notListening(record, draft.settings.startTimeoutMs));
    } else if (node.instance === record.id && record.availability === "none") {
      makeAvailable(draft, record);
      node.reason = null;
      draft.event(
        "instance-ready",
        `${record.id} serves (pid ${record.pid})`,
        { pid: record.pid },
        { node: node.name, instance: record.id },
      );
    }
  }
}

/** Who is on its way out need not. */
export function mustListen({ stopping, availability }: InstanceRecord): boolean {
  return stopping === null && availability !== "cordoned";
}

function notListening({ availableSinceMs }: InstanceRecord, ms: number): string {
  return availableSinceMs === 0
    ? `it did not listen on a port within ${ms} ms`
    : `it closed its port and did not listen again within ${ms} ms`;
}

export function makeAvailable(draft: Draft, record: InstanceRecord): void {
  record.availability = "available";
  if (record.availableSinceMs === 0) record.availableSinceMs = draft.nowMs;
}

/** Nobody ever listened and every node's first start has failed: the release is broken, say so and end. */
export function giveUpIfNobodyEverListened(draft: Draft, reason: string, tail: readonly string[]): void {
  const { state } = draft;
  if (state.everListened || state.gaveUp !== null || !state.nodes.every(({ crashes }) => crashes.length > 0)) return;
  const said = tail.length === 0 ? "" : `\nIts last words:\n${tail.map((line) => `    ${line}`).join("\n")}`;
  const why = reason.replace(/^it cannot be started: /, "");
  state.gaveUp = `${state.spec?.release.script ?? "the server"} cannot be started: ${why}.${said}`;
  effectGiveUp(draft);
}

export function effectGiveUp(draft: Draft): void {
  const { gaveUp } = draft.state;
  if (gaveUp !== null) draft.effect({ kind: "give-up", reason: gaveUp, exitCode: 1 });
}

/** Compilers print in colours, wherever they print to. */
const colours = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g");

/** The last is V8's own, of a heap that is full: it ends itself by SIGABRT. */
const errorLine = /^(?:\w*Error\b|FATAL ERROR:)/;

function describeExit(record: InstanceRecord, { code, signal, tail }: Exit): string {
  const lines = tail.map((line) => line.replaceAll(colours, ""));
  const error = lines.findLast((line) => errorLine.test(line));
  const words = (line: string | undefined) => (line === undefined ? "" : ` (${line.trim().slice(0, 200)})`);
  if (signal === "SIGKILL") return "ended by SIGKILL, and not by Coppice: by hand, or by the system for want of memory";
  if (signal !== null) return `ended by ${signal}${signal === "SIGABRT" ? words(error) : ""}`;
  if (code === null) return "it ended while the monitor was away";
  if (code === 0)
    return record.listeningAtMs === null && record.availableSinceMs === 0
      ? "it ended by itself without ever listening on a port"
      : "it ended by itself (code 0)";
  return `it ended with code ${code}${words(error ?? lines.findLast((line) => /\w/.test(line)))}`;
}
