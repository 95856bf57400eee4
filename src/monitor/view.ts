/** What the admin API shows of the state: pure views, no decisions. */
import type { NodeState, NodeStatus, RegenerationProgress } from "../model/admin.ts";
import type { ListenAddress } from "../model/node.ts";
import type { Settings } from "../model/settings.ts";
import { isRegenerated } from "./outcome.ts";
import { quarantineOf } from "./quarantine.ts";
import { hasEnded } from "./requests.ts";
import { type InstanceRecord, isAutomatic, type MonitorState, type NodeRecord, type Regeneration } from "./state.ts";

export type NodeView = Pick<
  NodeStatus,
  | "name"
  | "generation"
  | "release"
  | "state"
  | "phase"
  | "instance"
  | "pid"
  | "startedAtMs"
  | "restarts"
  | "reason"
  | "quarantine"
  | "waits"
>;

export function nodeStates(state: MonitorState, nowMs = state.nowMs): NodeView[] {
  return state.nodes.map((node) => {
    const instance = state.instances.find(({ id }) => id === node.instance) ?? null;
    return {
      name: node.name,
      generation: instance?.generation ?? node.generation,
      release: instance?.release ?? node.release,
      state: stateOf(state, node),
      phase: phaseOf(state, node),
      instance: instance?.id ?? null,
      pid: instance?.pid ?? null,
      startedAtMs: instance?.askedAtMs ?? null,
      restarts: node.restarts,
      reason: node.reason,
      quarantine: quarantineOf(state, node),
      waits: waitsFor(state, node, nowMs),
    };
  });
}

/** What is said again while it stands, with each sample, is over when it is not. */
const saidAgainSamples = 3;

function waitsFor({ spec, queue }: MonitorState, { name, instance, waits }: NodeRecord, nowMs: number): string | null {
  const queued = queue.find(({ node, origin }) => node === name && isAutomatic(origin));
  if (queued !== undefined)
    return `its turn${queued.notBeforeMs > nowMs ? `, in ${Math.ceil((queued.notBeforeMs - nowMs) / 1_000)} s` : ""}`;
  if (waits === null || waits.instance !== instance || spec === null) return null;
  return nowMs - waits.atMs <= saidAgainSamples * spec.settings.sampleIntervalMs ? waits.why : null;
}

function stateOf(state: MonitorState, node: NodeRecord): NodeState {
  if (state.current?.node === node.name) return "regenerating";
  if (node.failed) return "failed";
  const instance = state.instances.find(({ id }) => id === node.instance);
  if (instance?.availability === "available" && state.listeners.some(({ bound }) => bound)) return "ready";
  return node.restarts > 0 || node.crashes.length > 0 ? "restarting" : "starting";
}

function phaseOf(state: MonitorState, node: NodeRecord): string | null {
  if (state.current?.node === node.name) return state.current.phase;
  const onProbation = state.ended.some(({ replacement, phase }) => replacement === node.instance && phase === "probation");
  return onProbation ? "probation" : null;
}

/** Null if there is no such request (or it is long past). */
export function progress(state: MonitorState, request: string): RegenerationProgress | null {
  const found = state.requests.find(({ id }) => id === request);
  if (found === undefined) return null;
  const nodes = found.nodes.map(({ name, regeneration, outcome }) => {
    const record = regeneration === null ? null : findRegeneration(state, regeneration);
    return {
      name,
      outcome,
      kind: record !== null ? kindOf(record) : outcome === "succeeded" ? "started" : "regenerated",
      phase: record?.phase ?? null,
      reason: record?.remark ?? null,
      durationMs: record === null ? null : (record.endedAtMs ?? state.nowMs) - record.startedAtMs,
    };
  });
  return { id: request, done: hasEnded(found), reload: found.reload, nodes };
}

function kindOf(regeneration: Regeneration): RegenerationProgress["nodes"][number]["kind"] {
  if (regeneration.mode === "retire") return "retired";
  return regeneration.outcome === "succeeded" && !isRegenerated(regeneration) ? "started" : "regenerated";
}

/** Who serves for its node. */
export function serving({ instances, nodes }: MonitorState): InstanceRecord[] {
  return instances.filter(
    ({ id, availability, node }) => availability === "available" && nodes.some(({ name, instance }) => name === node && instance === id),
  );
}

function findRegeneration(state: MonitorState, id: string): Regeneration | null {
  return state.current?.id === id ? state.current : (state.ended.find((one) => one.id === id) ?? null);
}

/** Of so many it is the longest that counts. */
const endedRecently = 10;

/** How long one regeneration takes here, or the distance that is kept between two: milliseconds. */
export function regenerationMs(state: MonitorState, settings: Settings): number {
  return Math.max(regenerationTakesMs(state, settings), settings.minRegenerationIntervalMs);
}

/** As far as is known. Before the first has ended, a start and the longest drain. What took longer than it may was asleep with its host. */
export function regenerationTakesMs({ ended, instances }: MonitorState, settings: Settings): number {
  // The first time that it served: one that closes its port may listen again much later.
  const starts = instances.map(({ askedAtMs, availableSinceMs }) => (availableSinceMs || askedAtMs) - askedAtMs);
  const durations = ended
    .filter(({ mode, outcome }) => mode !== "retire" && outcome === "succeeded")
    .slice(-endedRecently)
    .map(({ startedAtMs, endedAtMs }) => (endedAtMs ?? startedAtMs) - startedAtMs);
  const startMs = Math.max(0, ...starts);
  const longestMs = durations.length === 0 ? startMs + settings.drainTimeoutMs : Math.max(startMs, ...durations);
  return Math.min(longestMs, settings.startTimeoutMs + settings.drainTimeoutMs + settings.killTimeoutMs);
}

/** Where the cluster listens for clients. */
export function listeners(state: MonitorState): ListenAddress[] {
  return state.listeners.filter(({ bound }) => bound).map(({ at }) => at);
}
