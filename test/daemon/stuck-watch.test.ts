/** Whose event loop counts as blocked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StuckWatch } from "../../src/daemon/stuck-watch.ts";

/** Nobody knows what it had of the processor. */
const unknown = { processorMs: () => null, wantsProcessor: () => true };

test("stuck watch: however rarely is sampled, one who samples is not stuck, a little late or not, and who is silent is", () => {
  for (const sampleIntervalMs of [1_000, 15_000, 30_000, 60_000]) {
    const stuck: number[] = [];
    const settings = () => ({ stuckTimeoutMs: 30_000, sampleIntervalMs });
    const watch = new StuckWatch({ settings, ...unknown, onStuck: (_, silentMs) => stuck.push(silentMs) });
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
  const watch = new StuckWatch({ settings, ...unknown, onStuck: () => (stuck += 1) });
  watch.heard("web-1.1");
  for (let tick = 0; tick < 1_000; tick += 1) watch.tick();
  assert.equal(stuck, 0);
  stuckTimeoutMs = 30_000;
  watch.tick();
  assert.equal(stuck, 1, "a timeout that is set later is there at the next tick");
});

test("stuck watch: who is silent for want of the processor is not stuck until it had a third of the time; who wants none is", () => {
  const settings = () => ({ stuckTimeoutMs: 30_000, sampleIntervalMs: 1_000 });
  const ticksUntilStuck = (share: number, wanted: boolean): number => {
    let hadMs = 5_000;
    let stuck = false;
    const watch = new StuckWatch({ settings, processorMs: () => hadMs, wantsProcessor: () => wanted, onStuck: () => (stuck = true) });
    watch.heard("web-1.1");
    for (let ticks = 1; ; ticks += 1) {
      watch.tick();
      if (stuck || ticks === 1_000) return ticks;
      hadMs += 1_000 * share;
    }
  };
  assert.equal(ticksUntilStuck(1, true), 30, "a loop that never ends");
  assert.equal(ticksUntilStuck(0.5, true), 30, "beside another");
  assert.equal(ticksUntilStuck(0.1, true), 101, "with a tenth of a core");
  assert.equal(ticksUntilStuck(0, true), 1_000, "it never gets any");
  assert.equal(ticksUntilStuck(0, false), 30, "it waits for something else");
});
