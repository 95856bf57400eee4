/**
 * Whether the cluster of a directory lives where its processes cannot be seen: in another container that has the same directory, a
 * pid says nothing. Its monitor answers all the same. One whose init was killed just now may answer once more, and ends.
 */
import { spawnSync } from "node:child_process";
import { adminRoutes } from "../model/admin.ts";

const patienceMs = 5_000;
/** One that hangs is nobody: with its init it has lost who would end it. */
const answerMsMax = 2_000;
const againMs = 100;

/** In a process of its own, since nothing runs here yet: it ends with 1 where somebody answers to the end. */
const ask = `
  const [socketPath] = process.argv.slice(1);
  const endMs = performance.now() + ${patienceMs};
  const ask = () =>
    require("node:http")
      .get({ socketPath, path: ${JSON.stringify(adminRoutes.status.path)}, timeout: ${answerMsMax} }, (answer) => {
        answer.resume();
        if (performance.now() > endMs) process.exit(1);
        setTimeout(ask, ${againMs});
      })
      .on("timeout", () => process.exit(0))
      .on("error", () => process.exit(0));
  ask();`;

export function livesElsewhere(adminSocket: string): boolean {
  return spawnSync(process.execPath, ["-e", ask, adminSocket], { env: {}, stdio: "ignore" }).status === 1;
}
