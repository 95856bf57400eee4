/** Settings that change while the cluster runs: the core is then where it would be, had it begun with them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { changesOf } from "../../src/config/changes.ts";
import { defaultSettings } from "../../src/config/declared.ts";
import { instanceShare, shareOut } from "../../src/model/memory.ts";
import type { Settings } from "../../src/model/settings.ts";
import { completed } from "../../src/monitor/completed.ts";
import { initialState } from "../../src/monitor/state.ts";
import { step } from "../../src/monitor/step.ts";
import { seededRandom } from "../../src/sim/random.ts";
import { SimCluster } from "../../src/sim/sim-cluster.ts";
import { simSpec } from "../../src/sim/sim-spec.ts";

const mebibyte = 1024 * 1024;

interface Played {
  readonly events: string[];
  readonly cluster: SimCluster;
}

/** Two regenerations, the second one of an instance that does not become quiet; the change comes at its time, or at the start. */
function play(wanted: Partial<Settings>, changeAtMs: number | null): Played {
  const events: string[] = [];
  const cluster = new SimCluster({
    spec: simSpec(3, changeAtMs === null ? wanted : {}),
    random: seededRandom(1),
    onEvent: (atMs, { kind, text }) => {
      if (kind !== "settings-changed") events.push(`${atMs} ${text}`);
    },
  });
  const acts: [number, () => void][] = [
    [1_000, () => cluster.tell({ kind: "regenerate", request: "r1", nodes: ["web-1"] })],
    [30_000, () => (cluster.faults.deafInstances = true)],
    [30_000, () => cluster.tell({ kind: "regenerate", request: "r2", nodes: ["web-2"] })],
    [30_001, () => (cluster.faults.newInstances = "hang")],
  ];
  if (changeAtMs !== null) acts.push([changeAtMs, () => cluster.tell({ kind: "settings", changes: changesOf(defaultSettings, wanted) })]);
  for (const [atMs, act] of acts.sort(([a], [b]) => a - b)) {
    cluster.run(atMs);
    act();
  }
  cluster.run(300_000);
  return { events, cluster };
}

test("settings: whenever a deadline changes before it comes, what is under way ends as if it had always been so", () => {
  const wanted: fc.Arbitrary<[keyof Settings, number, number]> = fc.oneof(
    // Name, value, and until when it is not over by either. The first regeneration warms from 1.3 s on, the second drains from 32.3 s on.
    fc.tuple(fc.constant("minReadyMs" as const), fc.integer({ min: 1_000, max: 20_000 }), fc.integer({ min: 0, max: 2_200 })),
    fc.tuple(fc.constant("drainTimeoutMs" as const), fc.integer({ min: 10_000, max: 100_000 }), fc.integer({ min: 0, max: 42_000 })),
    fc.tuple(fc.constant("probationMs" as const), fc.integer({ min: 40_000, max: 100_000 }), fc.integer({ min: 0, max: 43_000 })),
    fc.tuple(fc.constant("startTimeoutMs" as const), fc.integer({ min: 5_000, max: 100_000 }), fc.integer({ min: 0, max: 35_000 })),
  );
  fc.assert(
    fc.property(wanted, ([name, value, atMs]) => {
      assert.deepEqual(play({ [name]: value }, atMs).events, play({ [name]: value }, null).events, `${name}=${value} at ${atMs}`);
    }),
    { numRuns: 25 },
  );
});

test("settings: one that is over by the new ones ends at once", () => {
  const { events } = play({ drainTimeoutMs: 1_000 }, 50_000);
  assert.ok(
    events.some((event) => /^5000\d web-2.1: not drained within 17\d\d\d ms; what is still in process is cut$/.test(event)),
    events.join("\n"),
  );
});

