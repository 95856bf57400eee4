/** Several forwarders on one listening socket: all acknowledge a cordon, one killed takes only its own connections with it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isForwarder, TestCluster } from "./cluster.ts";
import { SessionLoad } from "./session-load.ts";

const expressApp = fileURLToPath(new URL("./fixtures/express-app.cjs", import.meta.url));
const args = ["--forwarders", "2"];

/** With the first one halted, the kernel gives a load's connections to the second, and so on: both have some. */
async function loadOnBoth(cluster: TestCluster): Promise<SessionLoad[]> {
  const { forwarders } = await cluster.status();
  const pids = forwarders.map(({ pid }) => pid ?? assert.fail());
  const loads: SessionLoad[] = [];
  for (const halted of pids) {
    process.kill(halted, "SIGSTOP");
    const load = new SessionLoad({ port: cluster.port, clients: 12, thinkMs: 5 });
    loads.push(load);
    await cluster.until("its connections are made", () => load.result.requests > 200);
    process.kill(halted, "SIGCONT");
  }
  await cluster.until("both have connections", async () =>
    (await cluster.status()).forwarders.every(({ connections }) => connections >= 10),
  );
  return loads;
}

test("two forwarders: every node is regenerated under load on both, and nobody notices", { timeout: 300_000 }, async () => {
  const cluster = await TestCluster.start({ script: expressApp, nodes: 3, args });
  const loads = await loadOnBoth(cluster);
  const outcome = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
  assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr);
  for (const load of loads) {
    const { failed, lost, stale, doubled, requests } = await load.end();
    assert.ok(requests > 500);
    assert.deepEqual([failed, lost, stale, doubled], [[], 0, 0, 0]);
  }
  const cordons = (await cluster.events()).filter(({ kind }) => kind === "cordoned");
  assert.equal(cordons.length, 3);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("affinity is equal on both forwarders: a session is at one node, whichever forwarder has the connection", {
  timeout: 180_000,
}, async () => {
  const cluster = await TestCluster.start({ script: expressApp, nodes: 3, args });
  const { forwarders, nodes } = await cluster.status();
  const seenBy = async (cookie: string): Promise<number> => {
    const answer = await fetch(`http://127.0.0.1:${cluster.port}/seen`, { headers: { cookie, connection: "close" } });
    return ((await answer.json()) as { pid: number }).pid;
  };
  const cookies = Array.from({ length: 30 }, (_, index) => `connect.sid=session-${index}`);
  const pids: number[][] = [];
  for (const { pid } of forwarders) {
    process.kill(pid ?? assert.fail(), "SIGSTOP");
    pids.push(await Promise.all(cookies.map(seenBy)));
    process.kill(pid ?? assert.fail(), "SIGCONT");
  }
  assert.deepEqual(pids[0], pids[1]);
  assert.equal(new Set(pids[0]).size, nodes.length, "and the sessions are spread over all nodes");
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("kill -9 of one of two: requests on its connections fail, no others; what is queued the other one serves; it comes back", {
  timeout: 300_000,
}, async () => {
  const cluster = await TestCluster.start({ script: expressApp, args });
  const [first, second] = await loadOnBoth(cluster);
  const [doomed, other] = (await cluster.status()).forwarders;
  const doomedPid = doomed?.pid ?? assert.fail();
  const otherPid = other?.pid ?? assert.fail();
  const queued: Promise<number>[] = [];
  for (const pid of [doomedPid, otherPid]) process.kill(pid, "SIGSTOP");
  for (let index = 0; index < 20; index += 1)
    queued.push(fetch(`http://127.0.0.1:${cluster.port}/seen`, { headers: { connection: "close" } }).then(({ status }) => status));
  process.kill(doomedPid, "SIGKILL");
  process.kill(otherPid, "SIGCONT");
  assert.deepEqual(new Set(await Promise.all(queued)), new Set([200]));
  await cluster.until("it was started again", async () => {
    const { forwarders } = await cluster.status();
    return forwarders.length === 2 && forwarders.every(({ pid }) => pid !== doomedPid);
  });
  // While the first load connected, forwarder-1 was halted: its connections are the second one's alone.
  const safe = (await first?.end()) ?? assert.fail();
  assert.deepEqual([safe.failed, safe.lost, safe.stale], [[], 0, 0]);
  const hit = (await second?.end()) ?? assert.fail();
  assert.ok(hit.failed.length > 0, "the killed one had connections");
  assert.equal(hit.lost, 0);
  const refused = hit.failed.filter((what) => what.includes("ECONNREFUSED"));
  assert.deepEqual(refused, [], "the listening socket was never closed");

  // The new one knows the nodes: it serves alone, and a cordon waits for it.
  process.kill(otherPid, "SIGSTOP");
  assert.equal((await fetch(`http://127.0.0.1:${cluster.port}/seen`, { headers: { connection: "close" } })).status, 200);
  process.kill(otherPid, "SIGCONT");
  const outcome = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
  assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("auto: one for each four cores, whatever machine it starts on", { timeout: 180_000 }, async () => {
  for (const [cores, count] of [
    [3, 1],
    [9, 2],
  ]) {
    const machine = `import os from "node:os"; import { syncBuiltinESMExports } from "node:module"; os.availableParallelism = () => ${cores}; syncBuiltinESMExports();`;
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(machine)}` };
    const cluster = await TestCluster.start({ script: expressApp, args: ["--forwarders", "auto"], env });
    assert.equal(cluster.processes().filter(isForwarder).length, count);
    assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  }
});
