/** `coppice regenerate`: an operator's request, with its progress and an honest exit code. */
import { adminRoutes, type RegenerateAccepted, type RegenerateRequest } from "../model/admin.ts";
import { CoppiceError } from "../model/errors.ts";
import { callAdmin } from "./admin-client.ts";
import { followRequest } from "./follow-request.ts";
import { findCluster } from "./home.ts";
import type { Register } from "./main.ts";

interface RegenerateOptions {
  readonly all?: true;
  readonly wait?: true;
  readonly name?: string;
  readonly json?: true;
}

export const registerRegenerate: Register = (program, setExitCode) => {
  program
    .command("regenerate")
    .summary("a clean process in place of each of these nodes, one after the other")
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
      const progress = await followRequest(
        paths,
        accepted.id,
        options.json === true ? () => {} : (line) => process.stdout.write(`${line}\n`),
      );
      if (options.json === true) process.stdout.write(`${JSON.stringify(progress, null, 2)}\n`);
      if (progress.nodes.some(({ outcome }) => outcome !== "succeeded")) setExitCode(1);
    });
};
