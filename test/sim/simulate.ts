/** One seeded run: draws its parameters, does its worst for a while, then lets the cluster come to rest. */
import assert from "node:assert/strict";
import { changesOf } from "../../src/config/changes.ts";
import { defaultSettings } from "../../src/config/declared.ts";
import type { SettingChange } from "../../src/model/admin.ts";
import { initialState } from "../../src/monitor/state.ts";
import { step } from "../../src/monitor/step.ts";
import { nodeStates } from "../../src/monitor/view.ts";
import { seededRandom } from "../../src/sim/random.ts";
import { SimCluster } from "../../src/sim/sim-cluster.ts";
import { simRelease, simSpec } from "../../src/sim/sim-spec.ts";

export interface SimulateOptions {
  /** Serving instances are killed too: then safety is only asked for those that live. */
  readonly kills: boolean;
  /** Takes a serving instance out behind the core's back: the checker must see it. */
  readonly sabotage?: boolean;
  readonly say?: (text: string) => void;
}

const turns = 60;

export function simulate(seed: number, { kills, sabotage = false, say = () => {} }: SimulateOptions): void {
  const random = seededRandom(seed);
  const draw = (max: number) => Math.floor(random() * max);
  const nodes = 1 + draw(4);
  const forwarders = 1 + draw(2);
  const loss = random() * 0.3;
  const regenerate = random() < 0.3 && !sabotage ? "in-place" : "replace";
  say(`seed ${seed}: ${nodes} nodes, ${regenerate}, ${forwarders} forwarders, loss ${loss.toFixed(2)}`);
  const cluster = new SimCluster({
    spec: simSpec(
      nodes,
      {
        regenerate,
        startTimeoutMs: 4_000,
        drainTimeoutMs: 2_000,
        handOffTimeoutMs: 2_000,
        fenceTimeoutMs: 1_000,
        minRegenerationIntervalMs: 3_000,
        probationMs: 3_000,
      },
      forwarders,
    ),
    random,
    onEvent: (atMs, { text }) => say(`${(atMs / 1_000).toFixed(3)} ${text}`),
  });
  cluster.run(2_000);
  assert.equal(cluster.serving().length, nodes, "a quiet start");
  // One node at a time may be out where two of it cannot be; what was scaled away is not missed.
  let least = nodes;
  // A node that was regenerated so, and does not start, is out for longer than the setting lasts: until all serve again.
  let isInPlace = regenerate === "in-place";
  cluster.onStep = () => checkHandOff(cluster, seed);
  if (!kills)
    cluster.onStep = () => {
      checkHandOff(cluster, seed);
      least = Math.min(least, cluster.state.wanted);
      const { nodes: now, spec, current } = cluster.state;
      isInPlace = spec?.regenerate === "in-place" || current?.mode === "in-place" || (isInPlace && cluster.serving().length < least);
      const oneIsOut = now.some(({ exclusive }) => exclusive !== null) || isInPlace ? 1 : 0;
      // Who has failed for good is not waited for.
      const out = oneIsOut + now.filter(({ crashes }) => crashes.length >= defaultSettings.crashLoopRestarts).length;
      assert.ok(cluster.serving().length >= least - out, `seed ${seed}: only ${cluster.serving().join(" ")} serve, of ${least} nodes`);
    };
  if (sabotage) cluster.instances.delete("web-1.1");
  for (let turn = 0; turn < turns; turn += 1) {
    misbehave(cluster, { random, draw, loss, nodes, kills });
    cluster.run(cluster.nowMs + draw(2_500));
  }
  comeToRest(cluster, seed, nodes);
  assert.deepEqual(
    cluster.inputs.reduce((state, input) => step(state, input).state, initialState()),
    cluster.state,
    `seed ${seed}: the replay of the inputs differs`,
  );
}

interface Mischief {
  readonly random: () => number;
  readonly draw: (max: number) => number;
  readonly loss: number;
  readonly nodes: number;
  readonly kills: boolean;
}

