/** The monitor's files: what is journalled is found again, torn ends and all; events keep their order and their bound. */
import assert from "node:assert/strict";
import fs, { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Engine } from "../../src/daemon/engine.ts";
import { EventLog } from "../../src/daemon/event-log.ts";
import { Journal } from "../../src/daemon/journal.ts";
import type { MonitorState } from "../../src/monitor/state.ts";
import type { Effect, Input } from "../../src/monitor/types.ts";
import { seededRandom } from "../../src/sim/random.ts";
import { SimCluster } from "../../src/sim/sim-cluster.ts";
import { simSpec } from "../../src/sim/sim-spec.ts";
import { notRoot, SmallDisk } from "../small-disk.ts";

const count = (state: number, input: Input) => state + input.nowMs;
const woken = (nowMs: number): Input => ({ kind: "woken", nowMs });

function inDirectory(body: (directory: string) => void): () => void {
  return () => {
    const directory = mkdtempSync(join(tmpdir(), "coppice-journal-"));
    body(directory);
    rmSync(directory, { recursive: true });
  };
}

test(
  "journal: recovery is the same state, over snapshots, and a torn last line is dropped",
  inDirectory((directory) => {
    const path = join(directory, "j");
    const journal = new Journal<number>(path);
    assert.equal(journal.recover(0, count), null);
    let state = 0;
    for (let n = 1; n <= 2_500; n += 1) {
      journal.append(woken(n));
      state = count(state, woken(n));
      journal.compact(state);
    }
    journal.close();
    appendFileSync(path, '{"input":{"kind":"wok');
    const size = statSync(path).size;
    const again = new Journal<number>(path);
    assert.equal(again.recover(0, count), state);
    assert.ok(statSync(path).size < size, "recovery leaves a snapshot");
    assert.equal(new Journal<number>(path).recover(0, count), state, "and once more");
    assert.equal(statSync(path).mode & 0o777, 0o600);
  }),
);

test(
  "journal: a broken line in the middle is not passed over in silence",
  inDirectory((directory) => {
    const path = join(directory, "j");
    appendFileSync(path, 'nonsense\n{"input":{"kind":"woken","nowMs":1}}\n');
    assert.throws(() => new Journal<number>(path).recover(0, count), /line 1 of .* is not JSON/);
  }),
);

test(
  "engine: an input is on disk before its effects are performed, and a second life knows it",
  inDirectory((directory) => {
    const path = join(directory, "j");
    const performed: string[] = [];
    const perform = (effect: Effect) => {
      if (effect.kind === "start-instance") assert.match(readFileSync(path, "utf8"), /cluster-started/, "journalled first");
      performed.push(effect.kind);
    };
    const first = new Engine(new Journal<MonitorState>(path), perform);
    assert.equal(first.recovered, false);
    first.accept({ kind: "cluster-started", spec: simSpec(2) });
    first.stop();
    assert.equal(performed.filter((kind) => kind === "start-instance").length, 2);
    const second = new Engine(new Journal<MonitorState>(path), perform);
    assert.equal(second.recovered, true);
    assert.deepEqual(second.state, first.state);
    second.stop();
  }),
);

test(
  "engine: while the disk takes nothing, nothing is done",
  inDirectory((directory) => {
    const effects: Effect[] = [];
    const engine = new Engine(new Journal<MonitorState>(join(directory, "no-such-directory", "j")), (effect) => effects.push(effect));
    engine.accept({ kind: "cluster-started", spec: simSpec(1) });
    assert.deepEqual(effects, []);
    engine.stop();
  }),
);

test(
  "engine: a journalled input that breaks an invariant is left out by the next life",
  inDirectory((directory) => {
    const path = join(directory, "j");
    const engine = new Engine(new Journal<MonitorState>(path), () => {});
    engine.accept({ kind: "cluster-started", spec: simSpec(2) });
    const state = engine.state;
    engine.stop();
    appendFileSync(path, '{"input":{"kind":"reload","request":"r","nowMs":1}}\n'); // it has no release
    const again = new Engine(new Journal<MonitorState>(path), () => {});
    assert.deepEqual(again.state, state);
    again.stop();
  }),
);

/** What the first monitors' journals did not have. */
const later = ["lives", "waits", "hasMoreRoom", "keepsCheckpoint", "isLast", "metMemory", "calendar", "othersAreFull", "triedRoom"];
const laterSettings = ["maxAgeMs", "maxRequests", "forbiddenTimes", "maintenanceWindows", "watermarks"];

