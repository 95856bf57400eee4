/** A server that is taken for a fast leak in each of its lives: regenerated twice, then left to live, and a person is told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { TestCluster } from "./cluster.ts";

const settlingApp = fileURLToPath(new URL("./fixtures/settling-app.cjs", import.meta.url));

test("a node that regenerating helps too little is in quarantine after the second time, lives on, and leaves it when told", {
  timeout: 400_000,
}, async (t) => {
  const cluster = await TestCluster.start({
    script: settlingApp,
    nodes: 2,
    env: { NODE_OPTIONS: "--max-old-space-size=96" },
    settings: { minRegenerationIntervalMs: 0 }, // else it settles while it waits for its turn, and is let live then
  });
  const nothing = await cluster.command("resume", "--name", "t");
  assert.deepEqual([nothing.code, nothing.stdout], [0, "nothing had stopped\n"]);
  const quarantined = async () => (await cluster.status()).nodes.find(({ quarantine }) => quarantine !== null);
  await cluster.until("a node is in quarantine", async () => (await quarantined()) !== undefined, 240_000);
  const node = (await quarantined()) ?? assert.fail();
  const own = (await cluster.events()).filter((event) => event.node === node.name);
  assert.equal(own.filter(({ kind }) => kind === "regenerated").length, 2);
  const { text } = own.find(({ kind }) => kind === "node-quarantined") ?? assert.fail();
  t.diagnostic(text);
  const { stdout } = await cluster.command("status", "--name", "t");
  assert.match(stdout, new RegExp(`^${node.name} is in quarantine: regenerating helps it too little.*coppice resume ${node.name}$`, "m"));
  await cluster.until(
    "it has settled",
    async () => {
      const now = (await cluster.status()).nodes.find(({ name }) => name === node.name);
      assert.equal(now?.instance, node.instance, "it was not regenerated again");
      return now?.report?.verdict === "healthy";
    },
    240_000,
  );
  assert.equal((await cluster.command("resume", "web-9", "--name", "t")).code, 1);
  const resumed = await cluster.command("resume", node.name, "--name", "t");
  assert.deepEqual([resumed.code, resumed.stdout], [0, `out of quarantine: ${node.name}\n`]);
  assert.equal((await cluster.status()).nodes.find(({ name }) => name === node.name)?.quarantine, null);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});
