/**
 * Whether the cluster of a directory lives where its processes cannot be seen: in another container that has the same directory, a
 * pid says nothing. Its monitor answers all the same. One whose init was killed just now may answer once more, and ends; one whose
 * init began just now, as of containers that are started together, does not answer yet. Where the monitor is away for a moment the
 * store's process is there, and ends with init as well.
 */
import { spawnSync } from "node:child_process";
import { adminRoutes } from "../model/admin.ts";
import type { ClusterPaths } from "../model/birth.ts";

const patienceMs = 5_000;
/** One that hangs is nobody: with its init it has lost who would end it. */
const answerMsMax = 2_000;
const againMs = 100;

/** In a process of its own, since nothing runs here yet: it ends with 1 where somebody answers to the end. */
const ask = `
  const [socketPath, storePath, beginsMs] = process.argv.slice(1);
  const endMs = performance.now() + ${patienceMs};
  const somebody = () => {
    if (performance.now() > endMs) process.exit(1);
    setTimeout(ask, ${againMs});
  };
  const nobody = () => {
    if (performance.now() > Number(beginsMs)) process.exit(0);
    setTimeout(ask, ${againMs});
  };
  const ask = () =>
    require("node:http")
      .get({ socketPath, path: ${JSON.stringify(adminRoutes.status.path)}, timeout: ${answerMsMax} }, (answer) => {
        answer.resume();
        somebody();
      })
      .on("timeout", () => process.exit(0))
      .on("error", () => {
        const store = require("node:net").connect(storePath, () => store.destroy() && somebody()).on("error", nobody);
      });
  ask();`;

/** `begunAtMs`: when its init began. */
export function livesElsewhere({ adminSocket, storeSocket }: ClusterPaths, begunAtMs: number): boolean {
  const beginsMs = Math.min(begunAtMs + patienceMs - Date.now(), patienceMs); // a clock may have been set back
  return spawnSync(process.execPath, ["-e", ask, adminSocket, storeSocket, String(beginsMs)], { env: {}, stdio: "ignore" }).status === 1;
}
