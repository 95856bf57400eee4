/** `coppice/state` in a real cluster: what an application keeps in maps and checkpoints outlives its processes. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { TestCluster } from "./cluster.ts";

const app = fileURLToPath(new URL("./fixtures/state-app.mjs", import.meta.url));

interface Counts {
  readonly node: string;
  readonly own: number;
  readonly hits: number;
}

async function ask(port: number, path: string): Promise<Counts> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text) as Counts; // the fixture's
}

for (const command of ["node", "npm"] as const) {
  test(`maps and checkpoints over regenerations under load, started with ${command}`, { timeout: 180_000 }, async () => {
    const script = command === "node" ? app : process.execPath;
    const cluster = await TestCluster.start({ script, rest: command === "node" ? [] : [app], nodes: 2 });
    const own: Record<string, number> = {};
    let hits = 0;
    let ending = false;
    const client = async () => {
      while (!ending) {
        const { node } = await ask(cluster.port, "/own");
        own[node] = (own[node] ?? 0) + 1;
        await ask(cluster.port, "/hit");
        hits += 1;
      }
    };
    const clients = Promise.all(Array.from({ length: 4 }, client));
    const runs = cluster.until("the load runs", () => hits > 50 && Object.keys(own).length === 2);
    await Promise.race([runs, clients]);
    for (let round = 0; round < 2; round += 1) {
      const outcome = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
      assert.equal(outcome.code, 0, outcome.stdout);
    }
    ending = true;
    await clients;
    const seen: Record<string, number> = {};
    await cluster.until("both were asked", async () => {
      const { node, own: count } = await ask(cluster.port, "/");
      seen[node] = count;
      return Object.keys(seen).length === 2;
    });
    assert.deepEqual(seen, own, "each node has counted on");
    assert.equal((await ask(cluster.port, "/")).hits, hits);
    const texts = (await cluster.events()).map(({ text }) => text);
    assert.equal(texts.filter((text) => / is being regenerated in place: requested/.test(text)).length, 4);
    assert.equal(texts.filter((text) => /its own hooks save and restore/.test(text)).length, 1);
    assert.match(cluster.output, /web-1\.1 cordoned true/);
    assert.equal((await cluster.status()).replicator?.sessions, 0, "what it keeps are no sessions");
    assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  });
}

test("after a crash nothing is restored, and maps are there", { timeout: 300_000 }, async () => {
  const cluster = await TestCluster.start({ script: app, nodes: 1 });
  for (let round = 0; round < 3; round += 1) await ask(cluster.port, "/own");
  await ask(cluster.port, "/hit");
  await cluster.command("regenerate", "web-1", "--wait", "--name", "t");
  assert.deepEqual(await ask(cluster.port, "/own"), { node: "web-1", own: 4, hits: 1 });
  const [node] = (await cluster.status()).nodes;
  assert.ok(node?.pid);
  process.kill(node.pid, "SIGKILL");
  await cluster.until("it was restarted", async () => (await cluster.status()).nodes[0]?.generation === 3);
  assert.deepEqual(await ask(cluster.port, "/own"), { node: "web-1", own: 1, hits: 1 });
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("without Coppice the same server runs, with maps of its own memory", { timeout: 180_000 }, async () => {
  const child = spawn(process.execPath, [app], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(child.stdout, "data");
  const port = Number(/port (\d+)/.exec(String(line))?.[1]);
  await ask(port, "/hit");
  assert.deepEqual(await ask(port, "/hit"), { node: "alone", own: 0, hits: 2 });
  child.kill();
  await once(child, "exit");
});
