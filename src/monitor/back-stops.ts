/**
 * Back-stops beside the aging model, as an operator sets them: a node may be so old, may serve so many requests. Nodes that were
 * started together would all come to that at once. So each goes when its turn comes: the one that has least left is regenerated so
 * early that all others, an equal share of the whole apart, still go in time (the earliest deadline first). After one round
 * they are spread evenly, and each has the whole of what it may.
 */
import { time } from "../aging/amounts.ts";
import type { InstanceId } from "../model/node.ts";
import type { Settings } from "../model/settings.ts";
import type { MonitorState } from "./state.ts";
import { regenerationMs, serving } from "./view.ts";

export interface WornOut {
  readonly instance: InstanceId;
  readonly by: "max-age" | "max-requests";
  readonly why: string;
}

/** How much the one with least left may still use up before its turn. @param spreadOver what all turns together are spread over. */
export function leftUntilTurn(left: readonly number[], spreadOver: number): number {
  const apart = spreadOver / left.length;
  return [...left].sort((a, b) => a - b).reduce((least, one, at) => Math.min(least, one - at * apart), Number.POSITIVE_INFINITY);
}

/** Whose turn it is, of those that serve; null: nobody's, or one is under way. @param requestsOf what an instance has served; null: not known. */
export function wornOut(state: MonitorState, settings: Settings, requestsOf: (instance: InstanceId) => number | null): WornOut | null {
  if (state.current !== null || state.queue.some(({ origin }) => origin === "max-age" || origin === "max-requests")) return null;
  const { maxAgeMs, maxRequests } = settings;
  const instances = serving(state);
  const ages = instances.map(({ id, availableSinceMs }) => ({ instance: id, used: state.nowMs - availableSinceMs }));
  // Windows have their own turn for who would grow too old between them (closing.ts): one a share of the age before would be a second.
  const spreadOverMs = settings.maintenanceWindows.length === 0 ? maxAgeMs : instances.length * regenerationMs(state, settings);
  const oldest = maxAgeMs === 0 ? null : turnOf(ages, maxAgeMs, Math.min(spreadOverMs, maxAgeMs));
  if (oldest !== null) {
    const why = `it is its turn: it has served for ${time(oldest.used)}, and none is to serve for longer than ${time(maxAgeMs)} (maxAgeMs)`;
    return { instance: oldest.instance, by: "max-age", why };
  }
  if (maxRequests === 0) return null;
  const counts = instances.flatMap(({ id }) => {
    const used = requestsOf(id);
    return used === null ? [] : [{ instance: id, used }];
  });
  const busiest = turnOf(counts, maxRequests, maxRequests);
  if (busiest === null) return null;
  const why = `it is its turn: it has served ${busiest.used} requests, and none is to serve more than ${maxRequests} (maxRequests)`;
  return { instance: busiest.instance, by: "max-requests", why };
}

interface Used {
  readonly instance: InstanceId;
  readonly used: number;
}

function turnOf(all: readonly Used[], whole: number, spreadOver: number): Used | null {
  const left = all.map(({ used }) => whole - used);
  if (leftUntilTurn(left, spreadOver) > 0) return null;
  return all.reduce<Used | null>((most, one) => (most === null || one.used > most.used ? one : most), null);
}
