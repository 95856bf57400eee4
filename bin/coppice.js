#!/usr/bin/env node
// The launcher: plain JavaScript that any Node can read. Coppice itself needs a newer Node than the
// application may: where the caller's is too old, one that is installed is looked for (npm's package
// `node`, here and in the working directory, then the PATH), and the application still runs on the
// caller's own. Where there is none, it is said what to do.
import { execFileSync, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const isNewEnough = (version) => {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 22 || (major === 22 && minor >= 19);
};

if (isNewEnough(process.versions.node)) {
  if (process.pid === 1) (await import("../dist/init/first-process.js")).becomeReaper();
  const { main } = await import("../dist/cli/main.js");
  process.exitCode = await main(process.argv.slice(2));
} else {
  const newer = findNewerNode();
  if (newer === null) explain();
  else handOver(newer);
}

function findNewerNode() {
  const packaged = [import.meta.url, pathToFileURL(join(process.cwd(), "package.json"))].flatMap((from) => {
    try {
      return [join(dirname(createRequire(from).resolve("node/package.json")), "bin/node")];
    } catch {
      return []; // not installed there
    }
  });
  const onPath = (process.env.PATH ?? "").split(delimiter).map((directory) => join(directory, "node"));
  return [...packaged, ...onPath].find(serves) ?? null;
}

function serves(path) {
  try {
    accessSync(path, constants.X_OK);
    return isNewEnough(execFileSync(path, ["-p", "process.versions.node"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  } catch {
    return false; // not there, or none that runs here
  }
}

function handOver(newer) {
  // Sockets of a supervisor's (sd_listen_fds(3)) are for the process of this pid: a shell puts its own there, and becomes the newer Node.
  const isForUs = Number(process.env.LISTEN_PID) === process.pid;
  const sockets = Array.from({ length: isForUs ? Number(process.env.LISTEN_FDS) || 0 : 0 }, (_, index) => 3 + index);
  const line = [newer, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const [program, ...args] = sockets.length === 0 ? line : ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", ...line];
  const child = spawn(program, args, {
    stdio: ["inherit", "inherit", "inherit", ...sockets],
    env: { ...process.env, COPPICE_APP_NODE: process.execPath },
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
}

function explain() {
  console.error(
    `coppice: Coppice itself needs Node 22.19 or later. This is Node ${process.versions.node}, and no newer one is on the PATH or installed here.\n` +
      `Install one beside Coppice:      npm install --save-dev node@24\n` +
      `The server may stay on its own:  npx coppice run --node ${process.execPath} server.js`,
  );
  process.exitCode = 1;
}
