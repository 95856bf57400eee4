/** `coppice config` on a real cluster: settings change under load, outlive the monitor and the forwarder, and wrong ones change nothing. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { SettingsChanged, SettingsInForce } from "../../src/model/admin.ts";
import { TestCluster } from "./cluster.ts";
import { SessionLoad } from "./session-load.ts";
import { nearlyAlways } from "./times.ts";

const expressApp = fileURLToPath(new URL("./fixtures/express-app.cjs", import.meta.url));

const set = (cluster: TestCluster, ...given: string[]) => cluster.command("config", "set", "--name", "t", ...given);

async function inForce(cluster: TestCluster): Promise<Readonly<Record<string, unknown>>> {
  const { stdout, stderr } = await cluster.command("config", "--name", "t", "--json");
  assert.equal(stderr, "");
  const { settings } = JSON.parse(stdout) as SettingsInForce;
  return Object.fromEntries(settings.map(({ name, value }) => [name, value]));
}

/** How long a connection is kept that asks for nothing. Not of one that has been answered: of those the load has some, and a machine may keep its clients that long. */
async function keptMs(port: number): Promise<number> {
  const sinceMs = Date.now();
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  await once(socket.resume(), "close");
  return Date.now() - sinceMs;
}

test("settings change under load and nobody notices; the monitor is killed at once and has them, the forwarder too", {
  timeout: 180_000,
}, async () => {
  const cluster = await TestCluster.start({ script: expressApp, settings: { minReadyMs: 200 } });
  const load = new SessionLoad({ port: cluster.port, clients: 10, thinkMs: 20 });
  const before = await cluster.status();
  const changed = await set(
    cluster,
    "drainTimeoutMs=45_000",
    "mode=observe",
    "quietMs=8000",
    "parkedMax=500",
    "headTimeoutMs=1500",
    "--json",
  );
  process.kill(before.monitor.pid, "SIGKILL");
  const { changes, inForce: at } = JSON.parse(changed.stdout) as SettingsChanged;
  assert.equal(at, true);
  assert.deepEqual(
    changes.map(({ name, from, to, acts }) => [name, from, to, acts]),
    [
      ["drainTimeoutMs", 30_000, 45_000, "at-once"],
      ["quietMs", 100, 8_000, "new-instances"],
      ["parkedMax", 1_000, 500, "at-once"],
      ["headTimeoutMs", 60_000, 1_500, "at-once"],
      ["mode", "automatic", "observe", "at-once"],
    ],
  );
  await cluster.until("there is another monitor", async () => (await cluster.status()).monitor.pid !== before.monitor.pid);
  const now = await inForce(cluster);
  assert.deepEqual([now["drainTimeoutMs"], now["mode"], now["quietMs"], now["parkedMax"]], [45_000, "observe", 8_000, 500]);
  const again = await set(cluster, "mode=observe", "parkedMax=500");
  assert.deepEqual([again.code, again.stdout], [0, "nothing changes: it is so already\n"]);

  // An instance has what was in force when it was started: the first drain is a quick one, the second is not. It is fenced a little before its drain counts.
  for (const round of [1, 2]) {
    assert.equal((await cluster.command("regenerate", "web-1", "--wait", "--name", "t")).code, 0);
    const drained = (await cluster.events()).filter(({ kind }) => kind === "drained").at(-1);
    assert.equal(Number(drained?.facts["tookMs"]) >= 7_000, round === 2, drained?.text);
  }
  const { failed, lost, stale, doubled } = await load.end();
  assert.deepEqual([failed, lost, stale, doubled], [[], 0, 0, 0]);

  const kept = await keptMs(cluster.port);
  assert.ok(kept >= 1_500 && kept < 30_000, `${kept} ms`);
  const forwarder = (await cluster.status()).forwarders[0]?.pid ?? assert.fail("it is there");
  process.kill(forwarder, "SIGKILL");
  await cluster.until(
    "there is another forwarder",
    async () => ![undefined, null, forwarder].includes((await cluster.status()).forwarders[0]?.pid),
  );
  const keptByNext = await keptMs(cluster.port);
  assert.ok(keptByNext >= 1_500 && keptByNext < 30_000, `${keptByNext} ms`);
  const said = (await cluster.events()).filter(({ kind }) => kind === "settings-changed").map(({ text }) => text);
  assert.deepEqual(said, [
    "settings were changed: drainTimeoutMs 30000 -> 45000, quietMs 100 -> 8000 for instances that are started from now on, parkedMax 1000 -> 500, headTimeoutMs 60000 -> 1500, mode automatic -> observe",
  ]);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("a wrong setting changes nothing and says what is accepted; a dry run changes nothing; of two at once both are there", {
  timeout: 300_000,
}, async () => {
  const cluster = await TestCluster.start({ script: expressApp, nodes: 1, settings: { maxAgeMs: 3_600_000 } });
  const before = await inForce(cluster);
  const wrong: [string[], RegExp][] = [
    [["drainTimeoutMs=5", "drainTimeout=5"], /^coppice: there is no setting "drainTimeout"; did you mean "drainTimeoutMs"\?\n$/],
    [
      ["mode=observe", "drainTimeoutMs=5s"],
      /^coppice: drainTimeoutMs is "5s"; accepted is a whole number from 0 to 86400000 milliseconds, without a unit\n$/,
    ],
    [["mode=observe", "parkedMax=1000001"], /accepted is a whole number from 0 to 1000000/],
    [
      ["mode=observe", "memoryLimitBytes=1000000000"],
      /^coppice: memoryLimitBytes cannot change while the cluster runs: stop it, and start it with --set memoryLimitBytes=1000000000\. Nothing was changed\n$/,
    ],
    [["mode"], /^coppice: "mode" is no setting=value; expected is one as in drainTimeoutMs=60000\n$/],
  ];
  for (const [given, message] of wrong) {
    const { code, stderr } = await set(cluster, ...given);
    assert.equal(code, 1);
    assert.match(stderr, message);
  }
  const dry = await set(cluster, "mode=observe", "forbiddenTimes=Mon-Fri 08:00-18:00", "sessionStoreTimeoutMs=5000", "--dry-run");
  assert.deepEqual(dry.stdout.split("\n"), [
    "sessionStoreTimeoutMs: 30000 -> 5000 ms, for each instance started from now on",
    "forbiddenTimes: - -> Mon-Fri 08:00-18:00, at once",
    "mode: automatic -> observe, at once",
    "a dry run: nothing was changed",
    "",
  ]);
  const after = await inForce(cluster);
  assert.deepEqual(after, before);
  const both = await Promise.all([set(cluster, "horizonMs=60000", "maxRequests=7"), set(cluster, "maxRequests=8", "stuckTimeoutMs=0")]);
  assert.deepEqual(
    both.map(({ code }) => code),
    [0, 0],
  );
  const { horizonMs, stuckTimeoutMs, maxRequests } = await inForce(cluster);
  assert.deepEqual([horizonMs, stuckTimeoutMs], [60_000, 0]);
  assert.ok(maxRequests === 7 || maxRequests === 8);
  assert.equal((await cluster.command("config", "get", "horizonMs", "--name", "t")).stdout, "60000\n");
  assert.match((await cluster.command("config", "--name", "t")).stdout, /^horizonMs +60000 +ms +set \(default 1800000\) +at once$/m);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("a node that waits to be told is regenerated once the mode is automatic, and a maximum age that is set later is kept", {
  timeout: 300_000,
}, async () => {
  const settings = { mode: "supervised", minReadyMs: 200, minRegenerationIntervalMs: 1_000 };
  const cluster = await TestCluster.start({ script: expressApp, settings });
  assert.equal((await set(cluster, "maxAgeMs=3000")).code, 0);
  await cluster.until("a node waits", async () =>
    (await cluster.status()).nodes.some(({ waits }) => waits?.startsWith("to be told") === true),
  );
  assert.ok((await cluster.status()).nodes.every(({ generation }) => generation === 1));
  assert.equal((await set(cluster, "mode=automatic")).code, 0);
  await cluster.until("it is regenerated", async () => (await cluster.status()).regenerations.succeeded > 0);
  assert.equal((await set(cluster, `forbiddenTimes=${nearlyAlways()}`)).code, 0);
  await cluster.until("they wait for a better time", async () =>
    (await cluster.status()).nodes.some(({ waits }) => waits === "no regeneration begins now (forbiddenTimes)"),
  );
  const { facts } = (await cluster.events()).findLast(({ kind }) => kind === "regeneration-admitted") ?? assert.fail("there is none");
  assert.equal(facts["origin"], "max-age");
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});
