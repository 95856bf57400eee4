/**
 * The events of a regeneration that need more than a sentence: what a cordon found in process, whether the
 * two sides of a hand-off agree, what a deadline cut.
 */
import type { InFlight } from "../model/routes.ts";
import type { Draft } from "./draft.ts";
import type { Regeneration } from "./state.ts";

export function tellCordon(draft: Draft, regeneration: Regeneration): void {
  const { old } = regeneration;
  if (old === null) return;
  const counts = draft.state.forwarders.map(({ inFlight }): InFlight => inFlight[old] ?? { total: 0, unsafe: 0 });
  const inFlight = counts.reduce((sum, { total, unsafe }) => ({ total: sum.total + total, unsafe: sum.unsafe + unsafe }), {
    total: 0,
    unsafe: 0,
  });
  regeneration.inFlightAtCordon = inFlight;
  const fenced = draft.instance(old)?.fenced ?? false;
  draft.event(
    "cordoned",
    `${old} is cordoned with ${inFlight.total} request${inFlight.total === 1 ? "" : "s"} in process`,
    { inFlight, fenced, revision: regeneration.cordonRevision },
    { node: regeneration.node, instance: old, regeneration: regeneration.id },
  );
}

/**
 * The replicator must know of all that was acknowledged to the instance. It may know of more: background work goes on writing
 * between the instance's word and its own. Where it knows of as many, they are the same ones.
 */
export function tellHandOff(draft: Draft, regeneration: Regeneration): void {
  const { handedOff, revoked, old } = regeneration;
  const writes = revoked?.writes ?? 0;
  const more = writes - (handedOff?.writes ?? 0);
  const agree = handedOff === null || more > 0 || (more === 0 && handedOff.checksum === revoked?.checksum);
  // What differs was acknowledged all the same, so it is durable: said loudly, not lost.
  const text = agree
    ? `${old}: ${writes} session write${writes === 1 ? "" : "s"} handed off`
    : `${old}: the hand-off's counts differ (${handedOff.writes} against ${writes} writes); acknowledged writes are durable`;
  draft.event("handed-off", text, { handedOff, revoked, agree }, { node: regeneration.node, regeneration: regeneration.id });
}

export function tellWhatWasCut(draft: Draft, regeneration: Regeneration): void {
  if (regeneration.phase !== "draining") return;
  const left = draft.state.forwarders.filter(({ drained }) => regeneration.old !== null && !drained.includes(regeneration.old)).length;
  regeneration.remark = `not drained within ${draft.nowMs - regeneration.phaseSinceMs} ms; what is still in process is cut`;
  draft.event(
    "notice",
    `${regeneration.old}: ${regeneration.remark}`,
    { forwardersNotDrained: left },
    { node: regeneration.node, regeneration: regeneration.id },
  );
}
