/** What is told of a hand-off: an alarm is one where something acknowledged is missing, and nowhere else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Confirmation } from "../../src/monitor/state.ts";
import { seededRandom } from "../../src/sim/random.ts";
import { SimCluster } from "../../src/sim/sim-cluster.ts";
import { simSpec } from "../../src/sim/sim-spec.ts";

/** The instance's own word is 3 writes, `abc`. @param comesBack the replicator goes and comes back between the two words. */
function saidAfter(revoked: Confirmation, comesBack = false): string {
  const said: string[] = [];
  const cluster = new SimCluster({
    spec: simSpec(2),
    random: seededRandom(1),
    onEvent: (_, { kind, text }) => {
      if (kind === "handed-off") said.push(text);
    },
  });
  cluster.run(1_000);
  cluster.faults.replicatorAway = true;
  cluster.tell({ kind: "regenerate", request: "operator", nodes: ["web-1"] });
  while (cluster.state.current?.phase !== "handing-off" || cluster.state.current.handedOff === null) cluster.run(cluster.nowMs + 1);
  if (comesBack) {
    cluster.faults.deafInstances = true; // its new word is still on its way
    for (const up of [false, true]) cluster.tell({ kind: "replicator-link", up });
  }
  cluster.tell({ kind: "replicator-revoked", instance: "web-1.1", ...revoked });
  cluster.run(cluster.nowMs + 5);
  return said.join();
}

test("hand-off: background work that writes between the instance's word and the replicator's is no alarm", () => {
  assert.match(saidAfter({ writes: 3, checksum: "abc" }), /3 session writes handed off/);
  assert.match(saidAfter({ writes: 5, checksum: "cde" }), /5 session writes handed off/);
  assert.match(saidAfter({ writes: 1, checksum: "abc" }, true), /1 session write handed off/);
  assert.match(saidAfter({ writes: 2, checksum: "cde" }), /counts differ \(3 against 2 writes\)/);
  assert.match(saidAfter({ writes: 3, checksum: "cde" }), /counts differ/);
});

test("hand-off: a replicator that came back counts anew, which is no alarm", () => {
  assert.match(saidAfter({ writes: 0, checksum: "0" }, true), /0 session writes handed off/);
});

/** Up to a phase of web-1's regeneration. */
function regeneratedUntil(cluster: SimCluster, request: string, phase: string): string {
  cluster.tell({ kind: "regenerate", request, nodes: ["web-1"] });
  while (cluster.state.current?.phase !== phase) cluster.run(cluster.nowMs + 1);
  return cluster.state.current.id;
}

test("hand-off: a late word of one that was given up is none of the next", () => {
  for (const kind of ["replicator-revoked", "instance-handed-off"] as const) {
    const cluster = new SimCluster({ spec: simSpec(2), random: seededRandom(1) });
    cluster.run(1_000);
    Object.assign(cluster.faults, { replicatorAway: true, deafInstances: kind === "instance-handed-off" });
    const regeneration = regeneratedUntil(cluster, "first", "handing-off");
    cluster.run(cluster.nowMs + 11_000); // given up
    regeneratedUntil(cluster, "second", "handing-off");
    cluster.tell({ kind, instance: "web-1.1", regeneration, writes: 3, checksum: "cde" });
    cluster.run(cluster.nowMs + 1);
    const { state } = cluster;
    assert.deepEqual([state.current?.phase, state.current?.revoked], ["handing-off", null]);
    assert.notEqual(state.current?.handedOff?.checksum, "cde");
  }
});

test("hand-off: a replicator that is started anew takes no write of who was handed off before and is still ending", () => {
  const cluster = new SimCluster({ spec: simSpec(2), random: seededRandom(1) });
  cluster.run(1_000);
  regeneratedUntil(cluster, "operator", "stopping");
  assert.deepEqual([...cluster.revoked], ["web-1.1"]);
  cluster.restartReplicator();
  cluster.run(cluster.nowMs);
  assert.deepEqual([...cluster.revoked], ["web-1.1"]);
});