test("settings: one that is started anew after a crash, and one that leaves again, have the new time too", () => {
  for (const [given, lastsMs] of [
    [{}, 30_000],
    [{ startTimeoutMs: 20_000, drainTimeoutMs: 20_000 }, 20_000],
    [{ startTimeoutMs: 40_000, drainTimeoutMs: 40_000 }, 40_000],
  ] as const) {
    for (const what of ["starts", "leaves"] as const) {
      const ended: number[] = [];
      const cluster = new SimCluster({
        spec: simSpec(2, { startTimeoutMs: 30_000 }),
        random: seededRandom(1),
        onEvent: (atMs, { kind, instance }) => {
          if (kind === "instance-exited" && instance === "web-1.2") ended.push(atMs);
        },
      });
      cluster.run(1_000);
      if (what === "starts") cluster.faults.newInstances = "hang";
      else [cluster.faults.silentForwarders, cluster.faults.deafInstances] = [["forwarder-1"], true];
      if (what === "starts") cluster.kill("web-1.1");
      else cluster.tell({ kind: "regenerate", request: "r", nodes: ["web-1"] });
      cluster.run(15_000);
      cluster.tell({ kind: "settings", changes: changesOf({ ...defaultSettings, startTimeoutMs: 30_000 }, given) });
      cluster.run(60_000);
      const beganMs = what === "starts" ? 1_200 : 8_300; // after the first pause; after the cordon was not confirmed
      assert.ok(ended.length === 1 && Math.abs((ended[0] ?? 0) - beganMs - lastsMs) < 300, `${what}: ${ended} for ${lastsMs}`);
    }
  }
});

test("settings: a pause before a restart is as long as if it had begun so", () => {
  for (const [changeAtMs, startedAtMs] of [
    [null, 31_000],
    [5_000, 11_000],
    [20_000, 20_000],
  ] as const) {
    const started: number[] = [];
    const cluster = new SimCluster({
      spec: simSpec(4, { restartBackoffMsMin: 30_000, restartBackoffMsMax: 30_000 }),
      random: seededRandom(1),
      onEvent: (atMs, { kind, instance }) => {
        if (kind === "instance-started" && instance === "web-4.2") started.push(atMs);
      },
    });
    cluster.run(1_000);
    cluster.kill("web-4.1");
    if (changeAtMs !== null) {
      cluster.run(changeAtMs);
      const inForce = cluster.state.spec?.settings ?? assert.fail("it runs");
      cluster.tell({ kind: "settings", changes: changesOf(inForce, { restartBackoffMsMin: 10_000, restartBackoffMsMax: 10_000 }) });
    }
    cluster.run(60_000);
    const [atMs = 0, ...more] = started;
    assert.ok(more.length === 0 && atMs >= startedAtMs && atMs < 1_000 + (startedAtMs - 1_000) * 1.25 + 300, `${changeAtMs}: ${started}`);
  }
});

test("settings: who was told to end has no more grace than the new killTimeoutMs", () => {
  const { state } = step(initialState(), { kind: "cluster-started", spec: simSpec(1), nowMs: 0 });
  const [instance] = state.instances;
  assert.ok(instance !== undefined);
  const ending = { ...state, instances: [{ ...instance, stopping: { signal: "SIGTERM" as const, graceMs: 10_000, crash: null } }] };
  const graces = (killTimeoutMs: number) => {
    const { effects } = step(ending, { kind: "settings", changes: changesOf(defaultSettings, { killTimeoutMs }), nowMs: 1 });
    return effects.flatMap((effect) => (effect.kind === "stop-instance" ? [effect.graceMs] : []));
  };
  assert.deepEqual([graces(500), graces(60_000)], [[500], []]);
});

