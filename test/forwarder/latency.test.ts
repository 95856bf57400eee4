/** The latency histogram against sorting. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Latencies } from "../../src/forwarder/latency.ts";

test("latencies: each quantile is the sorted list's, to 3 % and a microsecond, whatever was added", () => {
  const latency = fc.oneof(fc.double({ min: 0, max: 5, noNaN: true }), fc.double({ min: 0, max: 4e6, noNaN: true }));
  fc.assert(
    fc.property(fc.array(latency, { minLength: 1, maxLength: 300 }), fc.double({ min: 0.001, max: 1, noNaN: true }), (all, q) => {
      const latencies = new Latencies();
      for (const ms of all) latencies.add(ms);
      const sorted = [...all].sort((a, b) => a - b);
      const exact = sorted[Math.ceil(q * all.length) - 1] ?? 0;
      const found = latencies.quantileMs(q) ?? Number.NaN;
      assert.ok(found >= exact - 1e-9 && found <= exact * (1 + 1 / 32) + 0.001 + 1e-9, `${found} for ${exact}`);
    }),
  );
});

test("latencies: none added is no quantile, and after a reset neither; what is longer than an hour counts as that", () => {
  const latencies = new Latencies();
  assert.equal(latencies.quantileMs(0.5), null);
  latencies.add(1e12);
  assert.ok((latencies.quantileMs(0.5) ?? 0) > 3_600_000);
  latencies.reset();
  assert.equal(latencies.quantileMs(0.5), null);
});
