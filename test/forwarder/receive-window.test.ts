import assert from "node:assert/strict";
import { test } from "node:test";
import { ReceiveWindow } from "../../src/forwarder/receive-window.ts";

test("receive window: half of it at a time is told where all is taken; where some rests, half of what that leaves", () => {
  const window = new ReceiveWindow(100);
  assert.equal(window.came(49), true);
  assert.equal(window.taken(49), 0);
  assert.equal(window.came(1), true);
  assert.equal(window.taken(1), 50);
  // 80 rest: of the other 20 half is told.
  assert.equal(window.came(90), true);
  assert.equal(window.taken(10), 10);
});

test("receive window: what was taken before is told when what comes then rests, and it is full where nothing is left to tell", () => {
  const window = new ReceiveWindow(100);
  window.came(60);
  assert.equal(window.taken(30), 0);
  window.came(40);
  assert.equal(window.full, true);
  assert.equal(window.taken(0), 30);
  assert.equal(window.full, false);
  window.came(30);
  assert.deepEqual([window.full, window.taken(0), window.came(1)], [true, 0, false]);
});
