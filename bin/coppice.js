#!/usr/bin/env node
// The launcher: plain JavaScript that any Node can read, so that a Node too old for Coppice is told so
// instead of failing on syntax. In a checkout the pinned development Node is used when the caller's is
// too old; the application still runs on the caller's own Node.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const pinned = fileURLToPath(new URL("../node_modules/node/bin/node", import.meta.url));

if (major > 22 || (major === 22 && minor >= 19)) {
  if (process.pid === 1) (await import("../dist/init/first-process.js")).becomeReaper();
  const { main } = await import("../dist/cli/main.js");
  process.exitCode = await main(process.argv.slice(2));
} else if (existsSync(pinned)) {
  const child = spawn(pinned, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
    env: { ...process.env, COPPICE_APP_NODE: process.execPath },
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
} else {
  console.error(`coppice: Node ${process.versions.node} is too old for Coppice itself, which needs 22.19 or later.`);
  console.error("Run Coppice with a newer Node; the application may stay on its own: coppice run --node /path/to/node server.js");
  process.exitCode = 1;
}
