/**
 * The monitor under random faults: answers lost, doubled and late, replacements that never come, silent
 * forwarders, deaf instances, no replicator, the monitor's own deaths, a host that sleeps. First safety,
 * then, with the faults over, liveness. `npm run sim -- --seed N` runs one seed and tells its story.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { simulate } from "./simulate.ts";

const seeds = Array.from({ length: 60 }, (_, index) => index + 1);

test("no order, loss or doubling of events leads from healthy to fewer serving nodes than doing nothing", () => {
  for (const seed of seeds) simulate(seed, { kills: false });
});

test("with nodes killed at random too, the cluster comes to rest with every node ready", () => {
  for (const seed of seeds) simulate(seed, { kills: true });
});

test("the checker sees a core that cordons without a replacement", () => {
  assert.throws(() => simulate(3, { kills: false, sabotage: true }), /serve/);
});
