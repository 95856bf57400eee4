/** Compare and set, by which maps of the application's own change, against a dumb twin. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { alive, anyBase, put, remove, type SessionRecord } from "../../src/state/session-record.ts";

/** A step names the version that it has seen: the current one, one that never was, or none. The same id is the same change, sent again. */
const step = fc.record({
  change: fc.nat({ max: 30 }),
  base: fc.constantFrom("current", "older", "absent", "any"),
  swept: fc.boolean(),
});
/** Of so many changes the last is known when it is sent again. */
const known = 8;

test("put and remove: exactly who names what is there, or anything, changes it, once; no version comes twice", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let record: SessionRecord | null = null;
      let floor = 0;
      let version = 0;
      let made: { id: string; wasThere: boolean }[] = [];
      const versions = new Set<number>();
      for (const { change, base: named, swept } of steps) {
        const removes = change % 3 === 0;
        const id = `${change}`;
        const base = { current: version, older: 1_000_000, absent: 0, any: anyBase }[named];
        const earlier = made.slice(-known).find((one) => one.id === id);
        const isCurrent = base === anyBase || base === version;
        if (removes) {
          const outcome = remove(record, { id, base }, 0, floor);
          if (earlier !== undefined) assert.deepEqual(outcome, { kind: "removed", record: null, wasThere: earlier.wasThere });
          else if (!isCurrent) assert.equal(outcome.kind, "stale");
          else {
            assert.ok(outcome.kind === "removed" && outcome.record !== null);
            assert.equal(outcome.wasThere, version > 0);
            made.push({ id, wasThere: outcome.wasThere });
            record = outcome.record;
            version = 0;
          }
        } else {
          const outcome = put(record, { id, base, expiresAtMs: null, text: id }, 0, floor);
          assert.equal(outcome.kind, earlier !== undefined ? "stored-already" : isCurrent ? "store" : "stale");
          if (outcome.kind === "store") {
            assert.ok(!versions.has(outcome.record.version));
            versions.add(outcome.record.version);
            made.push({ id, wasThere: true });
            record = outcome.record;
            version = record.version;
          }
        }
        assert.equal(alive(record, 0)?.version ?? 0, version);
        // What is swept is forgotten, but for its version.
        if (swept && record !== null && alive(record, Number.MAX_SAFE_INTEGER) === null) {
          floor = Math.max(floor, record.version); // as the store does
          record = null;
          made = [];
        }
      }
    }),
  );
});

test("remove: the mark that it leaves is swept once nobody sends it again", () => {
  const minute = 60_000;
  const outcome = remove(null, { id: "a", base: anyBase }, 0, 0);
  assert.ok(outcome.kind === "removed" && outcome.record !== null);
  const { expiresAtMs } = outcome.record;
  assert.ok(expiresAtMs !== null && expiresAtMs > 10 * minute && expiresAtMs < 15 * minute);
});
