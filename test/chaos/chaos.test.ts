/** The chaos runs in the form that is short enough for every change; `npm run chaos` has the long ones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { killAtRandom } from "./kill.ts";
import { largeBodies } from "./large.ts";
import { keepLedger } from "./ledger.ts";
import { reloadOnAndOn } from "./reload.ts";
import { median, soak } from "./soak.ts";

const clean = { code: 0, left: [] };

test("each kind of process killed at random moments of regenerations: clients notice what docs/failure-modes.md says, and no more", {
  timeout: 300_000,
}, async (t) => {
  const { unexpected, expected, lost, stale, doubled, regenerations, p999Ms, longestMs, stopped } = await killAtRandom({
    seed: 1,
    kinds: ["monitor", "forwarder", "replicator", "node"],
    kills: 3,
  });
  assert.deepEqual(unexpected, []);
  assert.deepEqual([lost, stale, doubled], [0, 0, 0]);
  assert.ok(regenerations > 3, `${regenerations} regenerations`);
  assert.deepEqual(stopped, clean);
  t.diagnostic(`failed as expected: ${JSON.stringify(expected)}; p99.9 ${p999Ms.toFixed(0)} ms, longest ${longestMs.toFixed(0)} ms`);
});

test("a ledger of what was executed: regenerated, nothing fails and nothing is executed twice; killed, only POSTs that were in process there", {
  timeout: 300_000,
}, async (t) => {
  const calm = await keepLedger({ requests: 10_000, regenerations: 9, kills: 0 });
  assert.deepEqual([calm.failures, calm.twice, calm.missing], [[], [], []]);
  // A moment in which nothing is in process is rare (1 in 25 in the long run), but chance may bring some.
  assert.ok(calm.emptyCordons <= calm.regenerations / 3, `${calm.emptyCordons} of ${calm.regenerations} cordons found nothing in process`);
  assert.deepEqual(calm.stopped, clean);
  const killed = await keepLedger({ requests: 5_000, regenerations: 0, kills: 3 });
  assert.deepEqual([killed.twice, killed.missing], [[], []]);
  assert.deepEqual(
    killed.failures.filter(({ method, what }) => method === "GET" || !what.startsWith("502 ")),
    [],
  );
  // One connection has one request in process.
  assert.ok(killed.failures.length <= 3 * 64, `${killed.failures.length} POSTs`);
  assert.deepEqual(killed.stopped, clean);
  t.diagnostic(`${calm.requests} requests, longest ${calm.longestMs.toFixed(0)} ms; with kills ${killed.failures.length} POSTs got a 502`);
});

test("deploys there and back under load: nothing fails, nobody goes back; a broken one is rolled back and nobody notices", {
  timeout: 300_000,
}, async () => {
  const { failed, lost, stale, doubled, wentBack, watched, brokenCode, afterBroken, stopped } = await reloadOnAndOn(4);
  assert.deepEqual([failed, lost, stale, doubled, wentBack], [[], 0, 0, 0, 0]);
  assert.ok(watched > 200, `only ${watched} answers were watched`);
  assert.equal(brokenCode, 1);
  assert.deepEqual(afterBroken, ["a"]);
  assert.deepEqual(stopped, clean);
});

test("every node regenerated twenty times: Coppice's own processes keep their descriptors, number and memory", {
  timeout: 800_000,
}, async (t) => {
  const { readings, failed, lost, stale, doubled, stopped } = await soak(20);
  assert.deepEqual([failed, lost, stale, doubled], [[], 0, 0, 0]);
  assert.deepEqual(stopped, clean);
  assert.deepEqual([...new Set(readings.map(({ processes }) => processes))], [6]);
  for (const kind of ["init", "monitor", "forwarder", "replicator"]) {
    const [early, late] = [0.4, 0.8].map((from) => median(readings, "openFds", kind, from, from + 0.2));
    assert.ok(Math.abs((late ?? Number.NaN) - (early ?? Number.NaN)) <= 3, `${kind}: ${early}, then ${late} descriptors`);
    const mebibytes = (from: number) => median(readings, "rssBytes", kind, from, from + 0.2) / 2 ** 20;
    t.diagnostic(`${kind}: ${mebibytes(0.4).toFixed(1)} MiB, then ${mebibytes(0.8).toFixed(1)} MiB, ${late} descriptors`);
    assert.ok(mebibytes(0.8) < mebibytes(0.4) * 1.2 + 8, `${kind} grows`);
  }
});

test("bodies of 256 MiB, up and down, over HTTP, HTTPS and HTTP/2, arrive whole, and the forwarder does not grow by half of one", {
  timeout: 300_000,
}, async (t) => {
  const bytes = 256 * 2 ** 20;
  const transfers = await largeBodies(bytes);
  for (const { protocol, direction, whole, grownBytes } of transfers) {
    assert.equal(whole, true, `${protocol} ${direction}`);
    assert.ok(grownBytes < bytes / 2, `${protocol} ${direction}: ${grownBytes} bytes more`);
  }
  t.diagnostic(`most: ${Math.max(...transfers.map(({ grownBytes }) => grownBytes)) >> 20} MiB`);
});
