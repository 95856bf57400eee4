/** Sessions of one identifier, one after the other (`genid`), whose requests overlap and whose messages come twice, against a dumb twin. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { absentBase, alive, destroy, type SessionRecord, write } from "../../src/state/session-record.ts";

type Data = Record<string, number>;

/** A request of the session, with what it has in hand. */
interface Visit {
  base: { readonly version: number; readonly text: string };
  data: Data;
  /** Which session it is of; null: it made one that is not saved yet. */
  life: number | null;
}

const step = fc.record({
  act: fc.constantFrom("open", "save", "save", "save", "destroy", "again"),
  visit: fc.nat(3),
  key: fc.constantFrom("a", "b", "c"),
});

/** Of so many changes the last is known when it is sent again. */
const known = 8;

/** As the instance does: with the base's text where that is asked for. */
function written(record: SessionRecord | null, id: string, visit: Visit, text: string): ReturnType<typeof write> {
  const incoming = { id, base: visit.base.version, expiresAtMs: null, text, baseText: null };
  const outcome = write(record, incoming, 0, 0);
  return outcome.kind === "base-wanted" ? write(record, { ...incoming, id: `${id}+`, baseText: visit.base.text }, 0, 0) : outcome;
}

test("sessions of one identifier: each has what its own requests have saved, once, and nothing of another's", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let record: SessionRecord | null = null;
      let twin: { life: number; data: Data } | null = null;
      let lives = 0;
      const visits: Visit[] = [];
      const sent: (() => void)[] = [];
      for (const [index, { act, visit: at, key }] of steps.entries()) {
        const visit = visits[at];
        if (act === "again") for (const sendAgain of sent.slice(-known)) sendAgain();
        else if (act === "open" || visit === undefined) {
          const live: SessionRecord | null = alive(record, 0);
          const { version, text } = live ?? { version: absentBase, text: "{}" };
          visits[Math.min(at, visits.length)] = { base: { version, text }, data: JSON.parse(text) as Data, life: twin?.life ?? null };
        } else if (act === "destroy") {
          record = destroy(record, `${index}`, 0, 0);
          twin = null;
          sent.push(() => assert.equal(destroy(record, `${index}`, 0, 0), null));
        } else {
          visit.data = { ...visit.data, [key]: index };
          const text = JSON.stringify(visit.data);
          const before = { ...visit };
          const outcome = written(record, `${index}`, visit, text);
          if (visit.life === null) {
            if (twin === null) lives += 1;
            twin = { life: lives, data: { ...visit.data } };
            visit.life = lives;
          } else if (visit.life === twin?.life) twin.data = { ...twin.data, [key]: index };
          else assert.equal(outcome.kind, "dropped");
          if (outcome.kind === "store") {
            assert.ok(outcome.record.version > (record?.version ?? 0));
            record = outcome.record;
            visit.base = { version: record.text === text ? record.version : record.version - 1, text };
          }
          sent.push(() => assert.notEqual(written(record, `${index}`, before, text).kind, "store"));
        }
        const live = alive(record, 0);
        assert.deepEqual(live === null ? null : JSON.parse(live.text), twin?.data ?? null);
      }
    }),
  );
});
