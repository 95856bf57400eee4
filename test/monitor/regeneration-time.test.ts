/** How long a regeneration takes: what the aging model gives a queue of nodes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Settings } from "../../src/model/settings.ts";
import { regenerationMs } from "../../src/monitor/view.ts";
import { seededRandom } from "../../src/sim/random.ts";
import { SimCluster, simAt } from "../../src/sim/sim-cluster.ts";
import { simSpec } from "../../src/sim/sim-spec.ts";

function takes(more: Partial<Settings>, act: (cluster: SimCluster) => void): number {
  const spec = simSpec(2, more);
  const cluster = new SimCluster({ spec, random: seededRandom(1) });
  cluster.run(1_000);
  act(cluster);
  return regenerationMs(cluster.state, spec.settings);
}

const once = (cluster: SimCluster) => {
  cluster.tell({ kind: "regenerate", request: "request-1", nodes: "all" });
  cluster.run(cluster.nowMs + 60_000);
};

test("how long a regeneration takes: a start and the longest drain, then what the last ones took, never less than the distance between two", () => {
  const near = { minRegenerationIntervalMs: 0, drainTimeoutMs: 20_000 };
  const before = takes(near, () => {});
  assert.ok(before > 20_000 && before < 21_000, `${before} ms before the first`);
  const after = takes(near, once);
  assert.ok(after > 0 && after < 20_000, `${after} ms after it`);
  assert.equal(takes({ ...near, minRegenerationIntervalMs: 300_000 }, once), 300_000);
});

test("how long a regeneration takes: a server that closed its port for a while has not started for so long", () => {
  const limits = { minRegenerationIntervalMs: 0, startTimeoutMs: 3_600_000, drainTimeoutMs: 20_000 };
  const reopened = takes(limits, (cluster) => {
    const [instance = ""] = cluster.serving();
    cluster.tell({ kind: "instance-listener-closed", instance, at: simAt });
    cluster.run(cluster.nowMs + 600_000);
    cluster.tell({ kind: "instance-listening", instance, at: simAt, socketPath: `/${instance}` });
    cluster.run(cluster.nowMs + 1_000);
    assert.ok(cluster.serving().includes(instance));
  });
  assert.ok(reopened < 22_000, `${reopened} ms`);
});

test("how long a regeneration takes: a host that slept meanwhile makes it no longer than it may take", () => {
  const limits = { minRegenerationIntervalMs: 0, startTimeoutMs: 30_000, drainTimeoutMs: 20_000, killTimeoutMs: 5_000 };
  const slept = takes(limits, (cluster) => {
    cluster.tell({ kind: "regenerate", request: "request-1", nodes: "all" });
    cluster.run(cluster.nowMs + 1);
    cluster.sleepHost(8 * 3_600_000);
    cluster.run(cluster.nowMs + 60_000);
  });
  assert.equal(slept, 55_000);
});
