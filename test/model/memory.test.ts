/** Memory shared out: nobody gets what is not there, and what does not fit is said. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { describeMemory, heapLimit, instanceShare, nodesThatFit, semiSpace, shareBytesMin, shareOut } from "../../src/model/memory.ts";

const mebibyte = 1024 * 1024;
const auto = { forwarders: 1, regenerate: "auto" } as const;

test("memory: one or two nodes and a replacement have room in 512 MiB, one alone in 256", () => {
  assert.equal(shareOut(512 * mebibyte, { ...auto, nodes: 1 }).surge, 1);
  assert.equal(shareOut(512 * mebibyte, { ...auto, nodes: 2 }).surge, 1);
  const small = shareOut(256 * mebibyte, { ...auto, nodes: 1 });
  assert.equal(small.surge, 0);
  assert.ok(instanceShare(small, 1) >= shareBytesMin);
  assert.match(describeMemory(small, 1), /^memory: 256 MiB, .* each of 1 node, regenerated in place \(heap at most \d+\)$/);
  assert.match(describeMemory(shareOut(256 * mebibyte, { ...auto, nodes: 4 }), 4), /that is little/);
});

test("memory: heaps, young generations, Coppice and the reserve together stay inside the limit, whatever the numbers", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 192, max: 64 * 1024 }),
      fc.integer({ min: 1, max: 64 }),
      fc.integer({ min: 1, max: 8 }),
      (limit, nodes, forwarders) => {
        const budget = shareOut(limit * mebibyte, { nodes, forwarders, regenerate: "auto" });
        const share = instanceShare(budget, nodes);
        const heap = heapLimit(budget, nodes);
        if (share >= shareBytesMin) {
          const taken = (nodes + budget.surge) * (heap + 3 * (semiSpace(heap) ?? 0)) + budget.ownBytes + budget.reserveBytes;
          assert.ok(taken <= budget.limitBytes, `${taken / mebibyte} MiB of ${limit}`);
          assert.ok(heap >= 50 * mebibyte, "and a server can start in it");
        }
        assert.ok(heap <= 4096 * mebibyte);
        const fitting = nodesThatFit(limit * mebibyte, forwarders, nodes);
        assert.ok(fitting >= 1 && fitting <= nodes);
        if (fitting > 1) assert.equal(shareOut(limit * mebibyte, { nodes: fitting, forwarders, regenerate: "auto" }).surge, 1);
      },
    ),
  );
});

test("memory: from 2 GiB on a forwarder's large young generation is counted, for each", () => {
  const own = (limit: number, forwarders: number) => shareOut(limit * mebibyte, { ...auto, forwarders, nodes: 2 }).ownBytes / mebibyte;
  assert.deepEqual([own(2_047, 1), own(2_048, 1), own(2_047, 3), own(2_048, 3)], [144, 200, 240, 408]);
});

test("memory: where there is plenty, Node's own sizes stand", () => {
  const plenty = shareOut(64 * 1024 * mebibyte, { ...auto, nodes: 4 });
  assert.equal(heapLimit(plenty, 4), 4096 * mebibyte);
  assert.equal(semiSpace(heapLimit(plenty, 4)), null);
});
