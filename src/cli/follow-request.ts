/** An operator's request on its way: a line for each new phase of each node, until all of it has ended. */
import { setTimeout as pause } from "node:timers/promises";
import { adminRoutes, type RegenerationProgress } from "../model/admin.ts";
import type { ClusterPaths } from "../model/birth.ts";
import { callAdmin } from "./admin-client.ts";
import { duration, said } from "./format.ts";
import { sayWhenInterrupted } from "./interrupted.ts";

const pollMs = 150;

export async function followRequest(paths: ClusterPaths, id: string, say: (line: string) => void): Promise<RegenerationProgress> {
  const told = new Map<string, string>();
  const over = sayWhenInterrupted("what was ordered goes on   see: coppice events --follow");
  for (;;) {
    const progress = await callAdmin<RegenerationProgress>(paths, {
      method: "GET",
      path: adminRoutes.regeneration.path.replace(":id", id),
    });
    for (const node of progress.nodes) {
      const line = describe(node);
      if (line !== null && told.get(node.name) !== line) say(line);
      told.set(node.name, line ?? "");
    }
    if (progress.done) {
      over();
      return progress;
    }
    await pause(pollMs);
  }
}

function describe({ name, outcome, kind, phase, reason, durationMs }: RegenerationProgress["nodes"][number]): string | null {
  if (outcome === "waiting") return null;
  if (outcome === "running") return `${name}: ${phase ?? "running"}`;
  const took = durationMs === null ? "" : ` in ${duration(durationMs)}`;
  return outcome === "succeeded" ? `${name}: ${kind}${took}` : `${name}: failed${took}: ${said(reason ?? "no reason given")}`;
}
