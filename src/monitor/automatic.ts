/**
 * What nobody asked for: an instance was found aging, or came to a back-stop. The policy says whether its node is
 * regenerated now, later, or not at all; what it waits for is told once. All of it is said again by the shell while it stands.
 */
import type { InstanceId } from "../model/node.ts";
import { type AgingReport, earliestEndInMs } from "../model/report.ts";
import type { Settings } from "../model/settings.ts";
import { modeOf } from "./admission.ts";
import type { Draft } from "./draft.ts";
import { metItsMemory } from "./more-room.ts";
import { isQuarantined, judgeLife } from "./quarantine.ts";
import { enqueue } from "./requests.ts";
import { type InstanceRecord, isAutomatic, isFoundAging, type NodeRecord, type Origin, type QueueEntry } from "./state.ts";
import type { Input } from "./types.ts";
import { regenerationTakesMs } from "./view.ts";

const toldMax = 200;

/** A report says `aging`. */
export function agingFound(draft: Draft, instance: InstanceId, report: AgingReport): void {
  const found = servingNode(draft, instance);
  if (found === null) return;
  const queued = queuedOf(draft, found.node);
  if (queued !== undefined) {
    if (isAutomatic(queued.origin)) queued.notBeforeMs = Math.min(queued.notBeforeMs, latestMs(draft, earliestEndInMs(report)));
    return;
  }
  const why = report.reasons.join("; ");
  tellOnce(draft, instance, "aging-found", `${instance} is aging: ${why}`, { report });
  const metMemory = metItsMemory(draft, report);
  consider(draft, { ...found, origin: "aging", why, exhaustionInMs: earliestEndInMs(report), metMemory });
}

/** What settled while it waited for its turn is let live, to its peers' good; what was said of it is said again if it comes again. */
export function notAging(draft: Draft, instance: InstanceId): void {
  const { state } = draft;
  const stays = state.queue.filter((entry) => entry.instance !== instance || entry.origin !== "aging");
  if (stays.length === state.queue.length) return;
  state.queue = stays;
  state.told = state.told.filter((key) => !key.startsWith(`${instance} `));
  const node = draft.instance(instance)?.node ?? "";
  draft.event("regeneration-deferred", `${instance} is not regenerated after all: it is not aging any more`, {}, { node, instance });
}

/** It came to what an operator set beside the model: for how long it might live on does not count. */
export function backStopMet(draft: Draft, { instance, by, why }: Extract<Input, { kind: "back-stop" }>): void {
  const found = servingNode(draft, instance);
  if (found === null || queuedOf(draft, found.node) !== undefined) return;
  if (by === "watermark") tellOnce(draft, instance, "aging-found", `${instance} is aging: ${why}`, { by });
  consider(draft, { ...found, origin: by, why, exhaustionInMs: Number.POSITIVE_INFINITY, metMemory: false });
}

/** Whose instance serves, and is not being regenerated. */
function servingNode(draft: Draft, instance: InstanceId): { readonly node: NodeRecord; readonly record: InstanceRecord } | null {
  const record = draft.instance(instance);
  if (record === null || record.availability !== "available") return null;
  const node = draft.node(record.node);
  return node.instance === instance && draft.state.current?.node !== node.name ? { node, record } : null;
}

function queuedOf({ state }: Draft, { name }: NodeRecord): QueueEntry | undefined {
  return state.queue.find(({ node }) => node === name);
}

interface Considered {
  readonly node: NodeRecord;
  readonly record: InstanceRecord;
  readonly origin: Exclude<Origin, "operator" | "deploy">;
  readonly why: string;
  /** At the earliest; infinite where nothing says so. */
  readonly exhaustionInMs: number;
  readonly metMemory: boolean;
}

function consider(draft: Draft, considered: Considered): void {
  const { settings, nowMs } = draft;
  const { node, record, origin, why, exhaustionInMs, metMemory } = considered;
  if (isFoundAging(origin) && settings.mode !== "observe") judgeLife(draft, node, record);
  const held = heldFor(draft, considered);
  const reason = reasonToWait(draft, considered) ?? (held === null || held.isOver ? null : held.why);
  if (reason !== null) {
    node.waits = { instance: record.id, why: reason, atMs: nowMs };
    return tellOnce(draft, record.id, "regeneration-deferred", sayDeferred(considered, settings.mode, reason), { reason });
  }
  // A leak does not heal: whoever was found aging keeps its place, at the distance that the policy asks for; or at less,
  // where it would not live to see its turn: the distance is there to spare the cluster, and a crash does not.
  const turnMs = nextTurnMs(draft);
  const notBeforeMs = held === null ? Math.min(turnMs, latestMs(draft, exhaustionInMs)) : nowMs;
  const moment = origin === "calendar" ? "" : " before its end";
  const last = held === null ? "" : `; at the last moment${moment}, though ${held.why}`;
  const isLast = held !== null;
  enqueue(draft, { node: node.name, origin, why: `${why}${last}`, notBeforeMs, instance: record.id, isLast, metMemory });
  if (notBeforeMs > nowMs) tellTurn(draft, record, { inMs: notBeforeMs - nowMs, sooner: notBeforeMs < turnMs });
}

