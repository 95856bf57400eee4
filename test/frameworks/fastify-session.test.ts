/** @fastify/session's default store: parallel requests of one session, on whatever nodes, keep each other's writes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort, TestCluster } from "../e2e/cluster.ts";

const app = fileURLToPath(new URL("../e2e/fixtures/fastify-session.mjs", import.meta.url));

test("two requests that read the same session and write different keys of it at once: both stand", { timeout: 300_000 }, async () => {
  const port = await freePort();
  const cluster = await TestCluster.start({ script: app, port, env: { PORT: String(port) } });
  const url = `http://127.0.0.1:${port}`;
  const first = await fetch(`${url}/set/0`, { method: "POST" });
  const cookie = first.headers.get("set-cookie")?.split(";")[0] ?? "";
  assert.match(cookie, /^greenwood=/);
  for (let round = 0; round < 10; round += 1) {
    // Both have read before either writes: the application waits for the other one.
    const pair = [1, 2].map((key) => fetch(`${url}/set/${round * 2 + key}?wait=50`, { method: "POST", headers: { cookie } }));
    for (const answer of await Promise.all(pair)) assert.equal(answer.status, 200);
  }
  const { keys } = (await (await fetch(`${url}/keys`, { headers: { cookie } })).json()) as { keys: number[] };
  assert.deepEqual(
    keys.toSorted((a, b) => a - b),
    Array.from({ length: 21 }, (_, key) => key),
  );
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("a value that JSON does not keep, as the default store in one process does, is named once", { timeout: 300_000 }, async () => {
  const port = await freePort();
  const cluster = await TestCluster.start({ script: app, port, env: { PORT: String(port) } });
  const lost = async () => (await cluster.status()).notices.filter(({ code }) => code === "session-value-lost");
  for (const path of ["set/0", "live", "live"]) await fetch(`http://127.0.0.1:${port}/${path}`, { method: "POST" });
  await cluster.until("it is named", async () => (await lost()).length > 0);
  assert.match((await lost())[0]?.text ?? "", /^the session's `cart` is or holds a Map/);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});
