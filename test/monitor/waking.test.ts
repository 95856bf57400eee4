/** The monitor sleeps while nothing is due: each step is journalled. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../src/sim/random.ts";
import { SimCluster, simAt } from "../../src/sim/sim-cluster.ts";
import { simSpec } from "../../src/sim/sim-spec.ts";

test("waking: a replacement that has stood its time but listens no more is waited for without a step each millisecond", () => {
  const cluster = new SimCluster({ spec: simSpec(2), random: seededRandom(1) });
  cluster.run(1_000);
  cluster.tell({ kind: "regenerate", request: "request-1", nodes: ["web-1"] });
  cluster.run(2_000);
  cluster.tell({ kind: "instance-listener-closed", instance: "web-1.2", at: simAt });
  cluster.run(10_000);
  const before = cluster.inputs.length;
  cluster.run(20_000);
  assert.ok(cluster.inputs.length - before < 50, `${cluster.inputs.length - before} steps in ten seconds`);
});
