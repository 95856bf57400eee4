/** docs/failure-modes.md in a real cluster under load: each of Coppice's processes killed, a node killed, and what clients notice. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { runtimes } from "../inside/runtimes.ts";
import { endAfterTest } from "../left-open.ts";
import { freePort, TestCluster } from "./cluster.ts";
import { SessionLoad } from "./session-load.ts";

const expressApp = fileURLToPath(new URL("./fixtures/express-app.cjs", import.meta.url));

test("kill -9 of the replicator, three times: requests wait and go on, no session is lost", { timeout: 300_000 }, async () => {
  const cluster = await TestCluster.start({ script: expressApp });
  const load = new SessionLoad({ port: cluster.port, clients: 20, thinkMs: 5 });
  for (let kill = 0; kill < 3; kill += 1) {
    const { replicator } = await cluster.status();
    process.kill(replicator.pid ?? assert.fail(), "SIGKILL");
    await cluster.until("another replicator is there", async () => {
      const { pid } = (await cluster.status()).replicator;
      return pid !== null && pid !== replicator.pid;
    });
    const before = load.result.requests;
    await cluster.until("the load goes on", () => load.result.requests > before + 500);
  }
  const { failed, lost, stale, doubled } = await load.end();
  assert.deepEqual([failed, lost, stale, doubled], [[], 0, 0, 0]);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("kill -9 of the forwarder: only requests on its connections fail, the socket stays open, sessions stay", {
  timeout: 300_000,
}, async () => {
  const cluster = await TestCluster.start({ script: expressApp });
  const load = new SessionLoad({ port: cluster.port, clients: 20, thinkMs: 5 });
  await cluster.until("the load runs", () => load.result.requests > 300);
  const { forwarders } = await cluster.status();
  process.kill(forwarders[0]?.pid ?? assert.fail(), "SIGKILL");
  await cluster.until("another forwarder is there", async () =>
    (await cluster.status()).forwarders.some(({ pid }) => pid !== forwarders[0]?.pid),
  );
  const before = load.result.requests;
  await cluster.until("the load goes on", () => load.result.requests > before + 500);
  const { failed, lost, stale, doubled } = await load.end();
  const unexpected = failed.filter((what) => !/ECONNRESET|socket hang up|a connection was reset/.test(what));
  assert.deepEqual(unexpected, [], "the listening socket was never closed");
  assert.deepEqual([lost, stale, doubled], [0, 0, 0]);
  // Each client has one connection: a request on it, and its end.
  assert.ok(failed.length <= 40, `${failed.length} failed`);
  const calm = new SessionLoad({ port: cluster.port, clients: 5, thinkMs: 5 });
  await cluster.until("a new load runs", () => calm.result.requests > 200);
  assert.deepEqual((await calm.end()).failed, []);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("kill -9 of the forwarder, and then of the monitor: status counts on from the requests that were before", {
  timeout: 180_000,
}, async () => {
  const cluster = await TestCluster.start({ script: expressApp, nodes: 1 });
  const requests = async () => (await cluster.status()).nodes[0]?.requestsTotal ?? 0;
  for (let sent = 0; sent < 5; sent += 1) await (await fetch(`http://127.0.0.1:${cluster.port}/items`)).text();
  await cluster.until("they are counted", async () => (await requests()) >= 5);
  const before = await cluster.status();
  process.kill(before.forwarders[0]?.pid ?? assert.fail(), "SIGKILL");
  await cluster.until("there is another forwarder", async () => {
    const pid = (await cluster.status()).forwarders[0]?.pid;
    return pid !== undefined && pid !== before.forwarders[0]?.pid;
  });
  process.kill(before.monitor.pid, "SIGKILL");
  await cluster.until("there is another monitor, and heard of the node", async () => {
    const { monitor, nodes } = await cluster.status();
    return monitor.pid !== before.monitor.pid && nodes[0]?.indicators["heapUsedBytes"] !== undefined;
  });
  assert.ok((await requests()) >= 5);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("kill -9 of a node: it is started again, others serve on, only POSTs in process there get a 502", { timeout: 300_000 }, async () => {
  const cluster = await TestCluster.start({ script: expressApp, nodes: 3 });
  const load = new SessionLoad({ port: cluster.port, clients: 20, thinkMs: 5 });
  await cluster.until("the load runs", () => load.result.requests > 300);
  const before = (await cluster.status()).nodes[0] ?? assert.fail();
  process.kill(before.pid ?? assert.fail(), "SIGKILL");
  await cluster.until("it was started again", async () => {
    const [node] = (await cluster.status()).nodes;
    return node?.state === "ready" && node.pid !== before.pid;
  });
  const { failed, lost, stale, doubled } = await load.end();
  assert.deepEqual([lost, stale, doubled], [0, 0, 0]);
  const unexpected = failed.filter((what) => !what.startsWith("POST: status 502"));
  assert.deepEqual(unexpected, []);
  const cut = failed.filter((what) => what.startsWith("POST: status 502")).length;
  assert.ok(cut <= 20, `${cut} POSTs were in process`);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("Coppice's own processes, all of them hanging: each is ended and started anew, and nobody who waited for the store is failed", {
  timeout: 300_000,
}, async () => {
  const cluster = await TestCluster.start({ script: expressApp });
  const load = new SessionLoad({ port: cluster.port, clients: 10, thinkMs: 5 });
  await cluster.until("the load runs", () => load.result.requests > 300);
  const before = await cluster.status();
  process.kill(before.replicator.pid ?? assert.fail(), "SIGSTOP");
  await cluster.until("another replicator is there", async () => (await cluster.status()).replicator.pid !== before.replicator.pid);
  const requests = load.result.requests;
  await cluster.until("the load goes on", () => load.result.requests > requests + 300);
  const { failed, lost, stale, doubled } = await load.end();
  const unexpected = failed.filter((what) => !/^(?:GET|POST): took \d+ ms$/.test(what));
  assert.deepEqual([unexpected, lost, stale, doubled], [[], 0, 0, 0], "they waited, and that was all");

  for (const pid of [before.monitor.pid, before.forwarders[0]?.pid ?? assert.fail()]) process.kill(pid, "SIGSTOP");
  const after = await cluster.status(); // waits for the next monitor
  assert.notEqual(after.monitor.pid, before.monitor.pid);
  await cluster.until("another forwarder serves", async () => {
    const { forwarders } = await cluster.status();
    return forwarders[0]?.pid !== before.forwarders[0]?.pid && (await fetch(`http://127.0.0.1:${cluster.port}/seen`)).status === 200;
  });
  assert.match(cluster.output, /replicator hangs: it has not answered for 15 s, and is ended/);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("a node whose event loop is blocked: it is ended and started anew, what it had in process is sent elsewhere, others serve on", {
  timeout: 300_000,
}, async () => {
  const stuck = join(tmpdir(), `coppice-stuck-${process.pid}`);
  rmSync(stuck, { force: true });
  const cluster = await TestCluster.start({ script: expressApp, env: { STUCK: stuck }, settings: { stuckTimeoutMs: 5_000 } });
  const before = (await cluster.status()).nodes;
  const answer = await fetch(`http://127.0.0.1:${cluster.port}/stick`);
  assert.equal(answer.status, 200);
  const { pid } = (await answer.json()) as { pid: number };
  assert.ok(before.some((node) => node.pid === pid));
  const stuckNode = before.find((node) => node.pid !== pid) ?? assert.fail();
  await cluster.until("it was started again", async () => {
    const node = (await cluster.status()).nodes.find(({ name }) => name === stuckNode.name);
    return node?.state === "ready" && node.pid !== stuckNode.pid;
  });
  const died = (await cluster.events()).filter(({ kind }) => kind === "instance-exited").map(({ text }) => text);
  // Where the monitor has its turn late, it is more.
  const [, instance, seconds] = /^(\S+) died: its event loop was stuck: nothing was heard of it for (\d+) s$/.exec(died.join("\n")) ?? [];
  assert.deepEqual([instance, Number(seconds) >= 5], [stuckNode.instance, true], died.join("\n"));
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(stuck);
});

test("kill -9 of init ends everything; the next start of the name finds the sessions", { timeout: 300_000 }, async () => {
  const cluster = await TestCluster.start({ script: expressApp });
  const { nodes, monitor, replicator, forwarders } = await cluster.status();
  const url = `http://127.0.0.1:${cluster.port}/items`;
  const made = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: '{"item":1}' });
  const cookie = made.headers.get("set-cookie")?.split(";")[0] ?? assert.fail();
  const exited = once(cluster.process, "exit"); // the others may live a moment longer
  cluster.process.kill("SIGKILL");
  await exited;
  const again = await TestCluster.start({ script: expressApp, home: cluster.home, port: cluster.port });
  const kept = await fetch(url, { headers: { cookie } });
  assert.deepEqual(await kept.json(), { items: [1] });
  const pids = [monitor.pid, replicator.pid, ...forwarders.map(({ pid }) => pid), ...nodes.map(({ pid }) => pid)];
  await again.until("all of the first life have ended", () => pids.every((pid) => !existsSync(`/proc/${pid}`)));
  assert.deepEqual(await again.stop(), { code: 0, left: [] });
});

test("kill -9 of init ends a server without a probe too, with all of its tree", { timeout: 180_000 }, async () => {
  const code = 'require("node:http").createServer((_, response) => response.end()).listen(process.env.PORT)';
  const command = `env -u NODE_OPTIONS ${process.execPath} -e '${code}'; true`; // a shell that stays in between
  const cluster = await TestCluster.start({ script: "sh", rest: ["-c", command], nodes: 1, args: ["--port", String(await freePort())] });
  const all = cluster.processes();
  assert.ok(all.length >= 6, "init, its three, the shell and the server");
  endAfterTest(() => {
    for (const pid of all.filter((one) => existsSync(`/proc/${one}`))) process.kill(pid, "SIGKILL");
  });
  cluster.process.kill("SIGKILL");
  const endMs = Date.now() + 60_000;
  while (all.some((pid) => existsSync(`/proc/${pid}`)) && Date.now() < endMs) await pause(20);
  assert.deepEqual(
    all.filter((pid) => existsSync(`/proc/${pid}`)),
    [],
  );
  rmSync(cluster.home, { recursive: true });
});

for (const { path, version } of runtimes()) {
  test(`the server on Node ${version}: regenerated under load, nothing noticed`, { timeout: 300_000 }, async () => {
    const cluster = await TestCluster.start({ script: expressApp, args: ["--node", path] });
    const load = new SessionLoad({ port: cluster.port, clients: 20, thinkMs: 5 });
    const seen = (await (await fetch(`http://127.0.0.1:${cluster.port}/seen`)).json()) as { version: string };
    assert.equal(seen.version, version);
    const outcome = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
    assert.equal(outcome.code, 0, outcome.stdout);
    const { failed, lost, stale, doubled } = await load.end();
    assert.deepEqual([failed, lost, stale, doubled], [[], 0, 0, 0]);
    assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  });
}
