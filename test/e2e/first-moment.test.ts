/** A cluster is ready when its clients are let in, and not before. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort, isForwarder, TestCluster } from "./cluster.ts";

test("where nobody accepts on the port yet, no node is ready, nor the cluster; when they are, nobody is refused", {
  timeout: 300_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-app-"));
  const [script, goAhead] = [join(directory, "server.cjs"), join(directory, "go-ahead")];
  writeFileSync(
    script,
    `const server = require("node:http").createServer((request, response) => response.end("served"));
     const wait = () => require("node:fs").existsSync(${JSON.stringify(goAhead)}) ? server.listen(process.env.APP_PORT) : setTimeout(wait, 20);
     wait();`,
  );
  const healthPort = await freePort();
  const cluster = await TestCluster.startOnly({ script, nodes: 1, args: ["--health", `127.0.0.1:${healthPort}`] });
  const asked = async (path: string) => (await fetch(`http://127.0.0.1:${healthPort}${path}`)).status;
  let forwarder = 0;
  await cluster.until("the forwarder's process is there", () => {
    forwarder = cluster.processes().find(isForwarder) ?? 0;
    return forwarder > 0;
  });
  process.kill(forwarder, "SIGSTOP");
  writeFileSync(goAhead, "");
  await cluster.until("the instance is ready", async () => (await cluster.events()).some(({ kind }) => kind === "instance-ready"));
  const { nodes, listeners } = await cluster.status();
  assert.deepEqual([nodes[0]?.state, listeners, await asked("/ready"), await asked("/live")], ["starting", [], 503, 200]);
  await assert.rejects(fetch(`http://127.0.0.1:${cluster.port}`));

  process.kill(forwarder, "SIGCONT");
  await cluster.until("the node is ready", async () => (await cluster.status()).nodes[0]?.state === "ready");
  assert.equal(await (await fetch(`http://127.0.0.1:${cluster.port}`)).text(), "served");
  assert.equal(await asked("/ready"), 200);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(directory, { recursive: true });
});
