/** express-session answers with Coppice's store as it does with its own: the same server, with and without Coppice, is asked the same. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { endAfterTest } from "../left-open.ts";
import { freePort, TestCluster } from "./cluster.ts";

const script = fileURLToPath(new URL("./fixtures/session-app.cjs", import.meta.url));

const heapApp = fileURLToPath(new URL("./fixtures/heap-app.cjs", import.meta.url));

/** A browser asks these, in this order. */
const paths = [
  ...["/show", "/login", "/show", "/count", "/remember", "/show", "/show", "/login", "/forget", "/show", "/all", "/text"],
  ...["/save", "/show", "/reload", "/show", "/regenerate", "/show", "/count", "/destroy", "/show", "/count"],
  ...["/rolling/login", "/rolling/show", "/rolling/show", "/login", "/unset", "/show", "/clear", "/count", "/all"],
  ...["/throw", "/show", "/login"],
];

async function answers(port: number): Promise<string[]> {
  const jar = new Map<string, string>();
  const said: string[] = [];
  for (const path of paths) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { cookie } });
    const set = answer.headers.getSetCookie();
    for (const one of set) {
      const [pair = ""] = one.split(";");
      jar.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
    }
    const told = set.map((one) => one.replace(/=[^;]*;/, ";").replace(/Expires=([^;]+)/, (_, at: string) => `Expires=${inSeconds(at)}`));
    const body = (await answer.text())
      .replace(/"expires":"([^"]+)"/g, (_, at: string) => `"expires":${inSeconds(at)}`)
      .replace(/"originalMaxAge":(\d+)/g, (_, ms: string) => `"originalMaxAge":${Math.round(Number(ms) / 1_000)}`);
    said.push(`${path} ${answer.status} ${body} ${told.join(" ")}`);
  }
  return said;
}

function inSeconds(at: string): string {
  return `in ${Math.round((new Date(at).getTime() - Date.now()) / 10_000)}0 s`;
}

test("express-session: its answers and its cookies are the same with Coppice's store as with its own", { timeout: 180_000 }, async () => {
  const port = await freePort();
  const bare = spawn(process.execPath, [script], { env: { ...process.env, APP_PORT: String(port) }, stdio: "inherit" });
  endAfterTest(() => bare.kill("SIGKILL"));
  const cluster = await TestCluster.start({ script });
  await cluster.until("the bare one listens too", async () => (await fetch(`http://127.0.0.1:${port}/show`)).status === 200);
  assert.deepEqual(await answers(cluster.port), await answers(port));
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("sessions beyond a small heap leave it to the application: what is kept of them there is a small part of it", {
  timeout: 180_000,
}, async () => {
  const sessions = 240;
  const cluster = await TestCluster.start({
    script: heapApp,
    nodes: 1,
    settings: { mode: "observe" },
    env: { NODE_OPTIONS: "--max-old-space-size=64" },
  });
  const ask = async (path: string) => (await fetch(`http://127.0.0.1:${cluster.port}${path}`)).text();
  const before = Number(await ask("/heap"));
  for (let asked = 0; asked < sessions; asked += 1) assert.equal(await ask("/fill"), "filled");
  const keptMiB = (Number(await ask("/heap")) - before) / 1024 / 1024;
  assert.ok(keptMiB < 7, `${keptMiB.toFixed(1)} MiB of ${(sessions * 50) / 1024} are kept in the heap`);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("a client that sends its session's identifier under ever new names of cookies does not fill the journal", {
  timeout: 180_000,
}, async () => {
  const cluster = await TestCluster.start({ script });
  const ask = (cookie: string) => fetch(`http://127.0.0.1:${cluster.port}/login`, { headers: { cookie } });
  const cookie = (await ask("")).headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const value = cookie.slice(cookie.indexOf("=") + 1);
  const more = Array.from({ length: 100 }, (_, index) => `name-${index}=${value}`);
  assert.equal((await ask([cookie, ...more].join("; "))).status, 200);
  const learned = () => readFileSync(join(cluster.home, "t", "journal.jsonl"), "utf8").match(/"kind":"affinity-cookie"/g)?.length ?? 0;
  await cluster.until("the cookies are learned", () => learned() > 0);
  const { code } = await cluster.command("regenerate", "web-1", "--wait", "--name", "t"); // what came behind them has come
  assert.equal(code, 0);
  assert.ok(learned() <= 16, `${learned()} cookies in the journal, of two nodes`);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});
