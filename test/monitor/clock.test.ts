/** The wall clock is set back: what happened before it did is not taken for the future. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../src/sim/random.ts";
import { SimCluster } from "../../src/sim/sim-cluster.ts";
import { simSpec } from "../../src/sim/sim-spec.ts";

const dayMs = 86_400_000;

test("clock: set back by a day, crashes of before leave the window of a crash loop as they would have", () => {
  const cluster = new SimCluster({
    spec: simSpec(1, { crashLoopRestarts: 3, crashLoopWindowMs: 60_000 }),
    random: seededRandom(1),
  });
  const crash = () => {
    cluster.kill(cluster.state.nodes[0]?.instance ?? assert.fail());
    cluster.run(cluster.nowMs + 2_000);
  };
  cluster.run(2 * dayMs);
  crash();
  crash();
  cluster.sleepHost(-dayMs);
  cluster.run(cluster.nowMs + 1_000);
  cluster.linkForwarder("forwarder-1", false); // the first that is heard since
  cluster.run(cluster.nowMs + 120_000);
  crash();
  assert.deepEqual(
    cluster.state.nodes.map(({ failed }) => failed),
    [false],
  );
});

test("clock: set back by a day in the middle of a hand-off, a silent instance is waited for as long as else, and no longer", () => {
  const cluster = new SimCluster({ spec: simSpec(2), random: seededRandom(1) });
  cluster.run(2 * dayMs);
  cluster.faults.deafInstances = true; // its event loop is busy
  cluster.tell({ kind: "regenerate", request: "operator", nodes: ["web-1"] });
  while (cluster.state.current?.phase !== "handing-off") cluster.run(cluster.nowMs + 1);
  cluster.sleepHost(-dayMs);
  cluster.run(cluster.nowMs + 120_000);
  assert.deepEqual(
    cluster.state.ended.map(({ outcome, remark }) => [outcome, remark]),
    [["succeeded", "not drained within 30000 ms; what is still in process is cut"]],
  );
  const [{ startedAtMs = 0, endedAtMs = 0 } = {}] = cluster.state.ended;
  assert.ok((endedAtMs ?? 0) >= startedAtMs, `${startedAtMs} to ${endedAtMs}`);
});
