/** `coppice stop`: asks init itself, so it works without the monitor too, and waits for the end. */
import { setTimeout as pause } from "node:timers/promises";
import { livingInit } from "../init/home.ts";
import type { ClusterPaths } from "../model/birth.ts";
import { CoppiceError } from "../model/errors.ts";
import { findCluster } from "./home.ts";
import { sayWhenInterrupted } from "./interrupted.ts";
import type { Register } from "./main.ts";

const pollMs = 50;
const graceMs = 5_000;

export const registerStop: Register = (program) => {
  program
    .command("stop")
    .summary("end a cluster in order")
    .description("Ends a cluster in order: requests in process finish, then the nodes stop; nothing is left behind.")
    .option("--name <name>", "the cluster's name; not needed if only one runs")
    .option("--json", "the result as JSON")
    .action(async (options: { name?: string; json?: true }) => {
      const { name, paths } = findCluster(options.name);
      sayWhenInterrupted(`"${name}" goes on stopping`);
      const stopMs = await stopCluster(name, paths);
      process.stdout.write(
        options.json === true ? `${JSON.stringify({ name, stopMs })}\n` : `${name} stopped in ${(stopMs / 1_000).toFixed(1)} s\n`,
      );
    });
};

/** Resolves when it has ended, to how long that took; who starts a cluster of its name at once is another. */
export async function stopCluster(name: string, paths: ClusterPaths): Promise<number> {
  const init = livingInit(paths);
  const startedMs = performance.now();
  if (init === null) return 0;
  process.kill(init.pid, init.stopSignal ?? "SIGTERM");
  while (livingInit(paths)?.bootId === init.bootId) {
    if (performance.now() - startedMs > init.stopTimeoutMs + graceMs) {
      throw new CoppiceError(
        "COPPICE_STOP_FAILED",
        `cluster "${name}" (pid ${init.pid}) has not ended after ${init.stopTimeoutMs + graceMs} ms`,
      );
    }
    await pause(pollMs);
  }
  return Math.round(performance.now() - startedMs);
}
