/** What people type, and what they see: start, status, wrong input, signals, the end. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { statFieldsOf } from "../../src/link/process-stat.ts";
import { endAfterTest } from "../left-open.ts";
import { notRoot } from "../small-disk.ts";
import { bin, freePort, TestCluster } from "./cluster.ts";
import { SessionLoad } from "./session-load.ts";

const expressApp = fileURLToPath(new URL("./fixtures/express-app.cjs", import.meta.url));
const plainApp = fileURLToPath(new URL("./fixtures/plain-app.mjs", import.meta.url));

test("an unmodified Express app sees what it saw without Coppice", { timeout: 180_000 }, async () => {
  const cluster = await TestCluster.start({ script: expressApp, rest: ["--flag", "a b"] });
  const answer = await fetch(`http://127.0.0.1:${cluster.port}/seen`, {
    headers: { "x-forwarded-for": "9.9.9.9", "X-Coppice-Client": "forged 1.2.3.4 5" },
  });
  const seen = (await answer.json()) as Record<string, unknown>;
  assert.equal(seen["ip"], "::ffff:127.0.0.1");
  assert.equal(seen["remoteAddress"], "::ffff:127.0.0.1");
  assert.equal(seen["host"], `127.0.0.1:${cluster.port}`);
  assert.deepEqual(seen["address"], { address: "::", family: "IPv6", port: cluster.port });
  assert.deepEqual(seen["argv"], [expressApp, "--flag", "a b"]);
  assert.deepEqual(seen["execArgv"], []);
  assert.equal(seen["nodeOptions"], process.env["NODE_OPTIONS"] ?? null);
  const headers = seen["headers"] as Record<string, string>;
  assert.equal(headers["x-forwarded-for"], "9.9.9.9");
  assert.equal(
    Object.keys(headers).some((name) => name.includes("coppice")),
    false,
  );
  assert.deepEqual((seen["own"] as string[]).sort(), ["COPPICE_GENERATION", "COPPICE_HOME", "COPPICE_NODE", "COPPICE_NODE_INDEX"]);
  assert.deepEqual(await cluster.stop("SIGINT"), { code: 0, left: [] });
});

test("a plain ES-module server bound to 127.0.0.1 is served there, --port overrides", { timeout: 180_000 }, async () => {
  const other = await TestCluster.startOnly({ script: plainApp });
  await other.stop("SIGKILL");
  const cluster = await TestCluster.start({ script: plainApp, args: ["--port", String(other.port)] });
  const answer = await fetch(`http://127.0.0.1:${other.port}/`, { method: "POST", body: "x".repeat(100_000) });
  const seen = (await answer.json()) as Record<string, unknown>;
  assert.deepEqual([seen["method"], seen["size"], seen["remote"], seen["port"]], ["POST", 100_000, "127.0.0.1", cluster.port]);
  assert.deepEqual((await cluster.status()).listeners, [{ address: "127.0.0.1", port: other.port }]);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(other.home, { recursive: true, force: true });
});

test("a second Ctrl-C, later, ends everything at once; when the command is back, nothing of the cluster is there any more", {
  timeout: 180_000,
}, async () => {
  const cluster = await TestCluster.start({ script: plainApp, nodes: 4 });
  const held = request({ host: "127.0.0.1", port: cluster.port, method: "POST" }); // it holds up an orderly stop
  held.on("error", () => {}).write("begun");
  await cluster.until("it is in process", async () => (await cluster.status()).nodes.some(({ inFlight }) => inFlight > 0));
  const all = cluster.processes();
  const living = new Promise<number[]>((resolve) => cluster.process.on("exit", () => resolve(all.filter(isThere))));
  cluster.process.kill("SIGINT");
  const again = setInterval(() => cluster.process.kill("SIGINT"), 100);
  const code = await cluster.exited;
  clearInterval(again);
  assert.deepEqual([code, await living, readdirSync(cluster.home)], [130, [], []]);
  assert.match(cluster.output, /ending at once/);
  rmSync(cluster.home, { recursive: true });
});

test("the monitor dies while the cluster is being stopped: the next one takes no end for a crash", { timeout: 180_000 }, async () => {
  const cluster = await TestCluster.start({ script: plainApp, settings: { stopTimeoutMs: 20_000 } });
  const { monitor, init } = await cluster.status();
  const held = request({ host: "127.0.0.1", port: cluster.port, method: "POST" }); // it holds up the stop
  held.on("error", () => {}).write("begun");
  await cluster.until("it is in process", async () => (await cluster.status()).nodes.some(({ inFlight }) => inFlight > 0));
  process.kill(init.pid, "SIGTERM");
  await cluster.until("it is being stopped", () => cluster.output.includes("is being stopped"));
  process.kill(monitor.pid, "SIGKILL");
  await cluster.until("the next one is there", () => cluster.output.includes("goes on from its journal"));
  held.end("and ended");
  assert.equal(await cluster.exited, 0);
  assert.doesNotMatch(cluster.output, /died|started again/);
  assert.deepEqual(readdirSync(cluster.home), []);
  rmSync(cluster.home, { recursive: true });
});

test("stop: what NODE_OPTIONS has Node do at the same signal is the server's, not init's", { timeout: 180_000 }, async () => {
  const cwd = mkdtempSync(join(tmpdir(), "coppice-e2e-cwd-"));
  const cluster = await TestCluster.start({ script: plainApp, nodes: 1, cwd, env: { NODE_OPTIONS: "--heapsnapshot-signal=SIGUSR2" } });
  const stopped = await cluster.command("stop");
  assert.deepEqual([stopped.code, await cluster.exited, readdirSync(cwd)], [0, 0, []], stopped.stderr);
  for (const directory of [cwd, cluster.home]) rmSync(directory, { recursive: true });
});

test("stop: a directory that cannot be removed is said, and all has ended in order", { timeout: 180_000, skip: notRoot }, async () => {
  const cluster = await TestCluster.start({ script: plainApp, nodes: 1 });
  const mounted = join(cluster.home, "t", "bin");
  mkdirSync(mounted);
  await promisify(execFile)("mount", ["-t", "tmpfs", "tmpfs", mounted]);
  endAfterTest(async () => {
    await promisify(execFile)("umount", ["--lazy", mounted]);
    rmSync(cluster.home, { recursive: true });
  });
  assert.deepEqual(await cluster.stop(), { code: 0, left: ["t"] });
  assert.match(cluster.output, /^coppice \| .*\/t could not be removed, the next start of "t" clears it \(.*busy/m);
  assert.doesNotMatch(cluster.output, /^ {4}at /m);
});

test("stop ends everything in order while clients send: nothing is left, every answer begun is whole", { timeout: 180_000 }, async () => {
  const cluster = await TestCluster.start({ script: expressApp });
  const { init, monitor, forwarders, replicator, nodes } = await cluster.status();
  const load = new SessionLoad({ port: cluster.port, clients: 10, thinkMs: 5 });
  await cluster.until("load runs", () => load.result.requests > 200);
  const result = await cluster.command("stop", "--name", "t");
  assert.equal(result.code, 0, result.stderr);
  assert.equal(await cluster.exited, 0);
  const { failed } = await load.end();
  const broken = failed.filter((what) => /status|answer broken|expected/.test(what));
  assert.deepEqual(broken, []);
  for (const pid of [init.pid, monitor.pid, replicator.pid, ...forwarders.map((one) => one.pid), ...nodes.map((one) => one.pid)]) {
    assert.equal(existsSync(`/proc/${pid}`), false, `process ${pid} is still there`);
  }
  assert.deepEqual(readdirSync(cluster.home), []);
});

test("kill -9 of the monitor interrupts no request; it recovers and regenerates on", { timeout: 300_000 }, async () => {
  const cluster = await TestCluster.start({ script: expressApp });
  const before = await cluster.status();
  const load = new SessionLoad({ port: cluster.port, clients: 10, thinkMs: 5 });
  const regenerating = cluster.command("regenerate", "--all", "--wait", "--name", "t");
  await cluster.until("a replacement was started", async () => (await cluster.events()).some(({ kind }) => kind === "replacement-started"));
  process.kill(before.monitor.pid, "SIGKILL");
  const outcome = await regenerating;
  assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr);
  const after = await cluster.status();
  const { failed } = await load.end();
  assert.deepEqual(failed, []);
  assert.notEqual(after.monitor.pid, before.monitor.pid);
  for (const [index, node] of before.nodes.entries()) assert.equal(after.nodes[index]?.generation, node.generation + 1);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("a release whose new instances never become ready: every regeneration fails, the old ones serve on", {
  timeout: 300_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-app-"));
  const script = join(directory, "server.cjs");
  writeFileSync(script, `require(${JSON.stringify(expressApp)});\n`);
  const cluster = await TestCluster.start({ script, settings: { startTimeoutMs: 10_000 } });
  const before = await cluster.status();
  const load = new SessionLoad({ port: cluster.port, clients: 10, thinkMs: 5 });
  for (const broken of ["process.exit(3);\n", "setInterval(() => {}, 1000);\n", "throw new Error('broken release');\n"]) {
    writeFileSync(script, broken);
    const outcome = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
    assert.equal(outcome.code, 1, outcome.stdout);
    assert.match(outcome.stdout, /web-1: failed/);
    assert.match(outcome.stdout, /web-2: failed/);
  }
  const after = await cluster.status();
  const { failed } = await load.end();
  assert.deepEqual(failed, []);
  assert.deepEqual(
    after.nodes.map(({ name, pid, state }) => ({ name, pid, state })),
    before.nodes.map(({ name, pid, state }) => ({ name, pid, state })),
  );
  assert.equal(after.regenerations.failed, 6);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(directory, { recursive: true });
});

test("Ctrl-C at a command that waits for what it ordered says that it goes on, and it does", { timeout: 180_000 }, async () => {
  const cluster = await TestCluster.start({ script: plainApp });
  const child = spawn(process.execPath, [bin, "regenerate", "web-1", "--wait"], { env: { ...process.env, COPPICE_HOME: cluster.home } });
  endAfterTest(() => child.kill("SIGKILL"));
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  const ended = once(child, "close");
  await once(child.stdout, "data");
  child.kill("SIGINT");
  assert.deepEqual(await ended, [130, null]);
  assert.equal(complaint, "coppice: what was ordered goes on   see: coppice events --follow\n");
  await cluster.until("web-1 is regenerated", async () => (await cluster.status()).regenerations.succeeded === 1);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("a taken port ends the run and says what to do", { timeout: 180_000 }, async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const cluster = await TestCluster.startOnly({ script: plainApp, env: { APP_PORT: String(address.port) } });
  assert.equal(await cluster.exited, 1);
  assert.match(cluster.output, new RegExp(`${address.port}[^\\n]*(in use|taken)`));
  assert.match(cluster.output, /--port/);
  server.close();
  const own = await freePort();
  const health = await TestCluster.startOnly({ script: plainApp, args: ["--health", `127.0.0.1:${own}`], env: { APP_PORT: String(own) } });
  assert.equal(await health.exited, 1);
  assert.match(health.output, new RegExp(`port ${own} is what --health was given: choose another one for it`));
});

test("what does not fit the cluster that runs is refused with a reason and an exit code", { timeout: 180_000 }, async () => {
  const cluster = await TestCluster.start({ script: expressApp });
  const earlier = join(cluster.home, "t.log");
  writeFileSync(earlier, "coppice | the cluster is being stopped\n");
  const refused: [string[], RegExp][] = [
    [["logs"], /"t" was not begun with coppice start: its output is where it runs \(.*t\.log is of an earlier one\)/],
    [["logs", "--follow", "--name", "t"], /was not begun with coppice start/],
    [["run", expressApp, "-n", "0"], /whole number from 1/],
    [["run", expressApp, "--name", "t"], /running already/],
    [["run", expressApp, "--node", "/bin/ls"], /is no Node/],
    [["regenerate", "web-9", "--name", "t"], /web-9.*web-1/],
    [["regenerate", "--name", "t"], /--all/],
    [["status", "--name", "nobody"], /running are: t/],
  ];
  for (const [args, reason] of refused) {
    const { code, stderr } = await cluster.command(...args);
    assert.notEqual(code, 0, args.join(" "));
    assert.match(stderr, reason, args.join(" "));
  }
  for (const command of ["run", "status", "regenerate", "events", "stop"]) {
    const { code, stdout } = await cluster.command(command, "--help");
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`Usage: coppice ${command}`));
  }
  rmSync(earlier);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

/** One that nobody has waited for yet is not. */
function isThere(pid: number): boolean {
  const [state = "X"] = statFieldsOf(pid) ?? [];
  return state !== "Z" && state !== "X";
}
