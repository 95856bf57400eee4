/** Servers that cannot be clustered as they are: each ends with words on what to do. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { TestCluster } from "./cluster.ts";

const servers: readonly [string, string, RegExp][] = [
  [
    "HTTPS inside the application",
    'require("node:https").createServer(() => {}).listen(process.env.APP_PORT)',
    /cannot be started: it did not listen[\s\S]*HTTPS inside the application.*--tls-cert/,
  ],
  [
    "node:cluster inside the application",
    `const cluster = require("node:cluster");
     if (cluster.isPrimary) cluster.fork(); else require("node:http").createServer(() => {}).listen(process.env.APP_PORT);`,
    /cannot be started: it [\s\S]*workers of node:cluster.*say how many there are to be with -n/,
  ],
  [
    "a port that is not HTTP's",
    'require("node:net").createServer(() => {}).listen(process.env.APP_PORT, "127.0.0.1")',
    /cannot be started: it did not listen[\s\S]*is not HTTP.*COPPICE_NODE_INDEX/,
  ],
  [
    "a Unix socket",
    'require("node:http").createServer(() => {}).listen(process.env.COPPICE_HOME + "/t/" + process.env.COPPICE_NODE)',
    /cannot be started: it did not listen[\s\S]*listens on a Unix socket .* Let it listen on one/,
  ],
];

for (const [name, code, expected] of servers) {
  test(`${name}: the run ends and says what to do`, { timeout: 180_000 }, async () => {
    const directory = mkdtempSync(join(tmpdir(), "coppice-app-"));
    const script = join(directory, "server.cjs");
    writeFileSync(script, code);
    const cluster = await TestCluster.startOnly({ script, settings: { startTimeoutMs: 10_000 } });
    assert.equal(await cluster.exited, 1);
    assert.match(cluster.output, expected);
    assert.deepEqual(readdirSync(cluster.home), []);
    rmSync(directory, { recursive: true });
  });
}

test("the inspector's one port: each node is told how to have its own, and serves all the same", { timeout: 180_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-app-"));
  const script = join(directory, "server.cjs");
  writeFileSync(script, 'require("node:http").createServer((q, r) => r.end("here")).listen(process.env.APP_PORT)');
  const advice = async (options: string) => {
    const cluster = await TestCluster.start({ script, env: { NODE_OPTIONS: options } });
    await cluster.until("its first sample", async () =>
      (await cluster.status()).nodes.every(({ indicators }) => (indicators["heapUsedBytes"] ?? 0) > 0),
    );
    const { notices } = await cluster.status();
    assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
    return notices.map(({ code }) => code);
  };
  assert.deepEqual(await advice("--inspect-port=127.0.0.1:9777"), ["inspector"]);
  assert.deepEqual(await advice("--inspect=0 --no-deprecation"), []);
  rmSync(directory, { recursive: true });
});

test("a server that closes its port and lives on: it is started anew when it does not listen again in time", {
  timeout: 180_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-app-"));
  const script = join(directory, "server.cjs");
  writeFileSync(
    script,
    `const server = require("node:http").createServer((q, r) => r.end(String(process.pid)));
     server.listen(process.env.APP_PORT);
     process.on("SIGUSR2", () => server.close());
     setInterval(() => {}, 1_000);`,
  );
  const cluster = await TestCluster.start({ script, nodes: 1, settings: { startTimeoutMs: 10_000 } });
  const { pid } = (await cluster.status()).nodes[0] ?? assert.fail();
  process.kill(pid ?? assert.fail(), "SIGUSR2");
  await cluster.until("it is no longer called ready", async () => (await cluster.status()).nodes[0]?.state !== "ready");
  const served = await (await fetch(`http://127.0.0.1:${cluster.port}/`)).text();
  assert.notEqual(Number(served), pid);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(directory, { recursive: true });
});
