/** What an operator sets beside the aging model, in a real cluster: maximum requests, asking first, forbidden times, watermarks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ClusterEvent } from "../../src/model/events.ts";
import { TestCluster } from "./cluster.ts";
import { SessionLoad } from "./session-load.ts";
import { nearlyAlways } from "./times.ts";

const expressApp = fileURLToPath(new URL("./fixtures/express-app.cjs", import.meta.url));

test("maximum requests: both nodes are regenerated before they have served as many, in turn, and nobody notices", {
  timeout: 360_000,
}, async () => {
  const settings = { maxRequests: 1_000, minRegenerationIntervalMs: 1_000, probationMs: 500, minReadyMs: 200 };
  const cluster = await TestCluster.start({ script: expressApp, settings });
  const load = new SessionLoad({ port: cluster.port, clients: 10, thinkMs: 20 });
  const told = async (wanted: ClusterEvent["kind"]) => (await cluster.events()).filter(({ kind }) => kind === wanted);
  await cluster.until("each had two turns", async () => (await told("regenerated")).length >= 4, 300_000);
  const { failed, lost, stale, doubled } = await load.end();
  assert.deepEqual([failed, lost, stale, doubled], [[], 0, 0, 0]);
  assert.equal(new Set((await told("regenerated")).slice(0, 2).map(({ node }) => node)).size, 2);
  for (const { facts, text } of await told("regeneration-admitted")) {
    assert.equal(facts["origin"], "max-requests");
    const served = Number(/it has served (\d+) requests/.exec(text)?.[1]);
    assert.ok(served > 250 && served < 1_500, text);
  }
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("mode supervised: status says what waits to be told and how; told, it is done", { timeout: 300_000 }, async () => {
  const cluster = await TestCluster.start({ script: expressApp, settings: { mode: "supervised", maxAgeMs: 4_000, minReadyMs: 200 } });
  const status = async () => (await cluster.command("status", "--name", "t")).stdout;
  const asks = /^(web-\d) is to be regenerated, and waits: to be told \(mode supervised\): coppice regenerate \1$/m;
  await cluster.until("a node waits", async () => asks.test(await status()));
  const name = asks.exec(await status())?.[1] ?? assert.fail("it waits no more");
  const said = (await cluster.events()).filter(({ kind, node }) => kind === "regeneration-deferred" && node === name);
  assert.deepEqual(
    said.map(({ text }) => text),
    [`${name}.1 is to be regenerated, since it is its turn (maxAgeMs), and waits to be told (mode supervised): coppice regenerate ${name}`],
  );
  assert.equal((await cluster.command("regenerate", name, "--wait", "--name", "t")).code, 0);
  assert.ok(!(await status()).includes(`${name} is to be regenerated`));
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("forbidden times: a node above its watermark is not regenerated, and status says why; by hand it is", {
  timeout: 300_000,
}, async () => {
  const settings = { forbiddenTimes: nearlyAlways(), watermarks: "rssBytes:1000000", minReadyMs: 200 };
  const cluster = await TestCluster.start({ script: expressApp, nodes: 1, settings });
  const waits = async () => (await cluster.status()).nodes[0]?.waits;
  await cluster.until("it waits", async () => (await waits()) === "no regeneration begins now (forbiddenTimes)");
  const texts = (await cluster.events()).map(({ text }) => text);
  assert.ok(texts.includes("web-1.1 is aging: rssBytes has stayed above its watermark of 977 KiB for 10 s"), texts.join("\n"));
  assert.equal((await cluster.command("regenerate", "web-1", "--wait", "--name", "t")).code, 0);
  assert.ok((await cluster.events()).every(({ kind, facts }) => kind !== "regeneration-admitted" || facts["origin"] === "operator"));
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});
