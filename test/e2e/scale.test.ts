/** More nodes, fewer nodes, and nodes that cannot have two instances at once: what clients notice in a real cluster. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { TestCluster } from "./cluster.ts";
import { SessionLoad } from "./session-load.ts";

const expressApp = fileURLToPath(new URL("./fixtures/express-app.cjs", import.meta.url));

test("scale up and down under load: nothing fails, sessions stay, those that go leave no process", { timeout: 300_000 }, async () => {
  const cluster = await TestCluster.start({ script: expressApp, nodes: 2, settings: { minReadyMs: 200 } });
  const load = new SessionLoad({ port: cluster.port, clients: 20, thinkMs: 5 });
  for (const [nodes, said] of [
    [4, /web-3: started.*web-4: started.*4 nodes now/s],
    [1, /web-4: retired.*web-3: retired.*web-2: retired.*1 node now/s],
    [2, /web-2: started.*2 nodes now/s],
  ] as const) {
    const { code, stdout, stderr } = await cluster.command("scale", String(nodes), "--wait", "--name", "t");
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, said);
    assert.deepEqual(
      (await cluster.status()).nodes.map(({ name, state }) => `${name} ${state}`),
      Array.from({ length: nodes }, (_, at) => `web-${at + 1} ready`),
    );
    const before = load.result.requests;
    await cluster.until("the load goes on", () => load.result.requests > before + 300);
  }
  const { failed, lost, stale, doubled } = await load.end();
  assert.deepEqual([failed, lost, stale, doubled], [[], 0, 0, 0]);
  assert.match((await cluster.command("scale", "2", "--name", "t")).stdout, /2 it is already/);
  for (const wrong of ["0", "many", "1.5", "300"]) {
    const { code, stderr } = await cluster.command("scale", wrong, "--name", "t");
    assert.equal(code, 1);
    assert.match(stderr, /expected a whole number from 1 to 256/);
  }
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

for (const nodes of [1, 2]) {
  test(`in place with ${nodes} node${nodes === 1 ? "" : "s"} under load: requests wait while their node regrows, none fails`, {
    timeout: 300_000,
  }, async () => {
    const cluster = await TestCluster.start({ script: expressApp, nodes, settings: { regenerate: "in-place" } });
    const before = await cluster.status();
    const load = new SessionLoad({ port: cluster.port, clients: 20, thinkMs: 5 });
    await cluster.until("the load runs", () => load.result.requests > 300);
    const outcome = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
    assert.equal(outcome.code, 0, outcome.stdout);
    const { failed, lost, stale, doubled } = await load.end();
    assert.deepEqual([failed, lost, stale, doubled], [[], 0, 0, 0]);
    const events = await cluster.events();
    const order = events.filter(({ kind, node }) => node === "web-1" && (kind === "stopped" || kind === "replacement-started"));
    assert.deepEqual(
      order.map(({ kind }) => kind),
      ["stopped", "replacement-started"],
    );
    const after = await cluster.status();
    for (const [index, { pid }] of before.nodes.entries()) assert.notEqual(after.nodes[index]?.pid, pid);
    assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  });
}

test("a server that holds a lock file: its replacement cannot start beside it, so the node is regenerated in place", {
  timeout: 300_000,
}, async () => {
  const locks = mkdtempSync(join(tmpdir(), "coppice-locks-"));
  const cluster = await TestCluster.start({ script: expressApp, nodes: 2, env: { LOCKS: locks } });
  const load = new SessionLoad({ port: cluster.port, clients: 20, thinkMs: 5 });
  for (let round = 0; round < 2; round += 1) {
    const outcome = await cluster.command("regenerate", "web-1", "--wait", "--name", "t");
    assert.equal(outcome.code, 0, outcome.stdout);
  }
  const { failed, lost, stale, doubled } = await load.end();
  assert.deepEqual([failed, lost, stale, doubled], [[], 0, 0, 0]);
  const texts = (await cluster.events()).map(({ text }) => text);
  assert.equal(texts.filter((text) => /web-1 holds something that only one instance can have.*EEXIST/.test(text)).length, 1);
  assert.ok(texts.includes("web-1 is being regenerated in place: requested"), "the second time it is known");
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(locks, { recursive: true });
});
