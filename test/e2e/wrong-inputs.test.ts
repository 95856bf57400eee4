/** What people get wrong, and what their machine does: each has a clear word, an exit code, and leaves nothing behind. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startTicksOf } from "../../src/init/process-identity.ts";
import { SessionFile } from "../../src/replicator/session-file.ts";
import { endAfterTest } from "../left-open.ts";
import { notRoot, SmallDisk } from "../small-disk.ts";
import { bin, freePort, TestCluster } from "./cluster.ts";
import { SessionLoad } from "./session-load.ts";

const expressApp = fileURLToPath(new URL("./fixtures/express-app.cjs", import.meta.url));
const plainApp = fileURLToPath(new URL("./fixtures/plain-app.mjs", import.meta.url));
const mebibyte = 1024 * 1024;

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly ms: number;
}

/** `coppice` in a process of its own, to its end. `within`: a command line that runs it. */
function coppice(args: readonly string[], env: NodeJS.ProcessEnv, within: readonly string[] = []): Promise<Ended> {
  const [program = "", ...rest] = [...within, process.execPath, bin, ...args];
  const startedMs = Date.now();
  return new Promise((resolve) => {
    const child = spawn(program, rest, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    const ended = endAfterTest(() => child.kill("SIGKILL"));
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    child.on("close", (code) => {
      ended();
      resolve({ code, output, ms: Date.now() - startedMs });
    });
  });
}

test("a server that cannot start: each way has its reason, exit code 1, and nothing is left", { timeout: 300_000 }, async () => {
  const place = mkdtempSync(join(tmpdir(), "coppice-app-"));
  const late = "setTimeout(() => require('node:http').createServer().listen(Number(process.env.APP_PORT)), 60_000);";
  const ways: [name: string, code: string, flags: string[], reason: RegExp][] = [
    ["throws", "throw new Error('no database url');", [], /cannot be started: it ended with code 1[\s\S]*no database url/],
    ["ends", "console.log('done');", [], /ended by itself without ever listening on a port/],
    ["deaf", "setInterval(() => {}, 1_000);", ["--set", "startTimeoutMs=1500"], /did not listen on a port within 1500 ms/],
    ["late", late, ["--set", "startTimeoutMs=1500"], /did not listen on a port within 1500 ms/],
    ["syntax", "const = 1;", [], /SyntaxError/],
  ];
  await Promise.all(
    ways.map(async ([name, code, flags, reason]) => {
      const home = join(place, name);
      const script = join(place, `${name}.cjs`);
      writeFileSync(script, code);
      const { code: exitCode, output } = await coppice(["run", "-n", "2", "--name", name, ...flags, script], {
        COPPICE_HOME: home,
        APP_PORT: String(await freePort()),
      });
      assert.equal(exitCode, 1, name);
      assert.match(output, reason, name);
      assert.equal(existsSync(home), false, `${name}: the directory that was made is gone`);
    }),
  );
  rmSync(place, { recursive: true });
});

test("a command whose first line names what is not there, as one with the line ends of Windows, is told from one that is not there", {
  timeout: 180_000,
}, async () => {
  const place = mkdtempSync(join(tmpdir(), "coppice-app-"));
  const script = join(place, "start");
  writeFileSync(script, "#!/bin/sh\r\nexec node server.cjs\r\n", { mode: 0o755 });
  const { code, output } = await coppice(["run", "-n", "1", script], { COPPICE_HOME: join(place, "home") });
  assert.equal(code, 1);
  assert.match(
    output,
    /start cannot be started: spawn \S+start ENOENT: it is there, but not what its first line names \("#!\/bin\/sh\\r"\)/,
  );
  rmSync(place, { recursive: true });
});

test("what is typed wrong is refused at once, by every command line alike", { timeout: 300_000 }, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-e2e-"));
  const blocked = join(home, "file");
  writeFileSync(blocked, "");
  const place = mkdtempSync(join(tmpdir(), "coppice-e2e-"));
  const circle = join(place, "circle.js");
  symlinkSync(circle, circle);
  mkdirSync(join(place, "odd.log"));
  const withPackage = (name: string, text: string): string => {
    mkdirSync(join(place, name));
    writeFileSync(join(place, name, "package.json"), text);
    return join(place, name);
  };
  const python = join(place, "app.py");
  writeFileSync(python, "");
  const refused: [args: string[], reason: RegExp, env?: NodeJS.ProcessEnv][] = [
    [["run"], /missing required argument/],
    [["run", "nowhere.js"], /nowhere\.js/],
    [["run", circle], /circle\.js: ELOOP/],
    [["run", "x".repeat(300)], /ENAMETOOLONG/],
    [["run", python], /app\.py is nothing that Node runs, .* coppice run --port 8000 -- python3 \S+app\.py/],
    [["start", "-n", "2", "--port", "3000", python], /app\.py is nothing that Node runs/],
    [["run", plainApp, "--access-log", join(circle, "log")], /circle\.js: ELOOP/],
    [["run", withPackage("null", "null")], /no start script, and its main, index\.js, does not exist/],
    [["run", withPackage("odd", '{ "main": 5, "scripts": null }')], /no start script, and its main, index\.js, does not exist/],
    [["run", plainApp, "--nope"], /unknown option '--nope'/],
    [["run", plainApp, "--set", "nope=1"], /no setting "nope"; known are/],
    [["run", plainApp, "--set", "drainTimeoutMs=5s"], /drainTimeoutMs is "5s"; accepted is a whole number .* milliseconds/],
    [["run", plainApp, "--set", "drainTimeout=5"], /did you mean "drainTimeoutMs"/],
    [["run", plainApp, "--set", "drainTimeoutMs"], /key=value/],
    [["run", plainApp, "--port", "99999"], /whole number from 1 to 65535/],
    [["run", plainApp, "--health", "here"], /port from 1 to 65535/],
    [["run", plainApp, "--log-format", "xml"], /text, json/],
    [["run", plainApp, "--user", "nobody-of-that-name"], /has no user "nobody-of-that-name"/],
    [["run", plainApp, "--node", "/nowhere/node"], /no such executable/],
    [["run", plainApp, "--name", "A b"], /no name for a cluster/],
    [["run", plainApp], /too long for Unix sockets .* set COPPICE_HOME/, { COPPICE_HOME: join(home, "long".repeat(30)) }],
    [["run", plainApp], /cannot be used: ENOTDIR.*set COPPICE_HOME/, { COPPICE_HOME: join(blocked, "below") }],
    [["start", plainApp], /cannot be used: E.*set COPPICE_HOME/, { COPPICE_HOME: join(blocked, "below") }],
    [["start", plainApp], /cannot be used: E.*set COPPICE_HOME/, { COPPICE_HOME: "/proc/nowhere/below" }],
    [["status"], /cannot be used: ENOTDIR.*set COPPICE_HOME/, { COPPICE_HOME: blocked }],
    [["status"], /no cluster is running/],
    [["stop", "--name", "nobody"], /no cluster named "nobody" is running/],
    [["restart"], /no cluster is running/],
    [["reload"], /no cluster is running/],
    [["logs"], /no cluster is running/],
    [["logs", "--node", "web1"], /Expected the name of a node, as in web-1, or coppice/],
    [["logs", "--name", "odd"], /odd\.log: EISDIR/, { COPPICE_HOME: place }],
    [["frobnicate"], /unknown command 'frobnicate'/],
  ];
  for (const [args, reason, env] of refused) {
    const { code, output } = await coppice(args, { COPPICE_HOME: home, ...env });
    assert.equal(code, 1, args.join(" "));
    assert.match(output, reason, args.join(" "));
    assert.doesNotMatch(output, /^ {4}at /m, `${args.join(" ")}: no stack trace`);
  }
  const removed = join(place, "removed");
  mkdirSync(removed);
  const there = ["sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@"', removed];
  const { code, output } = await coppice(["run", plainApp], { COPPICE_HOME: home }, there);
  assert.deepEqual([code, output], [1, "coppice: the working directory was removed; change to the one that is there now\n"]);
  assert.deepEqual(readdirSync(home), ["file"]);
  for (const made of [home, place]) rmSync(made, { recursive: true });
});

test("a port that needs privileges: said, with what to do", { timeout: 180_000, skip: notRoot }, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-e2e-"));
  const unprivileged = ["setpriv", "--bounding-set", "-net_bind_service"];
  const env = { COPPICE_HOME: home, APP_PORT: "81" };
  const { code, output } = await coppice(["run", plainApp, "-n", "2"], env, unprivileged);
  assert.equal(code, 1);
  assert.match(output, /port 81 needs privileges that this user does not have; choose one above 1023 with --port/);
  assert.deepEqual(readdirSync(home), []);
  rmSync(home, { recursive: true });
});

