/**
 * As in a container: process 1 of its namespace, a root file system that is read-only, a user without rights.
 * No container engine is needed, but root is (CI is); the memory limit is a control group's.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { endAfterTest } from "../left-open.ts";
import { bin, type Container, freePort, root, TestCluster } from "./cluster.ts";
import { ControlGroup } from "./control-group.ts";
import { SessionLoad } from "./session-load.ts";

const app = fileURLToPath(new URL("./fixtures/container-app.cjs", import.meta.url));
/** No account of this machine. */
const uid = 54_321;
const skip = process.getuid?.() === 0 ? false : "only root can make namespaces here";

/** `home` is a tmpfs; all else that there is cannot be written. */
function container(home: string, { as = "" }: { as?: string } = {}): Container {
  const place = mkdtempSync(join(tmpdir(), "coppice-package-"));
  chmodSync(place, 0o755);
  process.on("exit", () => rmSync(place, { recursive: true, force: true }));
  const setUp = [
    "set -e",
    `mount --bind '${root}' '${place}'`,
    `mount -t tmpfs -o mode=1777 tmpfs '${home}'`,
    "mount -o remount,bind,ro /",
    "unset HOME",
    `cd '${place}'`,
    `exec ${as} "$@"`,
  ];
  return { setUp: setUp.join("\n"), root: place };
}

async function at<Answer>(port: number, path: string): Promise<Answer> {
  return (await (await fetch(`http://127.0.0.1:${port}${path}`)).json()) as Answer; // the fixture's
}

async function health(port: number, path: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`);
  return `${answer.status} ${(await answer.text()).trim()}`;
}

interface Seen {
  readonly pid: number;
  readonly state: string;
}

test("in a container without rights, read-only: orphans are reaped, health is told, logs are JSON, it regenerates and stops in time", {
  timeout: 300_000,
  skip,
}, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-e2e-"));
  const [port, healthPort] = [await freePort(), await freePort()];
  const cluster = await TestCluster.start({
    script: app,
    home,
    port,
    args: ["--health", `127.0.0.1:${healthPort}`, "--log-format", "json"],
    container: container(home, { as: `setpriv --reuid ${uid} --regid ${uid} --clear-groups` }),
  });
  assert.equal((await at<{ uid: number }>(port, "/who")).uid, uid);

  const orphans = await at<number[]>(port, "/orphans");
  assert.equal(orphans.length, 10);
  await cluster.until("no orphan is left, not as a zombie either", async () => {
    const left = await at<Seen[]>(port, "/processes");
    assert.equal(left.find(({ pid }) => pid === 1)?.state, "S");
    return !left.some(({ pid }) => orphans.includes(pid));
  });

  assert.deepEqual([await health(healthPort, "/live"), await health(healthPort, "/ready")], ["200 2 nodes serve", "200 2 nodes serve"]);
  assert.match(await health(healthPort, "/"), /^404 /);
  const load = new SessionLoad({ port, clients: 4, thinkMs: 5 });
  const outcome = await cluster.command("regenerate", "web-1", "--wait", "--name", "t");
  assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr);
  assert.deepEqual((await load.end()).failed, []);
  const { monitor } = await cluster.status();
  const stopped = await cluster.stop();
  assert.equal(stopped.code, 0, "an orderly end is 0, through the shell that reaps too");
  assert.ok(monitor.pid > 1);

  const lines = cluster.output
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>); // each line is one object: that is what is tested
  const ofNode = lines.filter(({ source }) => source === "web-1").map(({ stream, text }) => ({ stream, text }));
  assert.deepEqual(
    ofNode.slice(0, 2).sort((one, other) => (String(one.stream) < String(other.stream) ? 1 : -1)),
    [
      { stream: "stdout", text: "a line\ton standard output" },
      { stream: "stderr", text: "a line on standard error" },
    ],
  );
  assert.ok(lines.every(({ time }) => !Number.isNaN(Date.parse(String(time)))));
  assert.ok(lines.some(({ source, text }) => source === "coppice" && String(text).startsWith("stopping (SIGTERM)")));
});

test("coppice start as a container's first process says that the container ends with it, and what to type instead", {
  timeout: 180_000,
  skip,
}, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-e2e-"));
  const start = ["--pid", "--fork", "--mount-proc", "--kill-child", process.execPath, bin, "start", app, "-n", "1", "--name", "first"];
  const env = { ...process.env, COPPICE_HOME: home, APP_PORT: String(await freePort()) };
  const { stderr } = await promisify(execFile)("unshare", start, { env });
  assert.match(stderr, /process 1, which ends when the nodes serve, and with it the container .*coppice run stays/);
  rmSync(home, { recursive: true });
});

test("socket activation of a container: its first process takes the sockets that it was handed", { timeout: 180_000, skip }, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-e2e-"));
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = Object(server.address());
  const descriptor = Number(Reflect.get(Object(Reflect.get(server, "_handle")), "fd")); // Node's own, in no declaration
  const run = ["--pid", "--fork", "--mount-proc", "--kill-child", process.execPath, bin, "run", app, "-n", "1", "--name", "first"];
  const child = spawn("unshare", run, {
    env: { ...process.env, COPPICE_HOME: home, APP_PORT: String(port), LISTEN_PID: "1", LISTEN_FDS: "1" },
    stdio: ["ignore", "pipe", "pipe", descriptor],
  });
  endAfterTest(() => child.kill("SIGKILL"));
  server.close();
  for await (const said of createInterface(child.stdout ?? assert.fail())) if (said.includes("listening on")) break;
  assert.ok((await fetch(`http://127.0.0.1:${port}/`)).status < 500);
  child.kill("SIGKILL");
  await once(child, "exit");
  rmSync(home, { recursive: true });
});

