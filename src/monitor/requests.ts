/**
 * What operators asked for, and the queue of nodes to be regenerated. A node is never queued twice: who asks
 * again joins.
 */
import type { ReloadOutcome } from "../model/admin.ts";
import type { NodeName } from "../model/node.ts";
import type { Draft } from "./draft.ts";
import { isAutomatic, type OperatorRequest, type QueueEntry, type Regeneration } from "./state.ts";

const requestsMax = 50;
/** Of those that have not ended: nobody waits for so many. */
const openRequestsMax = 200;

export function requestRegeneration(draft: Draft, request: string, nodes: readonly NodeName[] | "all"): void {
  const { state } = draft;
  if (state.requests.some(({ id }) => id === request)) return;
  const known = state.nodes.map(({ name }) => name);
  const names = nodes === "all" ? known : known.filter((name) => nodes.includes(name));
  rememberRequest(draft, request, names, null);
  draft.event("regeneration-requested", `regeneration of ${names.join(", ")} was requested`, { request, nodes: names });
  for (const name of names) {
    if (state.current?.node === name) join(draft, state.current, request);
    else
      enqueue(draft, {
        node: name,
        origin: "operator",
        why: "requested",
        requests: [request],
      });
  }
}

export function rememberRequest(draft: Draft, id: string, names: readonly NodeName[], reload: ReloadOutcome | null): void {
  const nodes = names.map((name) => ({ name, regeneration: null, outcome: "waiting" as const }));
  draft.state.requests.push({ id, nodes, reload });
  forget(draft, hasEnded, requestsMax);
  forget(draft, (request) => !hasEnded(request) && request.reload === null, openRequestsMax);
  const { requests, queue, current } = draft.state;
  const isKnown = (asked: string) => requests.some((request) => request.id === asked);
  for (const wanted of current === null ? queue : [...queue, current]) wanted.requests = wanted.requests.filter(isKnown);
}

/** The oldest of those before the last, beyond so many. A reload is one at a time, and known until it has ended. */
function forget({ state }: Draft, which: (request: OperatorRequest) => boolean, max: number): void {
  const goes = new Set(state.requests.slice(0, -1).filter(which).slice(0, -max));
  state.requests = state.requests.filter((request) => !goes.has(request));
}

export function hasEnded({ reload, nodes }: OperatorRequest): boolean {
  if (reload !== null) return reload.outcome !== "running";
  return nodes.every(({ outcome }) => outcome === "succeeded" || outcome === "failed");
}

export function enqueue(draft: Draft, wanted: Pick<QueueEntry, "node" | "origin" | "why"> & Partial<QueueEntry>): void {
  const { state } = draft;
  const entry: QueueEntry = {
    mode: null,
    requests: [],
    notBeforeMs: 0,
    instance: null,
    isLast: false,
    metMemory: false,
    release: null,
    ...wanted,
  };
  const queued = state.queue.find(({ node }) => node === entry.node);
  if (queued === undefined) state.queue.push(entry);
  // Who asks waits for nobody's distance; what was planned for the node is done by it.
  else if (queued.mode !== "retire" && (isAutomatic(queued.origin) || entry.origin === "deploy" || entry.mode === "retire"))
    state.queue[state.queue.indexOf(queued)] = { ...entry, requests: [...queued.requests, ...entry.requests] };
  else queued.requests.push(...entry.requests);
}

/** What will not be done after all: who asked for it is told. */
export function dropEntries(draft: Draft, goes: (entry: QueueEntry) => boolean): void {
  const { state } = draft;
  const dropped = state.queue.filter(goes);
  state.queue = state.queue.filter((entry) => !dropped.includes(entry));
  for (const { node, requests } of dropped) {
    for (const { nodes } of state.requests.filter(({ id }) => requests.includes(id))) {
      for (const entry of nodes) if (entry.name === node && entry.outcome === "waiting") entry.outcome = "failed";
    }
  }
}

/** Who asked for something of a node that has not begun. A deploy asks for itself. */
export function waitingFor({ state }: Draft, node: NodeName): OperatorRequest[] {
  return state.requests.filter(
    ({ nodes, reload }) => reload === null && nodes.some(({ name, outcome }) => name === node && outcome === "waiting"),
  );
}

/** Nothing will begin: the node is there all the same, or it is not. */
export function settle(draft: Draft, node: NodeName, outcome: "succeeded" | "failed"): void {
  for (const { nodes } of waitingFor(draft, node)) for (const entry of nodes) if (entry.name === node) entry.outcome = outcome;
}

/** The regeneration under way is what was asked for. */
export function join(draft: Draft, current: Regeneration, request: string): void {
  current.requests.push(request);
  attach(draft, current);
}

/** Who asked for the regeneration sees it. */
export function attach(draft: Draft, regeneration: Regeneration): void {
  for (const request of draft.state.requests) {
    if (!regeneration.requests.includes(request.id)) continue;
    for (const entry of request.nodes) {
      if (entry.name !== regeneration.node || entry.regeneration !== null) continue;
      entry.regeneration = regeneration.id;
      entry.outcome = "running";
    }
  }
}