test("a full disk: a start is refused; later nobody is killed, answers wait for room and then go on", {
  timeout: 300_000,
  skip: notRoot,
}, async () => {
  const disk = await SmallDisk.mount(16);
  const home = disk.path;
  disk.fill();
  const refused = await coppice(["run", expressApp, "--name", "t"], { COPPICE_HOME: home });
  assert.equal(refused.code, 1);
  assert.match(refused.output, /its disk is full: 8 MiB must be free/);
  assert.deepEqual(readdirSync(home), ["fill"]);
  disk.empty();

  const cluster = await TestCluster.start({ script: expressApp, home });
  const before = await cluster.status();
  const load = new SessionLoad({ port: cluster.port, clients: 4, thinkMs: 10 });
  await cluster.until("load runs", () => load.result.requests > 50);
  disk.fill();
  assert.ok(disk.freeBytes < mebibyte);
  const said = () => cluster.output.includes("its disk is full");
  const full = load.result.requests;
  await cluster.until("the room ahead serves", () => load.result.requests > full + 100);
  assert.ok(!said());
  const item = "x".repeat(60_000);
  const hoard = async () => {
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ item }) };
    while (!said()) assert.equal((await fetch(`http://127.0.0.1:${cluster.port}/items`, init)).status, 200);
  };
  const hoarded = hoard();
  await cluster.until("it is said", said);
  disk.empty();
  await hoarded;
  const { requests } = load.result;
  await cluster.until("load runs again", () => load.result.requests > requests + 50);
  const { failed, lost, stale, doubled } = await load.end();
  assert.deepEqual([failed, lost, stale, doubled], [[], 0, 0, 0]);
  const after = await cluster.status();
  assert.deepEqual([after.replicator.pid, after.monitor.pid], [before.replicator.pid, before.monitor.pid]);
  cluster.process.kill("SIGTERM");
  assert.equal(await cluster.exited, 0);
  assert.deepEqual(readdirSync(home), []);
});

