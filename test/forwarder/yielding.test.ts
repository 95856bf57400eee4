/** How forwarders that share a socket share a burst of connections. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Yielding } from "../../src/forwarder/yielding.ts";

test("who has more connections than lately gives others a turn after each; where as many go as come nobody rests", () => {
  let turns = 0;
  const yielding = new Yielding(() => (turns += 1));
  for (let connections = 1; connections <= 200; connections += 1) yielding.came(connections);
  assert.equal(turns, 200);
  for (let count = 0; count < 1_000; count += 1) yielding.came(150 + (count % 51));
  assert.equal(turns, 200);
  // The burst is over: of the next one others are to have their part again.
  yielding.forget(10);
  for (let connections = 11; connections <= 110; connections += 1) yielding.came(connections);
  assert.equal(turns, 300);
});
