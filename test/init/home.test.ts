/** The run-time directory: one living owner, nothing left behind, sessions kept from an init that died. */
import assert from "node:assert/strict";
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { clusterPaths, type InitFile, livingInit, runningClusters, takeHome } from "../../src/init/home.ts";
import { pidNamespace, startTicksOf } from "../../src/init/process-identity.ts";
import type { ClusterPaths } from "../../src/model/birth.ts";
import { endAfterTest } from "../left-open.ts";
import { notRoot, SmallDisk } from "../small-disk.ts";

const owner = { name: "shop", bootId: "b", stopTimeoutMs: 1, background: null };

function deadInit(): InitFile {
  return { ...owner, pid: spawnSync("true").pid, startTicks: 1, pidNamespace: pidNamespace() };
}

test("home: is private, owned while its init lives, and gone without trace after an orderly end", () => {
  const base = mkdtempSync(join(tmpdir(), "coppice-home-"));
  const home = join(base, "deeper", "home");
  const paths = clusterPaths(home, "shop");
  const umask = process.umask(0o077);
  const giveBack = takeHome(paths, owner);
  process.umask(umask);
  assert.equal(statSync(paths.directory).mode & 0o777, 0o700);
  assert.equal(statSync(home).mode & 0o777, 0o711, "a server under --user passes through it");
  assert.equal(livingInit(paths)?.pid, process.pid);
  assert.deepEqual(runningClusters(home), ["shop"]);
  assert.throws(() => takeHome(paths, owner), /running already/);
  giveBack();
  assert.deepEqual(readdirSync(base), []);
  rmSync(base, { recursive: true });
});

test("home: what a killed init left is cleared, but for the sessions", () => {
  const base = mkdtempSync(join(tmpdir(), "coppice-home-"));
  const paths = clusterPaths(base, "shop");
  takeHome(paths, owner);
  writeFileSync(paths.initFile, JSON.stringify(deadInit()));
  for (const file of [paths.sessionsFile, `${paths.sessionsFile}-lock`, paths.journalFile, paths.controlSocket]) writeFileSync(file, "x");
  const giveBack = takeHome(paths, owner);
  assert.deepEqual(
    [paths.sessionsFile, paths.journalFile, paths.controlSocket].map((path) => existsSync(path)),
    [true, false, false],
  );
  giveBack();
  assert.equal(existsSync(base), true, "a directory that was there before stays");
  rmSync(base, { recursive: true });
});

test("home: a directory that holds something else, as an application's that has the cluster's name, is refused and left as it is", () => {
  const base = mkdtempSync(join(tmpdir(), "coppice-home-"));
  const paths = clusterPaths(base, "shop");
  mkdirSync(join(paths.directory, "bin"), { recursive: true });
  for (const file of ["package.json", "init.json"]) writeFileSync(join(paths.directory, file), "{}");
  chmodSync(paths.directory, 0o755);
  assert.throws(() => takeHome(paths, owner), {
    code: "COPPICE_HOME_UNUSABLE",
    message: /shop cannot be used: package\.json lies there, which is not Coppice's.* choose another --name.* set COPPICE_HOME/,
  });
  assert.deepEqual(
    [readdirSync(base), readdirSync(paths.directory), statSync(paths.directory).mode & 0o777],
    [["shop"], ["bin", "init.json", "package.json"], 0o755],
  );
  rmSync(base, { recursive: true });
});

test("home: what a killed init of a newer Coppice left is cleared, whatever it is", () => {
  const base = mkdtempSync(join(tmpdir(), "coppice-home-"));
  const paths = clusterPaths(base, "shop");
  takeHome(paths, owner);
  writeFileSync(paths.initFile, JSON.stringify(deadInit()));
  writeFileSync(join(paths.directory, "dossiers.jsonl"), "");
  const giveBack = takeHome(paths, owner);
  assert.equal(existsSync(join(paths.directory, "dossiers.jsonl")), false);
  giveBack();
  assert.deepEqual(readdirSync(base), []);
  rmSync(base, { recursive: true });
});

