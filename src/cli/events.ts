/** `coppice events`: what happened, in order, and with `--follow` what happens. */
import { livingInit } from "../init/home.ts";
import { adminRoutes } from "../model/admin.ts";
import type { ClusterPaths } from "../model/birth.ts";
import { CoppiceError } from "../model/errors.ts";
import type { ClusterEvent } from "../model/events.ts";
import { cutShortMax, openAdmin } from "./admin-client.ts";
import { said } from "./format.ts";
import { findCluster } from "./home.ts";
import type { Register } from "./main.ts";

export const registerEvents: Register = (program) => {
  program
    .command("events")
    .summary("what happened in the cluster, oldest first")
    .description("Prints what happened in the cluster, oldest first.")
    .option("--follow", "go on with what happens, until Ctrl-C or the cluster's end")
    .option("--name <name>", "the cluster's name; not needed if only one runs")
    .option("--json", "one JSON object a line")
    .action(async ({ name, follow, json }: { follow?: true; name?: string; json?: true }) => {
      const { paths } = findCluster(name);
      await readEvents(paths, follow === true, (line, { atMs, text }) => {
        process.stdout.write(json === true ? `${line}\n` : `${new Date(atMs).toISOString()}  ${said(text)}\n`);
      });
    });
};

/**
 * Resolves when all are told, or, where they are followed, at the cluster's end.
 * @param awayMsMax how long the monitor may be away.
 */
export async function readEvents(
  paths: ClusterPaths,
  follows: boolean,
  tell: (line: string, event: ClusterEvent) => void,
  awayMsMax?: number,
): Promise<void> {
  let after = 0;
  const print = (line: string) => {
    const event = JSON.parse(line) as ClusterEvent; // made by the daemon from the same declaration
    after = event.sequence;
    tell(line, event);
  };
  // The monitor was restarted: go on where it ended.
  for (let cutShort = 1; follows || cutShort <= cutShortMax; cutShort += 1) {
    const query = `?after=${after}${follows ? "&follow=true" : ""}`;
    const call = { method: "GET", path: `${adminRoutes.events.path}${query}` };
    const answer = await openAdmin(paths, call, awayMsMax).catch((error: unknown) => {
      if (follows && after > 0 && livingInit(paths) === null) return null; // followed to the cluster's end
      throw error;
    });
    if (answer === null) return;
    const isWhole = await eachLine(answer.setEncoding("utf8"), print);
    if (isWhole && !follows) return;
  }
  throw new CoppiceError(
    "COPPICE_CLUSTER_NOT_RUNNING",
    "the cluster's monitor ended in the middle of its answer, however often it was asked",
  );
}

/** False: the monitor went away in the middle; the caller decides whether to go on. */
async function eachLine(stream: AsyncIterable<unknown>, print: (line: string) => void): Promise<boolean> {
  let rest = "";
  try {
    for await (const chunk of stream) {
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) print(line);
    }
    return true;
  } catch {
    return false;
  }
}
