/** A regeneration that is given up after the cordon: the old instance serves as if nothing had been, whoever was away meanwhile. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { TestCluster } from "./cluster.ts";

const plainApp = fileURLToPath(new URL("./fixtures/plain-app.mjs", import.meta.url));
const expressApp = fileURLToPath(new URL("./fixtures/express-app.cjs", import.meta.url));

test("the replacement dies while the monitor is away: the old instance, which could not be told so, takes requests again", {
  timeout: 300_000,
}, async () => {
  const cluster = await TestCluster.start({ script: plainApp, nodes: 1, settings: { minReadyMs: 0 } });
  const held = request({ host: "127.0.0.1", port: cluster.port, method: "POST" }); // it holds the drain
  const answered = new Promise<number | undefined>((resolve) => held.on("response", ({ statusCode }) => resolve(statusCode)));
  held.write("begun");
  await cluster.command("regenerate", "web-1", "--name", "t");
  await cluster.until("it drains", async () => (await cluster.status()).nodes[0]?.phase === "draining");
  const replacement = (await cluster.events()).filter(({ kind }) => kind === "instance-started").at(-1);
  const { monitor } = await cluster.status();
  process.kill(monitor.pid, "SIGKILL");
  process.kill(Number(replacement?.facts["pid"]), "SIGKILL");
  await cluster.until("it is given up", async () => (await cluster.events()).some(({ kind }) => kind === "regeneration-failed"));
  const answer = await fetch(`http://127.0.0.1:${cluster.port}/`);
  assert.equal(answer.status, 200);
  held.end(" and ended");
  assert.equal(await answered, 200);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("the replicator answers too late: the old instance, whose right to write it withdrew then, may write again", {
  timeout: 300_000,
}, async () => {
  const cluster = await TestCluster.start({ script: expressApp, nodes: 1, settings: { minReadyMs: 0, handOffTimeoutMs: 1_000 } });
  const { replicator } = await cluster.status();
  const pid = replicator.pid ?? assert.fail();
  process.kill(pid, "SIGSTOP");
  await cluster.command("regenerate", "web-1", "--name", "t");
  await cluster.until("it is given up", async () => (await cluster.events()).some(({ kind }) => kind === "regeneration-failed"));
  process.kill(pid, "SIGCONT");
  const headers = { "content-type": "application/json" };
  for (const item of [1, 2, 3]) {
    const answer = await fetch(`http://127.0.0.1:${cluster.port}/items`, { method: "POST", headers, body: JSON.stringify({ item }) });
    assert.equal(answer.status, 200);
  }
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("the replacement served already when it is given up: what it has in process is finished before it is stopped", {
  timeout: 300_000,
}, async () => {
  const cluster = await TestCluster.start({ script: plainApp, nodes: 1, settings: { minReadyMs: 0, handOffTimeoutMs: 2_000 } });
  const pid = (await cluster.status()).replicator.pid ?? assert.fail();
  process.kill(pid, "SIGSTOP");
  await cluster.command("regenerate", "web-1", "--name", "t");
  await cluster.until("it hands off", async () => (await cluster.status()).nodes[0]?.phase === "handing-off");
  const held = request({ host: "127.0.0.1", port: cluster.port, method: "POST" });
  const answered = new Promise<number | undefined>((resolve) => held.on("response", ({ statusCode }) => resolve(statusCode)));
  held.write("begun");
  await cluster.until("it is given up", async () => (await cluster.events()).some(({ kind }) => kind === "regeneration-failed"));
  process.kill(pid, "SIGCONT");
  assert.equal((await fetch(`http://127.0.0.1:${cluster.port}/`)).status, 200);
  assert.ok((await cluster.events()).every(({ kind }) => kind !== "instance-exited"));
  held.end(" and ended");
  assert.equal(await answered, 200);
  await cluster.until("the replacement has ended", async () => (await cluster.events()).some(({ text }) => text === "web-1.2 has ended"));
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});