test("home: a pid that the kernel gave to another process is not the owner", () => {
  const base = mkdtempSync(join(tmpdir(), "coppice-home-"));
  const paths = clusterPaths(base, "shop");
  takeHome(paths, owner);
  writeFileSync(paths.initFile, JSON.stringify({ ...owner, pid: process.pid, startTicks: (startTicksOf(process.pid) ?? 0) + 1 }));
  assert.equal(livingInit(paths), null);
  rmSync(base, { recursive: true });
});

/** What an init of another container left or holds. */
const unseen = { ...deadInit(), pidNamespace: "pid:[1]" };

function takenElsewhere() {
  const base = mkdtempSync(join(tmpdir(), "coppice-home-"));
  const paths = clusterPaths(base, "shop");
  takeHome(paths, owner);
  writeFileSync(paths.initFile, JSON.stringify(unseen));
  return { base, paths };
}

/** A monitor that listens when it is told to. */
async function monitorOf(paths: ClusterPaths, listensAfterMs: number) {
  const listen = `
    const server = require("node:http").createServer((_, answer) => answer.end("{}"));
    setTimeout(() => server.listen(process.argv[1], () => console.log("listens")), ${listensAfterMs});
    console.log("here");`;
  const monitor = spawn(process.execPath, ["-e", listen, paths.adminSocket], { stdio: ["ignore", "pipe", "inherit"] });
  endAfterTest(() => monitor.kill("SIGKILL"));
  await once(monitor.stdout, "data");
  return monitor;
}

test("home: of a cluster whose processes cannot be seen, as in another container with the same directory, nothing is taken while its monitor answers", {
  timeout: 60_000,
}, async () => {
  const { base, paths } = takenElsewhere();
  // As where both containers are started together.
  const monitor = await monitorOf(paths, 1_000);
  assert.throws(() => takeHome(paths, owner), {
    code: "COPPICE_CLUSTER_RUNNING",
    message: /is running already in .*shop, .*another container.* COPPICE_HOME of its own/,
  });
  assert.equal(existsSync(paths.adminSocket), true);
  const ended = once(monitor, "exit");
  monitor.kill("SIGKILL");
  await ended;
  takeHome(paths, owner)();
  assert.deepEqual(readdirSync(base), []);
  rmSync(base, { recursive: true });
});

test("home: of a cluster in another container nothing is taken while its monitor is started anew: its store is there", {
  timeout: 60_000,
}, async () => {
  const { base, paths } = takenElsewhere();
  utimesSync(paths.initFile, 0, 0); // it began long ago
  const store = await monitorOf({ ...paths, adminSocket: paths.storeSocket }, 0);
  if (!existsSync(paths.storeSocket)) await once(store.stdout, "data");
  assert.throws(() => takeHome(paths, owner), { code: "COPPICE_CLUSTER_RUNNING" });
  const ended = once(store, "exit");
  store.kill("SIGKILL");
  await ended;
  takeHome(paths, owner)();
  rmSync(base, { recursive: true });
});

test("home: where its processes can be seen, an init that is dead is dead: nobody's answer keeps another from the start", {
  timeout: 60_000,
}, async () => {
  const base = mkdtempSync(join(tmpdir(), "coppice-home-"));
  const paths = clusterPaths(base, "shop");
  takeHome(paths, owner);
  writeFileSync(paths.initFile, JSON.stringify(deadInit()));
  const monitor = await monitorOf(paths, 0);
  if (!existsSync(paths.adminSocket)) await once(monitor.stdout, "data");
  takeHome(paths, owner)();
  assert.deepEqual(readdirSync(base), []);
  rmSync(base, { recursive: true });
});