interface Reach {
  readonly admin: boolean;
  readonly control: boolean;
  readonly store: boolean;
  readonly list: boolean;
  readonly files: readonly string[];
  readonly write: readonly string[];
}

test("--user: the server and the forwarder have that user's rights alone, reach what they need, and keep sessions", {
  timeout: 300_000,
  skip,
}, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-e2e-"));
  const port = await freePort();
  const cluster = await TestCluster.start({ script: app, home, port, args: ["--user", String(uid)], container: container(home) });
  const who = await at<Record<string, unknown>>(port, "/who");
  assert.deepEqual([who["uid"], who["gid"], who["groups"], who["home"]], [uid, uid, [uid], "/"]);
  assert.deepEqual(await at<Reach>(port, "/reach"), { admin: false, control: true, store: true, list: false, files: [], write: ["i"] });
  assert.doesNotMatch(cluster.output, /WARNING/);

  const load = new SessionLoad({ port, clients: 4, thinkMs: 5 });
  const outcome = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
  assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr);
  const { failed, lost, posts } = await load.end();
  assert.deepEqual([failed, lost, posts > 0], [[], 0, true]);

  const all = cluster.processes();
  const of = (pid: number, file: string) => readFileSync(`/proc/${pid}/${file}`, "latin1");
  const uids = Object.fromEntries(all.map((pid) => [of(pid, "comm").trim(), Number(/^Uid:\t(\d+)/m.exec(of(pid, "status"))?.[1])]));
  // The kernel keeps 15 characters of a name.
  assert.deepEqual([uids["coppice monitor"], uids["coppice replica"], uids["coppice forward"]], [0, 0, uid]);

  // Keys, tokens and marks are hexadecimal, 32 digits and more. What the test itself was given is not ours.
  const given = new Set(Object.entries(process.env).map(([name, value]) => `${name}=${value}`));
  const environments = all.flatMap((pid) =>
    of(pid, "environ")
      .split("\0")
      .filter((pair) => !given.has(pair)),
  );
  const commandLines = all.map((pid) => of(pid, "cmdline"));
  assert.ok(environments.includes("COPPICE_NODE=web-1"));
  for (const text of [...environments, ...commandLines, ...filesOf(cluster), cluster.output]) assert.doesNotMatch(text, /[0-9a-f]{32}/);
  assert.equal((await cluster.stop()).code, 0);
});

/** What lies in the cluster's directory, but for the sessions. */
function filesOf(cluster: TestCluster): string[] {
  const directory = join(`/proc/${cluster.processes().at(-1)}/root`, cluster.home, "t");
  const files = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile() && !entry.name.startsWith("sessions"));
  assert.deepEqual(files.map(({ name }) => name).sort(), ["events.jsonl", "init.json", "journal.jsonl"]);
  return files.map(({ name }) => readFileSync(join(directory, name), "latin1"));
}

const mebibyte = 1024 * 1024;
const probe = process.getuid?.() === 0 ? ControlGroup.make(mebibyte) : null;
probe?.remove();

test("in 512 MiB two leaking nodes are regenerated beside each other, in 256 MiB one in its own place: nobody is killed, nothing is lost", {
  timeout: 300_000,
  skip: probe === null ? "no control groups with a memory limit can be made here" : false,
}, async () => {
  for (const { limitBytes, nodes, surge } of [
    { limitBytes: 512 * mebibyte, nodes: 2, surge: 1 },
    { limitBytes: 256 * mebibyte, nodes: 1, surge: 0 },
  ]) {
    const group = ControlGroup.make(limitBytes);
    assert.ok(group !== null);
    const setUp = `echo $$ > ${group.directory}/cgroup.procs && exec "$@"`;
    const settings = { mode: "observe" }; // the test says when
    const cluster = await TestCluster.start({ script: app, nodes, settings, env: { LEAK: "2000" }, container: { setUp, root } });
    const { memory } = await cluster.status();
    assert.deepEqual([memory?.limitBytes, memory?.surge], [limitBytes, surge]);
    assert.match(
      cluster.output,
      new RegExp(`memory: ${limitBytes / mebibyte} MiB, .* ${memory?.surge === 0 ? "in place" : "a replacement"}`),
    );
    assert.deepEqual((await at<{ execArgv: string[] }>(cluster.port, "/who")).execArgv, [], "the server does not see whose limits it has");
    const rush = new SessionLoad({ port: cluster.port, clients: 10 });
    const halfFull = async () =>
      (await cluster.status()).nodes.every(({ indicators }) => (indicators["heapUsedBytes"] ?? 0) > 0.5 * (memory?.heapBytes ?? 0));
    await cluster.until("heaps are half full", halfFull, 200_000);
    assert.deepEqual((await rush.end()).failed, []);
    const load = new SessionLoad({ port: cluster.port, clients: 4, thinkMs: 20 });
    const outcome = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
    assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr);
    const { failed, lost } = await load.end();
    assert.deepEqual([failed, lost, group.killed], [[], 0, 0]);
    assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
    group.remove();
  }
});
