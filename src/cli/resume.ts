/** `coppice resume`: what stopped by itself goes on. */
import { adminRoutes, type Resumed, type ResumeRequest } from "../model/admin.ts";
import { callAdmin } from "./admin-client.ts";
import { findCluster } from "./home.ts";
import type { Register } from "./main.ts";

export const registerResume: Register = (program) => {
  program
    .command("resume")
    .summary("let automatic regenerations go on that have stopped")
    .description(
      "Lets automatic regenerations go on: of nodes in quarantine, which regenerating did not help, and of the whole cluster where it " +
        "stopped after failures. Deploys, and regenerations by hand, never stop.",
    )
    .argument("[nodes...]", "these nodes alone, as in web-1 web-3")
    .option("--name <name>", "the cluster's name; not needed if only one runs")
    .option("--json", "the result as JSON")
    .action(async (names: string[], options: { name?: string; json?: true }) => {
      const { paths } = findCluster(options.name);
      const body: ResumeRequest = { nodes: names.length === 0 ? "all" : names };
      const resumed = await callAdmin<Resumed>(paths, { ...adminRoutes.resume, body });
      process.stdout.write(`${options.json === true ? JSON.stringify(resumed) : describe(resumed)}\n`);
    });
};

function describe({ nodes, fleet }: Resumed): string {
  const what = [
    ...(fleet ? ["automatic regenerations go on"] : []),
    ...(nodes.length === 0 ? [] : [`out of quarantine: ${nodes.join(", ")}`]),
  ];
  return what.join("; ") || "nothing had stopped";
}
