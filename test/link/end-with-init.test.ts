/** What init started and left: it ends, and touches nothing that the next init may have by then. */
import assert from "node:assert/strict";
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { specificationOf } from "../../src/cli/run.ts";
import { clusterPaths } from "../../src/init/home.ts";
import type { Welcome } from "../../src/model/birth.ts";
import { endAfterTest } from "../left-open.ts";

const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
const script = fileURLToPath(new URL("../e2e/fixtures/plain-app.mjs", import.meta.url));

test("a monitor whose init died before it was welcomed writes into no journal, which may be another cluster's", {
  timeout: 60_000,
}, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-left-"));
  const paths = clusterPaths(home, "t");
  for (const path of [paths.controlSocket, paths.adminSocket]) mkdirSync(dirname(path), { recursive: true });
  const spec = specificationOf(script, [], { name: "t", nodes: 1, set: {}, tlsCert: [], tlsKey: [], logFormat: "text" });
  const monitor = fork(join(dist, "daemon/main.js"));
  endAfterTest(() => monitor.kill("SIGKILL"));
  const welcome = { kind: "welcome", role: "monitor", id: "monitor", clusterKey: "cc77", initPid: 1, bootId: "b", crashes: 0 } as const;
  monitor.send({ ...welcome, spec: { ...spec, paths } } satisfies Welcome);
  monitor.once("message", () => monitor.kill("SIGTERM")); // it began to work
  assert.deepEqual(await once(monitor, "exit"), [null, "SIGKILL"]);
  assert.deepEqual(readdirSync(paths.directory).sort(), ["admin", "control"]);
  rmSync(home, { recursive: true });
});

test("a server whose init died before it had told it anything ends, and does not listen", { timeout: 60_000 }, async () => {
  const code = 'require("node:http").createServer().listen(0, () => console.log("listens"));';
  const server = spawn(process.execPath, ["--require", join(dist, "probe/inside/preload.js"), "-e", code], {
    env: { ...process.env, COPPICE_BIRTH_FD: "3" },
    stdio: ["ignore", "pipe", "inherit", "pipe"],
  });
  endAfterTest(() => server.kill("SIGKILL"));
  server.stdout?.on("data", () => server.kill("SIGKILL"));
  server.stdio[3]?.destroy();
  assert.deepEqual(await once(server, "exit"), [null, "SIGTERM"]);
});
