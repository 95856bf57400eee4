/** Whose event loop counts as blocked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StuckWatch } from "../../src/daemon/stuck-watch.ts";

test("stuck watch: however rarely is sampled, one who samples is not stuck, a little late or not, and who is silent is", () => {
  for (const sampleIntervalMs of [1_000, 15_000, 30_000, 60_000]) {
    const stuck: number[] = [];
    const settings = () => ({ stuckTimeoutMs: 30_000, sampleIntervalMs });
    const watch = new StuckWatch({ settings, onStuck: (_, silentMs) => stuck.push(silentMs) });
    watch.heard("web-1.1");
    for (let tick = 0; tick < 100; tick += 1) {
      watch.tick();
      if (tick % 10 === 5) watch.tick(); // the sample comes after the next tick
      watch.heard("web-1.1");
    }
    assert.deepEqual(stuck, [], `every ${sampleIntervalMs} ms`);
    while (stuck.length === 0) watch.tick();
    assert.deepEqual(stuck, [Math.max(30_000, 3 * sampleIntervalMs)]);
  }
});

test("stuck watch: a timeout of 0 takes nobody for stuck", () => {
  let stuckTimeoutMs = 0;
  let stuck = 0;
  const settings = () => ({ stuckTimeoutMs, sampleIntervalMs: 1_000 });
  const watch = new StuckWatch({ settings, onStuck: () => (stuck += 1) });
  watch.heard("web-1.1");
  for (let tick = 0; tick < 1_000; tick += 1) watch.tick();
  assert.equal(stuck, 0);
  stuckTimeoutMs = 30_000;
  watch.tick();
  assert.equal(stuck, 1, "a timeout that is set later is there at the next tick");
});
