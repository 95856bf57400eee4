/** A cluster is ready when its clients are let in, and not before. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort, TestCluster } from "./cluster.ts";

test("where nobody accepts on the port yet, no node is ready, nor the cluster; when they are, nobody is refused", {
  timeout: 300_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-app-"));
  const script = join(directory, "server.cjs");
  const [goAhead, waits] = [join(directory, "go-ahead"), join(directory, "waits")];
  writeFileSync(
    script,
    `const { existsSync, writeFileSync } = require("node:fs");
     const server = require("node:http").createServer((request, response) => response.end("served"));
     const wait = () => existsSync(${JSON.stringify(goAhead)}) ? server.listen(process.env.APP_PORT) : setTimeout(wait, 20);
     writeFileSync(${JSON.stringify(waits)}, "");
     wait();`,
  );
  const healthPort = await freePort();
  const cluster = await TestCluster.startOnly({ script, nodes: 1, args: ["--health", `127.0.0.1:${healthPort}`] });
  const asked = async (path: string) => (await fetch(`http://127.0.0.1:${healthPort}${path}`)).status;
  let forwarder = 0;
  // Nothing is left to wait for then: init ends a forwarder that hangs for long.
  await cluster.until("a forwarder is there, and the server waits", async () => {
    forwarder = (await cluster.status()).forwarders[0]?.pid ?? 0;
    return forwarder > 0 && existsSync(waits);
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
