/** `coppice stop` and whose end it waits for. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { stopCluster } from "../../src/cli/stop.ts";
import { clusterPaths, type InitFile } from "../../src/init/home.ts";
import { startTicksOf } from "../../src/init/process-identity.ts";
import { endAfterTest } from "../left-open.ts";

test("stop: a cluster of that name that is started anew at once is another, and not waited for", { timeout: 60_000 }, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-stop-"));
  const paths = clusterPaths(home, "shop");
  mkdirSync(paths.directory);
  // Told to end, it is at once what a supervisor has started in its place.
  const code = `
    const fs = require("node:fs");
    const path = ${JSON.stringify(paths.initFile)};
    process.on("SIGTERM", () => fs.writeFileSync(path, JSON.stringify({ ...JSON.parse(fs.readFileSync(path, "utf8")), bootId: "second" })));
    setInterval(() => {}, 60_000);
    console.log("here");`;
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  endAfterTest(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  const pid = child.pid ?? assert.fail();
  const init: InitFile = {
    pid,
    startTicks: startTicksOf(pid) ?? assert.fail(),
    name: "shop",
    bootId: "first",
    stopTimeoutMs: 100,
    background: null,
  };
  writeFileSync(paths.initFile, JSON.stringify(init));
  await stopCluster("shop", paths);
  assert.match(readFileSync(paths.initFile, "utf8"), /"second"/);
  rmSync(home, { recursive: true });
});
