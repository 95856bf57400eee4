/**
 * `coppice start` and `restart`: `run` in the background, its log in a file that rotates. The command waits
 * until every node serves and the public ports answer, so that its exit code means something.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, fchmodSync, fstatSync, openSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { checkRoom, clusterPaths, livingInit, makeDirectory, passableMode, unusable } from "../init/home.ts";
import { adminRoutes, type ClusterStatus } from "../model/admin.ts";
import { CoppiceError } from "../model/errors.ts";
import { callAdmin } from "./admin-client.ts";
import { said } from "./format.ts";
import { coppiceHome, findCluster, logFileOf } from "./home.ts";
import { sayWhenInterrupted } from "./interrupted.ts";
import type { Register } from "./main.ts";
import { silentPort } from "./port-answers.ts";
import { resolveRelease, typedDirectory } from "./release.ts";
import { type RunOptions, specificationOf, withRunOptions } from "./run.ts";
import { stopCluster } from "./stop.ts";

const launcher = fileURLToPath(new URL("../../bin/coppice.js", import.meta.url));
const pollMs = 100;
const wordsOnFailure = 15;
/** Beyond that a forwarder is not late but missing: init starts one that ended within two seconds, and ends one that hangs within twenty. */
const answerMsMax = 30_000;

/** The command line of a cluster in the background, and the directory as it was typed; its environment is the caller's. */
interface How {
  readonly args: readonly string[];
  readonly directory: string;
}

export const registerStart: Register = (program, setExitCode) => {
  withRunOptions(program.command("start"))
    .summary("the same in the background; waits until every node serves")
    .description(
      "Runs a server as a cluster in the background, with its log in a file that rotates (coppice logs), and waits until it serves.",
    )
    .option("--json", "the result as JSON")
    .action(async (script: string, args: string[], options: RunOptions & { json?: true }) => {
      const node = process.env["COPPICE_APP_NODE"];
      const { name } = specificationOf(script, args, options); // what is wrong with it is said here, not in a log
      if (node !== undefined) process.env["COPPICE_APP_NODE"] = node; // for the process that runs it
      // What was typed, as it was typed: `run` reads it again. --name first: a later one wins.
      const typed = withoutJson(process.argv.slice(3));
      const how = { args: ["run", "--log-file", logFileOf(name), "--name", name, ...typed], directory: typedDirectory() };
      if (!(await startInBackground(name, how, options.json === true))) setExitCode(1);
    });
};

/** What stands behind `--` is the server's own. */
function withoutJson(args: readonly string[]): string[] {
  const own = args.includes("--") ? args.indexOf("--") : args.length;
  return args.filter((arg, at) => arg !== "--json" || at > own);
}

export const registerRestart: Register = (program, setExitCode) => {
  program
    .command("restart")
    .summary("stop a cluster in the background and start it again, with this Coppice")
    .description(
      "Stops a cluster that was begun with start, and starts it again as it was, with this environment. Clients wait or are " +
        "refused meanwhile, and sessions end: to bring a new release without either, use reload.",
    )
    .option("--name <name>", "the cluster's name; not needed if only one runs")
    .option("--json", "the result as JSON")
    .action(async (options: { name?: string; json?: true }) => {
      const { name, paths } = findCluster(options.name);
      const how = livingInit(paths)?.background ?? null;
      if (how === null) throw new CoppiceError("COPPICE_ARGUMENT", `"${name}" runs in the foreground: stop it there, and run it again`);
      const [owner, own] = [statSync(paths.directory).uid, process.getuid?.()];
      if (owner !== own)
        throw new CoppiceError(
          "COPPICE_ARGUMENT",
          `"${name}" is user ${owner}'s, and would be user ${own}'s from then on: restart it as that user`,
        );
      const status = await callAdmin<ClusterStatus>(paths, adminRoutes.status).catch(() => null); // a monitor that is away keeps nobody from it
      if (status !== null) resolveRelease(status.release.asTyped); // what is not there any more is said before anything is stopped
      checkAgain(name, how);
      const over = sayWhenInterrupted(`"${name}" goes on stopping, and is not started again: coppice start does that`);
      await stopCluster(name, paths);
      over();
      if (!(await startInBackground(name, how, options.json === true))) setExitCode(1);
    });
};

/** All that was typed, files that it names included, as `run` looks at it: what cannot be started is not stopped. */
function checkAgain(name: string, { args: [run = "run", ...typed], directory }: How): void {
  const { status, stderr, error } = spawnSync(process.execPath, [launcher, run, "--check", ...typed], {
    cwd: directory,
    env: environmentIn(directory),
    encoding: "utf8",
  });
  if (status === 0) return;
  const why = error?.message ?? stderr.trim().replace(/^coppice: /, "");
  throw new CoppiceError("COPPICE_ARGUMENT", `"${name}" was not stopped, since it could not be started again: ${why}`);
}

