/** What operators asked for comes to an end, whatever else happens to the node. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { progress } from "../../src/monitor/view.ts";
import { seededRandom } from "../../src/sim/random.ts";
import { SimCluster } from "../../src/sim/sim-cluster.ts";
import { simRelease, simSpec } from "../../src/sim/sim-spec.ts";

test("requests: a regeneration that a deploy was to do is done, though the deploy turns back before", () => {
  const cluster = new SimCluster({ spec: simSpec(3, { releaseWatchMs: 10_000 }), random: seededRandom(1) });
  cluster.run(1_000);
  cluster.tell({ kind: "reload", request: "deploy", release: simRelease("2") });
  cluster.run(12_500); // web-1 is on it, and watched
  cluster.tell({ kind: "regenerate", request: "operator", nodes: ["web-1", "web-2"] });
  cluster.run(13_800); // web-1 is under way for the operator; web-2 waits, for the deploy too
  assert.equal(cluster.state.queue.find(({ node }) => node === "web-2")?.origin, "deploy");
  cluster.kill("web-1.2");
  cluster.run(40_000);
  const { done, nodes } = progress(cluster.state, "operator") ?? assert.fail();
  assert.deepEqual([done, ...nodes.map(({ outcome }) => outcome)], [true, "succeeded", "succeeded"]);
  assert.equal(progress(cluster.state, "deploy")?.reload?.outcome, "rolled-back");
  assert.ok(cluster.state.instances.every(({ release }) => release === "1"));
});

test("requests: nodes that are added and that go are no regenerations", () => {
  const cluster = new SimCluster({ spec: simSpec(2), random: seededRandom(1) });
  cluster.run(1_000);
  cluster.tell({ kind: "regenerate", request: "operator", nodes: ["web-1"] });
  cluster.run(60_000);
  for (const nodes of [4, 2]) {
    cluster.tell({ kind: "scale", request: `to-${nodes}`, nodes });
    cluster.run(cluster.nowMs + 60_000);
    assert.equal(cluster.state.nodes.length, nodes);
  }
  const { succeeded, failed } = cluster.state;
  assert.deepEqual({ succeeded, failed }, { succeeded: 1, failed: 0 });
});

test("requests: one that has not ended is known, however many younger ones there are; of those that have, the latest", () => {
  const cluster = new SimCluster({ spec: simSpec(2, { releaseWatchMs: 600_000 }), random: seededRandom(1) });
  cluster.run(1_000);
  cluster.tell({ kind: "reload", request: "deploy", release: simRelease("2") });
  for (let n = 1; n <= 300; n += 1) cluster.tell({ kind: "scale", request: `ended-${n}`, nodes: 2 });
  cluster.run(20_000); // web-1 is on it, and watched
  assert.equal(progress(cluster.state, "deploy")?.reload?.outcome, "running");
  assert.equal(progress(cluster.state, "ended-1"), null);
  assert.equal(progress(cluster.state, "ended-300")?.done, true);
  for (let n = 1; n <= 300; n += 1) cluster.tell({ kind: "regenerate", request: `open-${n}`, nodes: ["web-2"] });
  cluster.run(20_001);
  const { requests, queue, current } = cluster.state;
  assert.ok(requests.length <= 300, "bounded");
  assert.ok(
    [...queue, ...(current === null ? [] : [current])].every((wanted) => wanted.requests.length <= 250),
    "nor who asked for a node",
  );
  assert.equal(progress(cluster.state, "open-300")?.done, false);
  cluster.run(700_000);
  assert.equal(progress(cluster.state, "deploy")?.reload?.outcome, "succeeded");
  assert.equal(progress(cluster.state, "open-300")?.done, true);
});

test("requests: who wants a node again that retires waits until it is there again, or stays, or hears that it is not to be", () => {
  const wanted = (then: (cluster: SimCluster) => void) => {
    const cluster = new SimCluster({ spec: simSpec(2, { fenceTimeoutMs: 1_000 }), random: seededRandom(1) });
    cluster.run(1_000);
    then(cluster);
    cluster.tell({ kind: "scale", request: "less", nodes: 1 });
    cluster.run(1_050);
    cluster.tell({ kind: "scale", request: "again", nodes: 2 });
    cluster.run(1_060);
    const isDoneBefore = progress(cluster.state, "again")?.done;
    return { cluster, isDoneBefore };
  };
  const outcomeOf = (cluster: SimCluster) =>
    progress(cluster.state, "again")?.nodes.map(({ name, outcome, kind }) => [name, outcome, kind]);

  const goes = wanted(() => {});
  assert.equal(goes.isDoneBefore, false);
  goes.cluster.run(10_000);
  assert.deepEqual(outcomeOf(goes.cluster), [["web-2", "succeeded", "started"]]);
  assert.equal(goes.cluster.serving().length, 2);

  const stays = wanted(({ faults }) => Object.assign(faults, { deafInstances: true, silentForwarders: ["forwarder-1"] }));
  stays.cluster.run(10_000);
  assert.deepEqual(outcomeOf(stays.cluster), [["web-2", "succeeded", "started"]]);

  const not = wanted(() => {});
  not.cluster.tell({ kind: "scale", request: "less-after-all", nodes: 1 });
  not.cluster.run(10_000);
  assert.deepEqual(outcomeOf(not.cluster), [["web-2", "failed", "regenerated"]]);
  assert.equal(progress(not.cluster.state, "less-after-all")?.done, true);
});
