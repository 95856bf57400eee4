/** Back-stops beside the model, as the daemon watches them: what was seen of the load outlives a change of settings. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { changesOf } from "../../src/config/changes.ts";
import { defaultSettings } from "../../src/config/declared.ts";
import { BackStopWatch } from "../../src/daemon/back-stop-watch.ts";
import type { Fact } from "../../src/monitor/types.ts";
import { seededRandom } from "../../src/sim/random.ts";
import { SimCluster } from "../../src/sim/sim-cluster.ts";
import { simSpec } from "../../src/sim/sim-spec.ts";

/** A watch of a simulated cluster of two, as the daemon has one; what it finds of the load is told to the cluster. */
function watchOf(cluster: SimCluster) {
  const facts: Fact[] = [];
  const watch = new BackStopWatch({
    settings: () => cluster.state.spec?.settings ?? defaultSettings,
    state: () => cluster.state,
    requestsOf: () => null,
    exhaustionInMs: () => Number.POSITIVE_INFINITY,
    accept: (fact) => {
      facts.push(fact);
      if (fact.kind === "load") cluster.tell(fact);
      cluster.run(cluster.nowMs + 1);
    },
  });
  const sample = (from: number, to: number, eventLoopUtilisationRatio: number) => {
    for (let second = from; second < to; second += 1)
      for (const id of ["web-1.1", "web-2.1"])
        watch.sampled(id, { atMs: second * 1_000, requestsTotal: 0, indicators: { eventLoopUtilisationRatio, openFds: 20 }, limits: {} });
  };
  return { watch, sample, facts, loads: () => facts.flatMap((fact) => (fact.kind === "load" ? [fact.othersAreFull] : [])) };
}

function twoNodes(): SimCluster {
  const cluster = new SimCluster({ spec: simSpec(2), random: seededRandom(1) });
  cluster.run(1_000);
  return cluster;
}

test("other settings: that the others are full is not forgotten by them, and what they change of levels is there", () => {
  const cluster = twoNodes();
  const { watch, sample, facts, loads } = watchOf(cluster);
  sample(0, 60, 0.9);
  watch.tick(60_000);
  assert.equal(cluster.state.othersAreFull, true);
  cluster.tell({ kind: "settings", changes: changesOf(defaultSettings, { watermarks: "openFds:10" }) });
  cluster.run(3_000);
  watch.settingsChanged(61_000);
  sample(61, 80, 0.9);
  watch.tick(80_000);
  assert.deepEqual(loads(), [true]);
  const found = new Set(facts.flatMap((fact) => (fact.kind === "back-stop" ? [`${fact.instance} ${fact.by}`] : [])));
  assert.deepEqual([...found], ["web-1.1 watermark", "web-2.1 watermark"]);
});

test("another monitor: that the others are full stands until all have said what they do, and falls as it would have", () => {
  const cluster = twoNodes();
  cluster.tell({ kind: "load", othersAreFull: true });
  cluster.run(2_000);
  const { watch, sample, loads } = watchOf(cluster);
  watch.tick(2_000);
  sample(3, 4, 0.43);
  watch.tick(4_000);
  assert.deepEqual(loads(), [], "0.86 for each is not low enough");
  sample(5, 300, 0.3);
  watch.tick(300_000);
  assert.deepEqual(loads(), [false]);
});