/** The directory by its links, which each release resolves anew; a home that was given relative to this one is the same there. */
function environmentIn(directory: string): NodeJS.ProcessEnv {
  const home = process.env["COPPICE_HOME"];
  return { ...process.env, PWD: directory, ...(home === undefined || home === "" ? {} : { COPPICE_HOME: coppiceHome() }) };
}

/** Resolves when all nodes serve to true, or to false if some have failed while others serve. */
async function startInBackground(name: string, how: How, json: boolean): Promise<boolean> {
  const paths = clusterPaths(coppiceHome(), name);
  const running = livingInit(paths);
  if (running !== null)
    throw new CoppiceError(
      "COPPICE_CLUSTER_RUNNING",
      `a cluster named "${name}" is running already (pid ${running.pid}); coppice status shows it, reload brings a new release, restart starts it anew; another server needs another --name`,
    );
  const log = logFileOf(name);
  const output = openLog(log);
  checkRoom(dirname(log)); // else its words about that would have none
  const logBytes = fstatSync(output).size;
  const child = spawn(process.execPath, [launcher, ...how.args], {
    cwd: how.directory,
    env: environmentIn(how.directory),
    detached: true,
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  sayWhenInterrupted(`"${name}" goes on starting in the background   end: coppice stop --name ${name}`);
  const status = await untilServing(child, () => callAdmin<ClusterStatus>(paths, adminRoutes.status), paths);
  const lastWords = () => {
    const content = readFileSync(log);
    const begun = content.length < logBytes ? 0 : logBytes; // shorter: it has rotated, and is all of this start
    const words = content.toString("utf8", begun).trimEnd().split("\n").slice(-wordsOnFailure);
    return `The end of its log (${log}):\n${words.map((line) => `    ${line}`).join("\n")}`;
  };
  if (status === null) throw new CoppiceError("COPPICE_START_FAILED", `"${name}" did not start. ${lastWords()}`);
  child.unref();
  const silent = await silentPort(status.listeners, answerMsMax);
  if (silent !== null)
    throw new CoppiceError(
      "COPPICE_START_FAILED",
      `the nodes of "${name}" serve, but nobody answers on port ${silent} after ${answerMsMax / 1_000} s: its forwarder is missing. ` +
        `It goes on trying; end it: coppice stop --name ${name}. ${lastWords()}`,
    );
  const failed = status.nodes.filter(({ state }) => state === "failed");
  if (json)
    process.stdout.write(
      `${JSON.stringify({ name, pid: child.pid, listeners: status.listeners, nodes: status.nodes.map((node) => node.name), log })}\n`,
    );
  else {
    const where = status.listeners.map(({ address, port }) => `${address ?? "*"}:${port}`).join(", ");
    process.stdout.write(
      `${name}: ${status.nodes.length - failed.length} of ${status.nodes.length} nodes serve on ${where} (pid ${child.pid})\n`,
    );
    process.stdout.write(`log: coppice logs --name ${name} --follow   end: coppice stop --name ${name}\n`);
  }
  for (const node of failed) process.stderr.write(`coppice: ${node.name} has failed: ${said(node.reason ?? "no reason given")}\n`);
  return failed.length === 0;
}

function openLog(path: string): number {
  try {
    makeDirectory(dirname(path), passableMode); // `--user` has its cluster in here
    const file = openSync(path, "a", 0o600);
    fchmodSync(file, 0o600);
    return file;
  } catch (cause) {
    throw unusable(dirname(path), cause);
  }
}

/** Null if it ended before it served. */
async function untilServing(
  child: ChildProcess,
  ask: () => Promise<ClusterStatus>,
  paths: Parameters<typeof livingInit>[0],
): Promise<ClusterStatus | null> {
  let failed = false;
  child.on("error", () => {
    failed = true;
  });
  const told = new Set<string>();
  while (!failed && child.exitCode === null && child.signalCode === null) {
    if (livingInit(paths)?.pid === child.pid) {
      const status = await ask().catch(() => null); // it ends just now: the next turn sees it
      for (const { level, text } of status?.notices ?? []) {
        if (level === "advice" && !told.has(text)) process.stderr.write(`coppice: ${said(text)}\n`);
        told.add(text);
      }
      if (status !== null && status.listeners.length > 0 && status.nodes.every(({ state }) => state === "ready" || state === "failed"))
        return status;
    }
    await pause(pollMs);
  }
  return null;
}