/** At the distance from the last one, and from those that are planned. */
function nextTurnMs({ state, settings, nowMs }: Draft): number {
  const planned = state.queue.filter(({ origin }) => isAutomatic(origin)).map(({ notBeforeMs }) => notBeforeMs);
  const lastMs = Math.max(state.lastAutomaticAtMs ?? Number.NEGATIVE_INFINITY, ...planned);
  return Math.max(nowMs, lastMs + settings.minRegenerationIntervalMs);
}

function tellTurn(draft: Draft, { id, node }: InstanceRecord, { inMs, sooner }: { readonly inMs: number; readonly sooner: boolean }): void {
  const kept = `${draft.settings.minRegenerationIntervalMs / 1_000} s are kept between two of them`;
  draft.event(
    "regeneration-deferred",
    `${id} waits ${Math.ceil(inMs / 1_000)} s to be regenerated: ${kept}${sooner ? ", but it would not live so long" : ""}`,
    { inMs },
    { node, instance: id },
  );
}

function sayDeferred({ node, record, origin }: Considered, mode: Settings["mode"], reason: string): string {
  const turn = turnOf(origin);
  const since = turn === null ? "" : `, since ${turn}`;
  if (mode === "observe") return `${record.id} would be regenerated now${since} (mode observe)`;
  if (mode === "supervised")
    return `${record.id} is to be regenerated${since}, and waits to be told (mode supervised): coppice regenerate ${node.name}`;
  return `${record.id} is not regenerated yet${turn === null ? "" : `, though ${turn}`}: ${reason}`;
}

/** Why it is its turn; null where it was found aging, and that was told. */
function turnOf(origin: Considered["origin"]): string | null {
  if (origin === "max-age") return "it is its turn (maxAgeMs)";
  if (origin === "max-requests") return "it is its turn (maxRequests)";
  return origin === "calendar" ? "it may not live until regenerations may begin again" : null;
}

/** What nothing shortens. */
function reasonToWait({ state, settings, nowMs }: Draft, { node, record, exhaustionInMs }: Considered): string | null {
  if (settings.mode === "observe") return "mode observe";
  if (settings.mode === "supervised") return `to be told (mode supervised): coppice regenerate ${node.name}`;
  if (state.halted !== null) return "automatic regenerations are halted";
  if (state.calendar === "forbidden") return "no regeneration begins now (forbiddenTimes)";
  const probation = state.ended.find(({ replacement, phase }) => replacement === record.id && phase === "probation");
  if (probation !== undefined && probation.deadlineMs !== null && exhaustionInMs > probation.deadlineMs - nowMs)
    return "it is on probation";
  return null;
}

/** What is waited for until just before the end: that is as near, at the earliest, as regenerating one after the other all who wait for it. */
function heldFor(draft: Draft, { node, origin, exhaustionInMs }: Considered): { readonly why: string; readonly isOver: boolean } | null {
  const { state, settings } = draft;
  const isOver = (waiting: number) => origin === "calendar" || exhaustionInMs <= waiting * regenerationTakesMs(state, settings);
  if (state.calendar === "outside") return { why: "it is outside of the maintenanceWindows", isOver: isOver(state.nodes.length) };
  if (isFoundAging(origin) && isQuarantined(node))
    return { why: "its node is in quarantine", isOver: isOver(state.nodes.filter(isQuarantined).length) };
  if (state.othersAreFull && modeOf(draft, { node: node.name, mode: null }) === "in-place")
    return { why: "the others could not carry its load now", isOver: isOver(state.nodes.length) };
  return null;
}

function latestMs({ state, settings, nowMs }: Draft, exhaustionInMs: number): number {
  return nowMs + Math.max(0, exhaustionInMs - regenerationTakesMs(state, settings));
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