test("settings: what is so already is no event and no effect; of two that come at once each has its own, and the later one where both have the same", () => {
  const told: Readonly<Record<string, unknown>>[] = [];
  const cluster = new SimCluster({
    spec: simSpec(2),
    random: seededRandom(1),
    onEvent: (_, { kind, facts }) => {
      if (kind === "settings-changed") told.push(facts);
    },
  });
  cluster.run(1_000);
  const change = (given: Readonly<Record<string, unknown>>) => ({ kind: "settings" as const, changes: changesOf(defaultSettings, given) });
  cluster.tell(change({ drainTimeoutMs: "45_000", parkedMax: 5 }));
  cluster.tell(change({ mode: "observe", parkedMax: 6 }));
  cluster.tell(change({ parkedMax: 6 }));
  cluster.run(2_000);
  const { drainTimeoutMs, parkedMax, mode } = cluster.state.spec?.settings ?? assert.fail("it runs");
  assert.deepEqual([drainTimeoutMs, parkedMax, mode], [45_000, 6, "observe"]);
  assert.deepEqual(told, [
    {
      changes: [
        { name: "drainTimeoutMs", from: 30_000, to: 45_000, acts: "at-once" },
        { name: "parkedMax", from: 1_000, to: 5, acts: "at-once" },
      ],
    },
    {
      changes: [
        { name: "parkedMax", from: 5, to: 6, acts: "at-once" },
        { name: "mode", from: "automatic", to: "observe", acts: "at-once" },
      ],
    },
  ]);
  assert.deepEqual(completed(cluster.state, defaultSettings).spec?.settings, cluster.state.spec?.settings, "another monitor has them");
});

test("settings: regenerating in place leaves each node more, beside it less, and a new instance has its share and its settings", () => {
  const memory = shareOut(2_048 * mebibyte, { nodes: 2, forwarders: 1, regenerate: "auto" });
  const cluster = new SimCluster({ spec: { ...simSpec(2), memory }, random: seededRandom(1) });
  cluster.run(1_000);
  const heapOf = (id: string) => cluster.instances.get(id)?.heapLimitBytes ?? assert.fail(`there is no ${id}`);
  cluster.tell({ kind: "settings", changes: changesOf(defaultSettings, { regenerate: "in-place" }) });
  cluster.tell({ kind: "regenerate", request: "r", nodes: ["web-1"] });
  cluster.run(30_000);
  assert.equal(cluster.state.spec?.regenerate, "in-place");
  assert.equal(cluster.state.ended[0]?.mode, "in-place");
  const { memory: shared = null } = cluster.state.spec ?? {};
  assert.ok(shared !== null && instanceShare(shared, 2) > instanceShare(memory, 2) && heapOf("web-1.2") > heapOf("web-1.1"));
  cluster.tell({ kind: "settings", changes: changesOf(cluster.state.spec.settings, { regenerate: "auto" }) });
  cluster.run(31_000);
  assert.deepEqual(cluster.state.spec.memory, memory);
  assert.equal(cluster.state.spec.regenerate, "replace");
});

test("settings: all of a change is right, or nothing is changed; what cannot change while running says what to do", () => {
  const refusals: [Record<string, unknown>, RegExp][] = [
    [{ drainTimeoutMs: 5, parkedMx: 5 }, /there is no setting "parkedMx"/],
    [{ drainTimeoutMs: "5s" }, /accepted is a whole number from 0 to 86400000 milliseconds, without a unit/],
    [{ mode: "observe", parkedMax: -1 }, /parkedMax is -1; accepted is a whole number from 0 to 1000000/],
    [{ forbiddenTimes: "00:00-24:00" }, /leaves some time/],
    [
      { mode: "observe", proxyProtocol: "true", headBytesMax: 65_536 },
      /^headBytesMax, proxyProtocol cannot change while the cluster runs: stop it, and start it with --set headBytesMax=65536 --set proxyProtocol=true\. Nothing was changed$/,
    ],
  ];
  for (const [given, message] of refusals) assert.throws(() => changesOf(defaultSettings, given), { code: "COPPICE_SETTING", message });
  assert.deepEqual(changesOf(defaultSettings, { proxyProtocol: "false", affinityCookies: "connect.sid, sessionId,sid" }), []);
});
