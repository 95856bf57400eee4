/** `coppice scale`: more nodes, or fewer; those that go are drained and handed off as in a regeneration. */
import { adminRoutes, nodesMax, type RegenerateAccepted, type ScaleRequest } from "../model/admin.ts";
import { CoppiceError } from "../model/errors.ts";
import { callAdmin } from "./admin-client.ts";
import { followRequest } from "./follow-request.ts";
import { findCluster } from "./home.ts";
import type { Register } from "./main.ts";

interface ScaleOptions {
  readonly wait?: true;
  readonly name?: string;
  readonly json?: true;
}

export const registerScale: Register = (program, setExitCode) => {
  program
    .command("scale")
    .summary("run so many nodes from now on")
    .description(
      "Runs so many nodes from now on. New ones are started one after the other; the last ones retire: they take no new " +
        "request, finish those in process, hand their sessions over, and end.",
    )
    .argument("<nodes>", "how many there are to be")
    .option("--wait", "wait until it is so; exit code 1 if a new node did not become ready")
    .option("--name <name>", "the cluster's name; not needed if only one runs")
    .option("--json", "the result as JSON")
    .action(async (wanted: string, options: ScaleOptions) => {
      const nodes = Number(wanted);
      if (!/^[0-9]+$/.test(wanted) || nodes < 1 || nodes > nodesMax)
        throw new CoppiceError("COPPICE_ARGUMENT", `"${wanted}" is no number of nodes; expected a whole number from 1 to ${nodesMax}`);
      const { paths } = findCluster(options.name);
      const say = (line: string) => {
        if (options.json !== true) process.stdout.write(`${line}\n`);
      };
      const body: ScaleRequest = { nodes };
      const accepted = await callAdmin<RegenerateAccepted>(paths, { ...adminRoutes.scale, body });
      if (options.wait !== true) {
        if (options.json === true) process.stdout.write(`${JSON.stringify(accepted)}\n`);
        return say(accepted.nodes.length === 0 ? `${nodes} it is already` : `accepted: ${accepted.nodes.join(", ")}`);
      }
      const progress = await followRequest(paths, accepted.id, say);
      if (options.json === true) process.stdout.write(`${JSON.stringify(progress, null, 2)}\n`);
      const failed = progress.nodes.filter(({ outcome }) => outcome !== "succeeded");
      if (failed.length === 0) return say(`${nodes} node${nodes === 1 ? "" : "s"} now`);
      setExitCode(1);
    });
};
