/** Whether the others could carry one more node's load: an arithmetic of sums, smoothed, with a gap between its two answers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SpareCapacity } from "../../src/monitor/spare-capacity.ts";

function feed(capacity: SpareCapacity, from: number, seconds: number, ratios: Readonly<Record<string, number>>, gcTimeRatio = 0): void {
  for (let at = from; at < from + seconds; at += 1)
    for (const [id, eventLoopUtilisationRatio] of Object.entries(ratios))
      capacity.add(id, { atMs: at * 1_000, indicators: { eventLoopUtilisationRatio, gcTimeRatio } });
}

test("spare capacity: steady loads that the others could share stay below nine tenths each", () => {
  const ratio = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.array(ratio, { minLength: 2, maxLength: 8 }), (loads) => {
      const each = loads.reduce((sum, load) => sum + load, 0) / (loads.length - 1);
      fc.pre(Math.abs(each - 0.9) > 1e-6);
      const capacity = new SpareCapacity();
      const ids = loads.map((_, at) => `web-${at}.1`);
      feed(capacity, 0, 20, Object.fromEntries(ids.map((id, at) => [id, loads[at] ?? 0])));
      assert.equal(capacity.isFull(ids, false), each > 0.9);
      if (each < 0.8 - 1e-6 || each > 0.8 + 1e-6) assert.equal(capacity.isFull(ids, true), each > 0.8);
    }),
  );
});

test("spare capacity: a second of load is none, minutes are; and it must fall clearly before it counts as fallen", () => {
  const capacity = new SpareCapacity();
  const [both, busy] = [["a.1", "b.1"], { "a.1": 0.9, "b.1": 0.9 }];
  let isFull: boolean | null = false;
  const look = () => (isFull = capacity.isFull(both, isFull === true));
  feed(capacity, 0, 60, { "a.1": 0.2, "b.1": 0.2 });
  feed(capacity, 60, 2, busy);
  assert.equal(look(), false);
  feed(capacity, 62, 120, busy);
  assert.equal(look(), true);
  feed(capacity, 182, 300, { "a.1": 0.43, "b.1": 0.43 });
  assert.equal(look(), true, "0.86 for each: between the two");
  feed(capacity, 482, 300, { "a.1": 0.39, "b.1": 0.39 });
  assert.equal(look(), false);
  feed(capacity, 782, 300, { "a.1": 0.43, "b.1": 0.43 });
  assert.equal(look(), false, "and back");
});

test("spare capacity: collecting garbage is no load that moves; of one alone there is none to wait for, and what is not known of all is not known", () => {
  const capacity = new SpareCapacity();
  feed(capacity, 0, 100, { "a.1": 1, "b.1": 1 }, 0.6);
  assert.equal(capacity.isFull(["a.1", "b.1"], false), false);
  feed(capacity, 100, 300, { "a.1": 1, "b.1": 1 });
  assert.equal(capacity.isFull(["a.1", "b.1"], false), true);
  assert.equal(capacity.isFull(["a.1", "b.1", "c.1"], true), null, "c says nothing");
  assert.equal(capacity.isFull(["a.1"], true), false);
  assert.equal(capacity.isFull([], true), false);
  feed(capacity, 400, 1, { "a.1": 1 });
  assert.equal(capacity.isFull(["a.1", "b.1"], false), true);
  capacity.end("b.1");
  capacity.add("b.1", { atMs: 500_000, indicators: {} });
  assert.equal(capacity.isFull(["a.1", "b.1"], true), null);
});
