/** Back-stops beside the model, as the daemon watches them: what was seen of the load outlives a change of settings. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { changesOf } from "../../src/config/changes.ts";
import { defaultSettings } from "../../src/config/declared.ts";
import { BackStopWatch } from "../../src/daemon/back-stop-watch.ts";
import type { Fact } from "../../src/daemon/engine.ts";
import { seededRandom } from "../../src/sim/random.ts";
import { SimCluster } from "../../src/sim/sim-cluster.ts";
import { simSpec } from "../../src/sim/sim-spec.ts";

test("other settings: that the others are full is not forgotten by them, and what they change of levels is there", () => {
  const cluster = new SimCluster({ spec: simSpec(2), random: seededRandom(1) });
  cluster.run(1_000);
  const facts: Fact[] = [];
  const watch = new BackStopWatch({
    settings: () => cluster.state.spec?.settings ?? defaultSettings,
    state: () => cluster.state,
    requestsOf: () => null,
    exhaustionInMs: () => Number.POSITIVE_INFINITY,
    accept: (fact) => {
      facts.push(fact);
      if (fact.kind === "load") cluster.tell(fact);
    },
  });
  const sample = (from: number, to: number) => {
    for (let second = from; second < to; second += 1)
      for (const id of ["web-1.1", "web-2.1"])
        watch.sampled(id, {
          atMs: second * 1_000,
          requestsTotal: 0,
          indicators: { eventLoopUtilisationRatio: 0.9, openFds: 20 },
          limits: {},
        });
  };
  sample(0, 60);
  watch.tick(60_000);
  cluster.run(2_000);
  assert.equal(cluster.state.othersAreFull, true);
  cluster.tell({ kind: "settings", changes: changesOf(defaultSettings, { watermarks: "openFds:10" }) });
  cluster.run(3_000);
  watch.settingsChanged(61_000);
  sample(61, 80);
  watch.tick(80_000);
  assert.deepEqual(
    facts.filter(({ kind }) => kind === "load"),
    [{ kind: "load", othersAreFull: true }],
  );
  const found = new Set(facts.flatMap((fact) => (fact.kind === "back-stop" ? [`${fact.instance} ${fact.by}`] : [])));
  assert.deepEqual([...found], ["web-1.1 watermark", "web-2.1 watermark"]);
});
