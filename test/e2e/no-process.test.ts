/** The system gives init no process: what was to be started is started later, and everybody else serves on. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { TestCluster } from "./cluster.ts";

const plainApp = fileURLToPath(new URL("./fixtures/plain-app.mjs", import.meta.url));

async function isWellAgain(cluster: TestCluster): Promise<void> {
  await cluster.until("all is well again", async () => {
    const { nodes, forwarders } = await cluster.status();
    return forwarders.length === 1 && nodes.every(({ state }) => state === "ready");
  });
  assert.equal((await fetch(`http://127.0.0.1:${cluster.port}/`)).status, 200);
}

test("a working directory that is none any more: the others serve on, and the node comes back with it", { timeout: 180_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-app-"));
  const release = join(directory, "release");
  mkdirSync(release);
  copyFileSync(plainApp, join(release, "app.mjs"));
  const cluster = await TestCluster.start({ script: "app.mjs", cwd: release });
  renameSync(release, join(directory, "away"));
  writeFileSync(release, "a file");
  process.kill((await cluster.status()).nodes[0]?.pid ?? assert.fail(), "SIGKILL");
  await cluster.until("it was tried", () => cluster.output.includes("it cannot be started: spawn ENOTDIR"));
  assert.equal((await fetch(`http://127.0.0.1:${cluster.port}/`)).status, 200);
  rmSync(release);
  renameSync(join(directory, "away"), release);
  await isWellAgain(cluster);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(directory, { recursive: true });
});

test("no descriptor left: node and forwarder are started again when there is one", { timeout: 180_000 }, async () => {
  const cluster = await TestCluster.start({ script: plainApp });
  const { init, nodes, forwarders } = await cluster.status();
  const descriptorsMax = (limit: string) => execFileSync("prlimit", ["--pid", String(init.pid), `--nofile=${limit}:`]);
  descriptorsMax("3");
  for (const pid of [nodes[0]?.pid, forwarders[0]?.pid]) process.kill(pid ?? assert.fail(), "SIGKILL");
  await cluster.until(
    "both were tried",
    () => /it cannot be started: .*EMFILE/.test(cluster.output) && /forwarder-1 ended \(.*EMFILE/.test(cluster.output),
  );
  descriptorsMax("1000");
  await isWellAgain(cluster);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});