test(
  "engine: what a monitor of an older Coppice journalled is taken up as what it is",
  inDirectory((directory) => {
    const path = join(directory, "j");
    const cluster = new SimCluster({ spec: simSpec(3), random: seededRandom(1) });
    cluster.run(1_000);
    cluster.tell({ kind: "regenerate", request: "r", nodes: "all" });
    for (let ms = 1_000; cluster.state.ended.length === 0 || cluster.state.current === null; ms += 100) cluster.run(ms);
    assert.equal(cluster.state.queue.length, 1);
    const text = JSON.stringify(cluster.state, (key, value: unknown) => ([...later, ...laterSettings].includes(key) ? undefined : value));
    appendFileSync(path, `{"snapshot":${text}}\n`);
    const engine = new Engine(new Journal<MonitorState>(path), () => {});
    assert.deepEqual(engine.state, JSON.parse(JSON.stringify(cluster.state)));
    engine.stop();
  }),
);

test("engine: while the disk takes nothing, one timer tries again, and what is said again while it stands does not pile up", async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-journal-"));
  const path = join(directory, "later", "j");
  const performed = new Promise<void>((resolve) => {
    const engine: Engine = new Engine(new Journal<MonitorState>(path), () => setImmediate(() => resolve(engine.stop())));
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
    const before = timers();
    engine.accept({ kind: "cluster-started", spec: simSpec(1) });
    for (let n = 0; n < 100; n += 1) engine.accept({ kind: "instance-stuck", instance: "web-1.1", silentMs: 30_000 + n });
    assert.equal(timers(), before + 1);
  });
  mkdirSync(join(directory, "later"));
  await performed;
  const inputs = readFileSync(path, "utf8").trimEnd().split("\n");
  assert.equal(inputs.length, 1, "the cluster's start alone");
  rmSync(directory, { recursive: true });
});

test("journal: a disk that takes a part of a line only, or no snapshot: the next life knows all that was done", {
  skip: notRoot,
}, async () => {
  const disk = await SmallDisk.mount(1);
  const path = join(disk.path, "j");
  const journal = new Journal<number>(path);
  let state = 0;
  const append = () => {
    journal.append(woken(1));
    state = count(state, woken(1));
    journal.compact(state);
  };
  append();
  disk.fill();
  assert.throws(() => {
    for (;;) append();
  }, /ENOSPC/);
  const onFullDisk = new Journal<number>(path);
  assert.equal(onFullDisk.recover(0, count), state);
  onFullDisk.close();
  disk.empty();
  append();
  journal.close();
  assert.equal(new Journal<number>(path).recover(0, count), state);
});

test(
  "journal: a part of a line that cannot be cut off yet is cut off before the next one, never joined to it",
  inDirectory((directory) => {
    const path = join(directory, "j");
    const journal = new Journal<number>(path);
    journal.append(woken(1));
    const { writeSync, ftruncateSync } = fs;
    const broken = () => {
      throw new Error("EIO");
    };
    const replace = (parts: Partial<Pick<typeof fs, "writeSync" | "ftruncateSync">>) => {
      Object.assign(fs, parts);
      syncBuiltinESMExports();
    };
    let pieces = 0;
    const writesAPart = (file: number, line: Buffer, at: number) => {
      pieces += 1;
      return pieces === 1 ? writeSync(file, line, at, 5) : broken();
    };
    try {
      replace({ writeSync: writesAPart as typeof writeSync, ftruncateSync: broken }); // called as the journal does
      assert.throws(() => journal.append(woken(2)), /EIO/);
      replace({ writeSync });
      assert.throws(() => journal.append(woken(2)), /EIO/);
    } finally {
      replace({ writeSync, ftruncateSync });
    }
    journal.append(woken(4));
    journal.close();
    assert.equal(new Journal<number>(path).recover(0, count), 5);
  }),
);

test(
  "events: in order over a restart, told to followers, halved at their bound, torn lines dropped",
  inDirectory((directory) => {
    const path = join(directory, "e");
    const log = new EventLog(path);
    const heard: number[] = [];
    const unfollow = log.follow(({ sequence }) => heard.push(sequence));
    for (let n = 0; n < 3; n += 1) log.append({ kind: "notice", text: "x", facts: {} }, n);
    unfollow();
    appendFileSync(path, '{"sequence":4');
    const again = new EventLog(path);
    assert.equal(again.append({ kind: "notice", text: "y", facts: {} }, 9).sequence, 4);
    assert.deepEqual(heard, [1, 2, 3]);
    assert.deepEqual(
      again.since(2).map(({ sequence }) => sequence),
      [3, 4],
    );
    assert.deepEqual(
      new EventLog(path).since(2).map(({ sequence }) => sequence),
      [3, 4],
      "the torn line takes no other with it",
    );
    for (let n = 0; n < 10_000; n += 1) again.append({ kind: "notice", text: "z", facts: {} }, n);
    assert.ok(again.since(0).length <= 10_000);
    assert.equal(again.since(0).at(-1)?.sequence, 10_004);
  }),
);
