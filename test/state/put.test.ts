/** Compare and set, by which maps of the application's own change, against a dumb twin. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyBase, put, type SessionRecord } from "../../src/state/session-record.ts";

/** A step names the version that it has seen: the current one, one that never was, or none. */
const step = fc.record({
  id: fc.constantFrom("a", "b", "c", "d", "e", "f"),
  base: fc.constantFrom("current", "older", "absent", "any"),
  removes: fc.boolean(),
});

test("put: exactly who names what is there, or anything, changes it; no version comes twice", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let current: SessionRecord | null = null;
      let floor = 0;
      const versions = new Set<number>();
      for (const { id, base: named, removes } of steps) {
        const version: number = current === null ? 0 : current.version;
        const base = { current: version, older: version + 7, absent: 0, any: anyBase }[named];
        const repeated: boolean = current?.writes.includes(id) ?? false;
        const outcome = put(current, { id, base, expiresAtMs: null, text: `${id} ${versions.size}` }, floor);
        if (repeated) assert.equal(outcome.kind, "stored-already");
        else assert.equal(outcome.kind, named === "any" || base === version ? "store" : "stale");
        if (outcome.kind === "store") {
          assert.ok(!versions.has(outcome.record.version));
          versions.add(outcome.record.version);
          current = outcome.record;
        }
        if (removes && current !== null) {
          floor = Math.max(floor, current.version); // as the store does
          current = null;
        }
      }
    }),
  );
});