test("files of another Coppice, and damaged ones, do not keep a cluster from starting", { timeout: 180_000 }, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-e2e-"));
  const directory = join(home, "t");
  mkdirSync(directory);
  writeFileSync(join(directory, "init.json"), '{"pid":1,"from":"the future"}');
  writeFileSync(join(directory, "journal.jsonl"), '{"format":99}\nnot even JSON\n');
  writeFileSync(join(directory, "sessions-0.mdb"), "of another format");
  writeFileSync(join(directory, "sessions-2.mdb"), Buffer.alloc(20_000, 171));
  const cluster = await TestCluster.start({ script: expressApp, home });
  await cluster.until("the damaged file is set aside", () => cluster.output.includes("is damaged and was set aside"));
  const load = new SessionLoad({ port: cluster.port, clients: 2, thinkMs: 5 });
  await cluster.until("sessions are kept", () => load.result.requests > 50);
  const { failed, lost } = await load.end();
  assert.deepEqual([failed, lost], [[], 0]);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("a sessions' file whose end a loss of power took, so that LMDB reads on and stumbles later, is set aside too", {
  timeout: 180_000,
}, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-e2e-"));
  mkdirSync(join(home, "t"));
  const path = join(home, "t", "sessions-2.mdb");
  const file = new SessionFile(path, () => {});
  const record = { version: 1, expiresAtMs: null, tombstone: false, text: "x".repeat(500), writes: [] };
  await Promise.all(Array.from({ length: 3_000 }, (_, index) => file.set("store-1", `id-${index}`, record)));
  await file.close();
  truncateSync(path, statSync(path).size / 4);
  const cluster = await TestCluster.start({ script: expressApp, home });
  await cluster.until("it is set aside", () => cluster.output.includes("is damaged and was set aside"));
  const load = new SessionLoad({ port: cluster.port, clients: 2, thinkMs: 5 });
  await cluster.until("sessions are kept", () => load.result.requests > 50);
  const { failed, lost } = await load.end();
  assert.deepEqual([failed, lost], [[], 0]);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("Ctrl-C while it starts, and SIGTERM in the middle of a regeneration, end it in order", { timeout: 180_000 }, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-e2e-"));
  const lock = join(home, "t.taking");
  writeFileSync(lock, `${process.pid} ${startTicksOf(process.pid)}`); // as if we took the directory just now
  const waiting = await TestCluster.startOnly({ script: expressApp, home });
  await waiting.until("it waits for us", () => existsSync(`${lock}.${waiting.process.pid}`));
  waiting.process.kill("SIGINT");
  rmSync(lock);
  assert.deepEqual([await waiting.exited, readdirSync(home)], [0, []], waiting.output);
  rmSync(home, { recursive: true });

  const starting = await TestCluster.startOnly({ script: expressApp });
  await starting.until("an instance was started", () => starting.output.includes("web-1.1 started"));
  assert.deepEqual(await starting.stop("SIGINT"), { code: 0, left: [] });

  const cluster = await TestCluster.start({ script: expressApp });
  const regenerating = cluster.command("regenerate", "--all", "--wait", "--name", "t");
  await cluster.until("a regeneration is under way", () => cluster.output.includes("web-1.2 started"));
  const pids = cluster.processes();
  assert.deepEqual(await cluster.stop("SIGTERM"), { code: 0, left: [] });
  const { code, stderr } = await regenerating;
  assert.equal(code, 1);
  assert.match(stderr, /the cluster has stopped|is being stopped/);
  assert.deepEqual(
    pids.filter((pid) => existsSync(`/proc/${pid}`)),
    [],
  );
});
