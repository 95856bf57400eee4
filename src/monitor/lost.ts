/**
 * Instances that die while their node is being regenerated: the replacement before it serves, the old one
 * before it was stopped, the new one of a regeneration in place.
 */
import { assert } from "../model/errors.ts";
import { canSpare } from "./admission.ts";
import { enter } from "./advance.ts";
import type { Draft } from "./draft.ts";
import { lifecycle } from "./lifecycle.ts";
import { makeAvailable, scheduleRestart } from "./nodes.ts";
import { countFailure, end, fail, succeed } from "./outcome.ts";
import type { NodeRecord } from "./state.ts";

/** What an application says that finds its port, file or lock taken: by its own older instance, most likely. */
export const takenPattern =
  /\b(?:EADDRINUSE|EBUSY|EEXIST|EAGAIN|ELOCKED|SQLITE_BUSY|EWOULDBLOCK)\b|is locked|already in use|already running|lock file/i;

/** The replacement died or never came. */
export function replacementLost(draft: Draft, node: NodeRecord, why: string): void {
  node.replacement = null;
  const { current } = draft.state;
  if (current?.node !== node.name) return;
  // The old one is stopping already: the node is restarted when it has gone.
  if (!lifecycle[current.mode][current.phase].reversible) return regrowthLost(draft, node, why, 0);
  if (draft.instance(current.old) !== null && current.phase === "starting" && takenPattern.test(why)) {
    node.exclusive = why;
    if (canSpare(draft, node.name, "in-place")) return goInPlace(draft, node, why);
  }
  fail(draft, current, `${current.replacement} did not become ready: ${why}`);
}

/** Two at once cannot be: the old one makes room first, now and until another release comes. */
function goInPlace(draft: Draft, node: NodeRecord, why: string): void {
  const { current } = draft.state;
  assert(current !== null, "a regeneration is under way");
  current.mode = "in-place";
  current.replacement = null;
  draft.event(
    "notice",
    `${node.name} holds something that only one instance can have (${why}): it is regenerated in place from now on, until another release comes`,
    { why },
    { node: node.name, regeneration: current.id },
  );
  enter(draft, current, "cordoning");
}

/** In place the new instance died before it served; or beside an old one that ends already: nobody is left. */
export function regrowthLost(draft: Draft, node: NodeRecord, why: string, servedMs: number): void {
  const { current } = draft.state;
  assert(current !== null, "a regeneration is under way");
  node.instance = null;
  end(draft, current, "failed", `${current.replacement} died: ${why}`);
  draft.event(
    "regeneration-failed",
    `${node.name}: regeneration failed: ${current.replacement} died: ${why}`,
    { why },
    { node: node.name, regeneration: current.id },
  );
  countFailure(draft, current, why);
  scheduleRestart(draft, node, why, servedMs);
}

/** The old instance is gone: as planned, or it died on the way. */
export function oldLost(draft: Draft, node: NodeRecord, crash: string | null): void {
  const { current } = draft.state;
  assert(current !== null, "a regeneration is under way");
  node.instance = null;
  if (current.phase === "stopping") return; // `advance` sees that it is gone
  current.remark = `${current.old} died while it was being regenerated: ${crash ?? "stopped"}`;
  current.old = null;
  // A replacement of earlier may be on its way out still: the node retires with the last of its instances.
  if (current.mode !== "replace") return enter(draft, current, current.mode === "retire" ? "stopping" : "regrowing");
  const replacement = draft.instance(current.replacement);
  if (replacement === null || replacement.listeningAtMs === null) return; // it serves as soon as it listens
  makeAvailable(draft, replacement);
  succeed(draft, current, current.remark);
}
