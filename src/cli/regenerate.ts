/** `coppice regenerate`: an operator's request, with its progress and an honest exit code. */
import { setTimeout as pause } from "node:timers/promises";
import { adminRoutes, type RegenerateAccepted, type RegenerateRequest, type RegenerationProgress } from "../model/admin.ts";
import type { ClusterPaths } from "../model/birth.ts";
import { CoppiceError } from "../model/errors.ts";
import { callAdmin } from "./admin-client.ts";
import { duration } from "./format.ts";
import { findCluster } from "./home.ts";
import type { Register } from "./main.ts";

const pollMs = 150;

interface RegenerateOptions {
  readonly all?: true;
  readonly wait?: true;
  readonly name?: string;
  readonly json?: true;
}

export const registerRegenerate: Register = (program, setExitCode) => {
  program
    .command("regenerate")
    .description("Regenerates nodes, one after the other: the replacement first, then requests and state are handed over.")
    .argument("[nodes...]", "names of nodes, as in web-1 web-3")
    .option("--all", "every node")
    .option("--wait", "wait until all of them have ended; exit code 1 if one failed")
    .option("--name <name>", "the cluster's name; not needed if only one runs")
    .option("--json", "the result as JSON")
    .action(async (nodes: string[], options: RegenerateOptions) => {
      if ((options.all === true) === nodes.length > 0) throw new CoppiceError("COPPICE_ARGUMENT", "name the nodes, or give --all");
      const { paths } = findCluster(options.name);
      const body: RegenerateRequest = { nodes: options.all === true ? "all" : nodes };
      const accepted = await callAdmin<RegenerateAccepted>(paths, { ...adminRoutes.regenerate, body });
      if (options.wait !== true) {
        process.stdout.write(options.json === true ? `${JSON.stringify(accepted)}\n` : `accepted: ${accepted.nodes.join(", ")}\n`);
        return;
      }
      const progress = await waitFor(paths, accepted.id, options.json === true ? () => {} : (line) => process.stdout.write(`${line}\n`));
      if (options.json === true) process.stdout.write(`${JSON.stringify(progress, null, 2)}\n`);
      if (progress.nodes.some(({ outcome }) => outcome !== "succeeded")) setExitCode(1);
    });
};

async function waitFor(paths: ClusterPaths, id: string, say: (line: string) => void): Promise<RegenerationProgress> {
  const said = new Map<string, string>();
  for (;;) {
    const progress = await callAdmin<RegenerationProgress>(paths, {
      method: "GET",
      path: adminRoutes.regeneration.path.replace(":id", id),
    });
    for (const node of progress.nodes) {
      const line = describe(node);
      if (line !== null && said.get(node.name) !== line) say(line);
      said.set(node.name, line ?? "");
    }
    if (progress.done) return progress;
    await pause(pollMs);
  }
}

function describe({ name, outcome, phase, reason, durationMs }: RegenerationProgress["nodes"][number]): string | null {
  if (outcome === "waiting") return null;
  if (outcome === "running") return `${name}: ${phase ?? "running"}`;
  const took = durationMs === null ? "" : ` in ${duration(durationMs)}`;
  return outcome === "succeeded" ? `${name}: regenerated${took}` : `${name}: failed${took}: ${reason ?? "no reason given"}`;
}
