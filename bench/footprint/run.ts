/**
 * What Coppice itself takes of the machine's memory: `node bench/footprint/run.ts [--nodes 2] [--seconds 20]
 * [--memory 512]`, the last as if the machine had so many MiB.
 * Starts a cluster with a session app, measures each of Coppice's own processes idle and after load with
 * regenerations, and prints a table. PSS counts a page that several processes share in parts: only that adds up.
 */
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import type { ClusterStatus } from "../../src/model/admin.ts";
import { bin, freePort } from "../../test/e2e/cluster.ts";
import { SessionLoad } from "../../test/e2e/session-load.ts";
import { atEnd } from "../ending.ts";

const { values } = parseArgs({
  options: {
    nodes: { type: "string", default: "2" },
    seconds: { type: "string", default: "20" },
    memory: { type: "string", default: "0" },
  },
});
const app = fileURLToPath(new URL("../../test/e2e/fixtures/express-app.cjs", import.meta.url));
const clients = 40;
const idleMs = 5_000;

const home = mkdtempSync(join(tmpdir(), "coppice-footprint-"));
atEnd(() => rmSync(home, { recursive: true, force: true }));
const port = await freePort();
const env = { ...process.env, COPPICE_HOME: home, APP_PORT: String(port) };
const coppice = async (...args: string[]) => (await promisify(execFile)(process.execPath, [bin, ...args], { env })).stdout;
const status = async () => JSON.parse(await coppice("status", "--json")) as ClusterStatus; // our own command's JSON

const memory = `memoryLimitBytes=${Number(values.memory) * 1024 * 1024}`;
const init = spawn(process.execPath, [bin, "run", app, "-n", values.nodes, "--name", "f", "--set", memory], { env, stdio: "ignore" });
const ended = atEnd(() => spawnSync(process.execPath, [bin, "stop"], { env, stdio: "ignore" }));
await untilReady();
await pause(idleMs);
const idle = await measure();
const load = new SessionLoad({ port, clients });
await coppice("regenerate", "--all", "--wait");
await pause(Number(values.seconds) * 1_000);
const loaded = await measure();
const { requests, failed } = await load.end();
init.kill("SIGTERM");
await once(init, "exit");
ended();

process.stdout.write(`${requests} requests of ${clients} clients, ${failed.length} failed\n\n`);
process.stdout.write("| process | idle RSS | idle PSS | loaded RSS | loaded PSS |\n|---|---|---|---|---|\n");
for (const name of idle.keys()) row(name, idle.get(name), loaded.get(name));
row("together", sum(idle), sum(loaded));

interface Memory {
  readonly rss: number;
  readonly pss: number;
}

async function untilReady(): Promise<void> {
  for (;;) {
    const now = await status().catch(() => null);
    if (now?.nodes.every(({ state }) => state === "ready")) return;
    await pause(100);
  }
}

async function measure(): Promise<Map<string, Memory>> {
  const { init, monitor, forwarders, replicator } = await status();
  const own = [{ id: "init", ...init }, { id: "monitor", ...monitor }, ...forwarders, { id: "replicator", ...replicator }];
  return new Map(own.map(({ id, pid }) => [id, memoryOf(pid ?? 0)]));
}

function memoryOf(pid: number): Memory {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
  const mebibytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(rollup)?.[1]) / 1024;
  return { rss: mebibytes("Rss"), pss: mebibytes("Pss") };
}

function sum(all: ReadonlyMap<string, Memory>): Memory {
  return [...all.values()].reduce((one, other) => ({ rss: one.rss + other.rss, pss: one.pss + other.pss }));
}

function row(name: string, before?: Memory, after?: Memory): void {
  const cells = [before?.rss, before?.pss, after?.rss, after?.pss].map((mebibytes) => `${Math.round(mebibytes ?? 0)} MiB`);
  process.stdout.write(`| ${name} | ${cells.join(" | ")} |\n`);
}
process.exit(0); // before the test runner, which the load brings along, has its say