function misbehave(cluster: SimCluster, { random, draw, loss, nodes, kills }: Mischief): void {
  const { faults } = cluster;
  faults.lossRatio = random() < 0.5 ? loss : 0;
  faults.duplicateRatio = random() * 0.3;
  const node = `web-${1 + draw(nodes)}`;
  const serving = cluster.serving();
  switch (draw(kills ? 17 : 16)) {
    case 0:
      return cluster.tell({ kind: "regenerate", request: `request-${cluster.nowMs}`, nodes: random() < 0.3 ? "all" : [node] });
    case 1: {
      const instance = serving[draw(serving.length)];
      const report = { atMs: cluster.nowMs, verdict: "aging" as const, trends: [], confidenceRatio: 1, reasons: ["drawn"], against: [] };
      return instance === undefined ? undefined : cluster.tell({ kind: "aging", instance, report });
    }
    case 2:
      faults.newInstances = (["listen", "listen", "exit", "hang", "taken"] as const)[draw(5)] ?? "listen";
      return;
    case 3:
      faults.silentForwarders = random() < 0.5 ? [] : ["forwarder-1"];
      return;
    case 4:
      faults.deafInstances = random() < 0.5;
      return;
    case 5:
      faults.replicatorAway = random() < 0.5;
      return;
    case 6:
      cluster.killMonitor();
      cluster.run(cluster.nowMs + draw(8_000));
      return cluster.restartMonitor();
    case 7:
      return cluster.sleepHost(draw(100_000));
    case 8: {
      // A replacement is no node yet: its death is always allowed.
      const replacement = cluster.state.current?.replacement;
      if (replacement != null && !serving.includes(replacement)) cluster.kill(replacement);
      return;
    }
    case 9:
      return cluster.tell({ kind: "reload", request: `request-${cluster.nowMs}`, release: simRelease(String(cluster.state.nextRelease)) });
    case 10:
      return cluster.linkForwarder("forwarder-1", random() < 0.5);
    case 11:
      return cluster.tell({ kind: "scale", request: `request-${cluster.nowMs}`, nodes: 1 + draw(4) });
    case 12:
      if (random() < 0.5) return cluster.tell({ kind: "settings", changes: drawSettings(cluster, draw) });
      return cluster.tell({ kind: "resume", nodes: random() < 0.5 ? "all" : [node] });
    case 13:
      if (random() < 0.3) return cluster.tell({ kind: "not-aging", instance: serving[draw(serving.length)] ?? "" });
      if (random() < 0.3) return cluster.tell({ kind: "load", othersAreFull: random() < 0.5 });
      return cluster.tell({ kind: "calendar", calendar: (["open", "outside", "forbidden"] as const)[draw(3)] ?? "open" });
    case 14: {
      const instance = serving[draw(serving.length)];
      const by = (["watermark", "max-age", "max-requests"] as const)[draw(3)] ?? "max-age";
      return instance === undefined ? undefined : cluster.tell({ kind: "back-stop", instance, by, why: "drawn" });
    }
    case 15:
      return cluster.restartReplicator();
    case 16: {
      const victim = serving[draw(serving.length)];
      if (victim !== undefined) cluster.kill(victim);
      return;
    }
  }
}

/** Who is handed off writes no more, as long as it lives. */
function checkHandOff({ state, instances, revoked, faults }: SimCluster, seed: number): void {
  const { current, replicatorLinked } = state;
  const old = current?.old ?? "";
  if (current === null || current.revoked === null || !replicatorLinked || faults.replicatorAway || instances.get(old)?.alive !== true)
    return;
  assert.ok(revoked.has(old), `seed ${seed}: ${old} may write, and is ${current.phase}`);
}

function drawSettings(cluster: SimCluster, draw: (max: number) => number): SettingChange[] {
  const all = {
    mode: (["automatic", "supervised", "observe"] as const)[draw(3)],
    regenerate: (["auto", "in-place"] as const)[draw(2)],
    startTimeoutMs: 2_000 + draw(4_000),
    drainTimeoutMs: draw(4_000),
    fenceTimeoutMs: 500 + draw(1_000),
    minReadyMs: draw(3_000),
    probationMs: draw(6_000),
    minRegenerationIntervalMs: draw(6_000),
  };
  const given = Object.fromEntries(Object.entries(all).filter(() => draw(2) === 0));
  return changesOf(cluster.state.spec?.settings ?? defaultSettings, given);
}

/** Faults over: everybody is there again, and what is unfinished must end. */
function comeToRest(cluster: SimCluster, seed: number, nodes: number): void {
  Object.assign(cluster.faults, {
    newInstances: "listen",
    silentForwarders: [],
    deafInstances: false,
    replicatorAway: false,
    lossRatio: 0,
    duplicateRatio: 0,
  });
  cluster.linkForwarder("forwarder-1", true);
  cluster.restartMonitor();
  cluster.run(cluster.nowMs + 300_000);
  for (const { name, state } of nodeStates(cluster.state)) {
    if (state === "failed") cluster.tell({ kind: "regenerate", request: `rest-${name}`, nodes: [name] });
  }
  cluster.run(cluster.nowMs + 60_000);
  cluster.tell({ kind: "scale", request: "rest-scale", nodes });
  cluster.run(cluster.nowMs + 120_000);
  assert.equal(cluster.state.current, null, `seed ${seed}: a regeneration never ends`);
  assert.deepEqual(
    nodeStates(cluster.state).map(({ state }) => state),
    Array.from({ length: nodes }, () => "ready"),
    `seed ${seed}`,
  );
  // Where going back failed for good, the next regeneration brings the running release.
  cluster.tell({ kind: "regenerate", request: "rest-all", nodes: "all" });
  cluster.run(cluster.nowMs + 60_000);
  const { release, rollout } = cluster.state;
  assert.equal(rollout, null, `seed ${seed}: a reload never ends`);
  assert.ok(
    cluster.state.nodes.every((node) => node.release === release),
    `seed ${seed}: not all are to be on release ${release}`,
  );
  assert.ok(
    cluster.state.instances.every((one) => one.release === release),
    `seed ${seed}: not all on release ${release}`,
  );
  assert.equal(cluster.serving().length, nodes, `seed ${seed}: who serves at rest`);
  assert.deepEqual(
    cluster.serving().filter((id) => cluster.revoked.has(id)),
    [],
    `seed ${seed}: who serves may write`,
  );
  const alive = [...cluster.instances.values()].filter((one) => one.alive).length;
  assert.equal(alive, nodes, `seed ${seed}: processes left over`);
}
