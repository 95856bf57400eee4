/** `coppice reload`: a deploy. All nodes go to the new release, one after the other; back if it is worse. */
import { adminRoutes, type ClusterStatus, type ReloadAccepted, type ReloadRequest } from "../model/admin.ts";
import { callAdmin } from "./admin-client.ts";
import { followRequest } from "./follow-request.ts";
import { said } from "./format.ts";
import { findCluster } from "./home.ts";
import type { Register } from "./main.ts";
import { environmentOfCaller, resolveRelease } from "./release.ts";

interface ReloadOptions {
  readonly wait?: true;
  readonly name?: string;
  readonly json?: true;
}

export const registerReload: Register = (program, setExitCode) => {
  program
    .command("reload")
    .summary("deploy: bring all nodes to the new release, one after the other")
    .description(
      "Brings all nodes to the new release: the working directory's links are resolved anew, and this command's " +
        "environment is laid over the cluster's, but for what is its shell's and its user's (PWD, HOME ...). One node after the other, the replacement first; the first one is " +
        "watched. If a new instance does not become ready, dies or answers worse, all go back to the release before.",
    )
    .option("--wait", "wait until it has ended; exit code 1 if the release did not make it")
    .option("--name <name>", "the cluster's name; not needed if only one runs")
    .option("--json", "the result as JSON")
    .action(async (options: ReloadOptions) => {
      const { paths } = findCluster(options.name);
      const say = (line: string) => {
        if (options.json !== true) process.stdout.write(`${line}\n`);
      };
      const { release } = await callAdmin<ClusterStatus>(paths, adminRoutes.status);
      const place = resolveRelease(release.asTyped);
      const body: ReloadRequest = { ...place, environment: environmentOfCaller() };
      const accepted = await callAdmin<ReloadAccepted>(paths, { ...adminRoutes.reload, body });
      say(`release ${accepted.release}: ${place.script}, nodes ${accepted.nodes.join(", ")}`);
      if (options.wait !== true) {
        if (options.json === true) process.stdout.write(`${JSON.stringify(accepted)}\n`);
        return;
      }
      const progress = await followRequest(paths, accepted.id, say);
      if (options.json === true) process.stdout.write(`${JSON.stringify(progress, null, 2)}\n`);
      const { outcome, reason } = progress.reload ?? { outcome: "failed", reason: "it is not known" };
      if (outcome === "succeeded") return say(`release ${accepted.release} serves on all nodes`);
      setExitCode(1);
      const back = outcome === "rolled-back" ? ", the one before serves on all nodes" : "";
      say(`release ${accepted.release} was given up${back}: ${said(reason ?? "no reason given")}`);
    });
};