test("home: a directory that was removed, and made anew by another cluster, is that one's", () => {
  const base = mkdtempSync(join(tmpdir(), "coppice-home-"));
  const paths = clusterPaths(base, "shop");
  const giveBack = takeHome(paths, owner);
  rmSync(paths.directory, { recursive: true });
  const giveBackOther = takeHome(paths, { ...owner, bootId: "other" });
  giveBack();
  assert.equal(livingInit(paths)?.bootId, "other");
  giveBackOther();
  assert.deepEqual(readdirSync(base), []);
  rmSync(base, { recursive: true });
});

test("home: what another cluster makes anew while an end waits for its turn is that one's", { timeout: 60_000 }, async () => {
  const base = mkdtempSync(join(tmpdir(), "coppice-home-"));
  const paths = clusterPaths(base, "shop");
  const giveBack = takeHome(paths, owner);
  rmSync(paths.directory, { recursive: true });
  const lock = `${paths.directory}.taking`;
  const other = `
    import { existsSync, mkdirSync, writeFileSync, writeSync } from "node:fs";
    import { oneAtATime } from ${JSON.stringify(import.meta.resolve("../../src/init/one-at-a-time.ts"))};
    oneAtATime(${JSON.stringify(lock)}, () => {
      writeSync(1, "here");
      while (!existsSync(${JSON.stringify(`${lock}.${process.pid}`)}));
      mkdirSync(${JSON.stringify(paths.directory)});
      writeFileSync(${JSON.stringify(paths.initFile)}, ${JSON.stringify(JSON.stringify({ ...deadInit(), bootId: "other" }))});
    });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", other], { stdio: ["ignore", "pipe", "inherit"] });
  endAfterTest(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  giveBack();
  assert.equal(existsSync(paths.initFile), true);
  rmSync(base, { recursive: true });
});

test("home: several that start and end at the same time never have it together, and none breaks another's", async () => {
  const base = mkdtempSync(join(tmpdir(), "coppice-home-"));
  const taker = `
    import { closeSync, openSync } from "node:fs";
    import { clusterPaths, takeHome } from ${JSON.stringify(import.meta.resolve("../../src/init/home.ts"))};
    const paths = clusterPaths(${JSON.stringify(join(base, "home"))}, "shop");
    for (let taken = 0; taken < 30; ) {
      try {
        const giveBack = takeHome(paths, ${JSON.stringify(owner)});
        closeSync(openSync(paths.journalFile, "wx"));
        giveBack();
        taken += 1;
      } catch (error) {
        if (error.code !== "COPPICE_CLUSTER_RUNNING") throw error;
      }
    }`;
  const run = () => promisify(execFile)(process.execPath, ["--input-type=module", "-e", taker]);
  mkdirSync(join(base, "home"));
  await Promise.all([run(), run(), run()]);
  assert.deepEqual(readdirSync(join(base, "home")), []);
  rmSync(base, { recursive: true });
});

test("home: a path that is too long for sockets is refused with what to do", () => {
  assert.throws(() => takeHome(clusterPaths(`/tmp/${"long".repeat(30)}`, "shop"), owner), /set COPPICE_HOME to a shorter/);
});

test("home: on a disk that is full an orderly end leaves nothing either", { skip: notRoot }, async () => {
  const disk = await SmallDisk.mount(16);
  const giveBack = takeHome(clusterPaths(disk.path, "shop"), owner);
  disk.fill();
  giveBack();
  assert.deepEqual(readdirSync(disk.path), ["fill"]);
});

test("home: a file system that makes no Unix sockets is refused: the monitor would begin again for ever", { skip: notRoot }, async () => {
  // As many as the directories need, and the lock.
  const disk = await SmallDisk.mount(16, "nr_inodes=7");
  assert.throws(() => takeHome(clusterPaths(disk.path, "shop"), owner), {
    code: "COPPICE_HOME_UNUSABLE",
    message: /shop cannot be used: its file system makes no Unix socket \(ENOSPC\).* set COPPICE_HOME/,
  });
  assert.deepEqual(readdirSync(disk.path), []);
});
