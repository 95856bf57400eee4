/**
 * More nodes or fewer (`coppice scale`). New ones are started one after the other; the last ones retire: they
 * are cordoned, drained and handed off as in a regeneration, and nothing comes after them.
 */

import { nodeName } from "../model/node.ts";
import type { Draft } from "./draft.ts";
import { addNode } from "./nodes.ts";
import { dropEntries, enqueue, join, rememberRequest, waitingFor } from "./requests.ts";
import { bringAllToRunningRelease } from "./rollout.ts";

export function requestScale(draft: Draft, request: string, nodes: number): void {
  const { state } = draft;
  if (nodes < 1 || state.requests.some(({ id }) => id === request)) return;
  const before = state.nodes.length;
  state.wanted = nodes;
  // Who waits to retire and is wanted again stays.
  dropEntries(draft, ({ node, mode }) => mode === "retire" && draft.node(node).index <= nodes);
  bringAllToRunningRelease(draft);
  const coming = missing(draft).map((index) => nodeName(index));
  // Who is on its way out goes, and comes again.
  const returning = state.nodes.filter(
    ({ name, index }) => index <= nodes && state.current?.node === name && state.current.mode === "retire",
  );
  const leaving = state.nodes.filter(({ index }) => index > nodes).toReversed();
  rememberRequest(draft, request, [...coming, ...[...returning, ...leaving].map(({ name }) => name)], null);
  draft.event("scale-requested", `scale from ${before} to ${nodes} nodes`, { request, before, nodes });
  growToWanted(draft);
  const why = `scaled to ${nodes}`;
  for (const { name } of leaving) {
    if (state.current?.node === name && state.current.mode === "retire") join(draft, state.current, request);
    else
      enqueue(draft, {
        node: name,
        origin: "operator",
        why,
        mode: "retire",
        requests: [request],
      });
  }
}

/** Nodes that are wanted and not there, as after a change of mind while one retired, are added. */
export function growToWanted(draft: Draft): void {
  const { state } = draft;
  const why = `scaled to ${state.wanted}`;
  for (const index of missing(draft)) {
    const { name } = addNode(draft, index);
    enqueue(draft, {
      node: name,
      origin: "operator",
      why,
      requests: waitingFor(draft, name).map(({ id }) => id),
    });
  }
  state.nodes.sort((a, b) => a.index - b.index);
}

function missing({ state }: Draft): number[] {
  if (state.nodes.length >= state.wanted && state.nodes.every(({ index }) => index <= state.wanted)) return [];
  return Array.from({ length: state.wanted }, (_, at) => at + 1).filter((index) => !state.nodes.some((node) => node.index === index));
}
