/** Sessions' rules: merge, versions, tombstones, tallies, each against a dumb twin. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mergeData } from "../../src/state/merge.ts";
import { absentBase, anyBase, destroy, type SessionRecord, touch, write } from "../../src/state/session-record.ts";
import { Tally } from "../../src/state/tally.ts";

const data = fc.dictionary(
  fc.constantFrom("a", "b", "c", "d", "__proto__"),
  fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constant(null), fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 2 })),
);

test("merge: key by key it is what a table of all cases says", () => {
  fc.assert(
    fc.property(data, data, data, (base, current, incoming) => {
      const { data: merged, conflicts } = mergeData(base, current, incoming);
      let expectedConflicts = 0;
      for (const key of new Set([...Object.keys(base), ...Object.keys(current), ...Object.keys(incoming)])) {
        const [was, theirs, ours] = [base, current, incoming].map((side) =>
          Object.hasOwn(side, key) ? JSON.stringify(side[key]) : "absent",
        );
        const expected = ours === was ? theirs : ours;
        if (ours !== was && theirs !== was && ours !== theirs) expectedConflicts += 1;
        assert.equal(Object.hasOwn(merged, key) ? JSON.stringify(merged[key]) : "absent", expected, key);
      }
      assert.equal(conflicts, expectedConflicts);
    }),
  );
});

test("merge: changes to different keys of one session are all kept, in any order", () => {
  const base = { count: 1 };
  const first = mergeData(base, base, { count: 1, cart: ["oak"] }).data;
  const second = mergeData(base, first, { count: 1, name: "Ann" });
  assert.deepEqual(second, { data: { count: 1, cart: ["oak"], name: "Ann" }, conflicts: 0, keepsCookie: false });
});

const live = (version: number, text: string, writes: string[] = ["new"]): SessionRecord => ({
  version,
  expiresAtMs: null,
  tombstone: false,
  text,
  writes,
});
const incoming = (base: number, text: string, baseText: string | null = null, id = "new") => ({
  id,
  base,
  expiresAtMs: null,
  text,
  baseText,
});

test("versions: only ever grow, over writes, merges, expiry and blind replacement", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ base: fc.integer({ min: -1, max: 12 }), value: fc.nat(3), withBase: fc.boolean(), expires: fc.boolean() }), {
        maxLength: 20,
      }),
      (writes) => {
        let current: SessionRecord | null = null;
        let highest = 0;
        let nowMs = 0;
        for (const [index, { base, value, withBase, expires }] of writes.entries()) {
          nowMs += 10;
          const outcome = write(
            current,
            {
              id: String(index),
              base,
              expiresAtMs: expires ? nowMs + 5 : null,
              text: JSON.stringify({ value }),
              baseText: withBase ? "{}" : null,
            },
            nowMs,
            0,
          );
          if (outcome.kind !== "store") continue;
          assert.ok(outcome.record.version > highest, `${outcome.record.version} after ${highest}`);
          highest = outcome.record.version;
          current = outcome.record;
        }
      },
    ),
  );
});

test("writes: a current base is stored, a stale one wants its base, none replaces", () => {
  const current = live(5, '{"a":1}', ["old"]);
  const next = (text: string) => ({ kind: "store", record: live(6, text, ["old", "new"]), conflicts: 0 });
  assert.deepEqual(write(current, incoming(5, '{"a":2}'), 0, 0), next('{"a":2}'));
  assert.deepEqual(write(current, incoming(4, '{"b":1}'), 0, 0), { kind: "base-wanted" });
  assert.deepEqual(write(current, incoming(3, '{"b":1}', "{}"), 0, 0), next('{"a":1,"b":1}'));
  assert.deepEqual(write(current, incoming(anyBase, '{"c":1}'), 0, 0), next('{"c":1}'));
  assert.deepEqual(write(null, incoming(anyBase, "{}"), 0, 41), { kind: "store", record: live(42, "{}"), conflicts: 0 });
});

test("writes: one that is sent again is stored already, and undoes nothing that came upon it", () => {
  const stored = (current: SessionRecord | null, base: number, n: number) => {
    const outcome = write(current, incoming(base, JSON.stringify({ n }), null, `write-${n}`), 0, 0);
    return outcome.kind === "store" ? outcome.record : assert.fail(outcome.kind);
  };
  for (const [before, base] of [
    [null, anyBase],
    [live(5, '{"n":0}'), 5],
  ] as const) {
    let current = stored(before, base, 1);
    for (const n of [2, 3, 4]) current = stored(current, current.version, n);
    assert.deepEqual(write(current, incoming(base, '{"n":1}', null, "write-1"), 0, 0), { kind: "stored-already", record: current });
    assert.equal(current.text, '{"n":4}');
  }
});

test("tombstones: a late write into a destroyed session is dropped until it expires", () => {
  const tombstone: SessionRecord = { version: 3, expiresAtMs: 100, tombstone: true, text: "", writes: [] };
  for (const base of [anyBase, 2, 3]) assert.deepEqual(write(tombstone, incoming(base, "{}"), 99, 0), { kind: "dropped" });
  assert.equal(write(tombstone, incoming(anyBase, "{}"), 100, 0).kind, "store");
});

test("tombstones: a session that was made anew under the same identifier is stored; its first write, sent again after its own end, is not", () => {
  const tombstone: SessionRecord = { version: 3, expiresAtMs: 100, tombstone: true, text: "", writes: [] };
  const anew = { ...incoming(absentBase, "{}"), expiresAtMs: 500 };
  const outcome = write(tombstone, anew, 99, 0);
  assert.deepEqual(outcome, {
    kind: "store",
    record: { version: 4, expiresAtMs: 500, tombstone: false, text: "{}", writes: [anew.id], since: 4 },
    conflicts: 0,
  });
  const { record } = outcome.kind === "store" ? outcome : assert.fail();
  assert.equal(write(record, anew, 99, 0).kind, "stored-already");
  assert.deepEqual(write({ ...record, tombstone: true, text: "" }, anew, 99, 0), { kind: "dropped" });
});

test("tombstones: what was made from the destroyed session does not get into the one that was made anew under its identifier", () => {
  const anew = write({ version: 3, expiresAtMs: 100, tombstone: true, text: "", writes: [] }, incoming(absentBase, '{"user":"new"}'), 0, 0);
  const { record } = anew.kind === "store" ? anew : assert.fail();
  const own = write(record, incoming(4, '{"user":"new","cart":1}', null, "own"), 0, 0);
  for (const current of [record, own.kind === "store" ? own.record : assert.fail()])
    assert.deepEqual(write(current, incoming(2, '{"cart":"old"}', "{}", "late"), 0, 0), { kind: "dropped" });
});

test("tombstones: a destroy that is sent again does not end what was made anew meanwhile", () => {
  const destroyed = destroy(live(3, "{}", []), "destroy", 0, 0) ?? assert.fail();
  assert.deepEqual([destroyed.tombstone, destroyed.version], [true, 4]);
  assert.equal(destroy(destroyed, "destroy", 1, 0), null);
  const anew = write(destroyed, incoming(absentBase, "{}"), 2, 0);
  assert.equal(destroy(anew.kind === "store" ? anew.record : assert.fail(), "destroy", 3, 0), null);
});

const dayMs = 24 * 60 * 60 * 1_000;
/** As express-session has it at a time: its arithmetic loses a millisecond now and then. */
const cookieAt = (atMs: number, maxAgeMs: number, lostMs = 0) => ({
  originalMaxAge: maxAgeMs - lostMs,
  expires: new Date(atMs + maxAgeMs).toISOString(),
  httpOnly: true,
  path: "/",
});

test("merge: a cookie that one request made for longer is not shortened by another one that was in process", () => {
  const short = (atMs: number, lostMs = 0) => cookieAt(atMs, 60_000, lostMs);
  const remembered = { ...live(2, JSON.stringify({ cookie: cookieAt(2_000, 30 * dayMs), user: "Ann" }), []), expiresAtMs: 30 * dayMs };
  const poll = { ...incoming(1, JSON.stringify({ cookie: short(3_000, 1), polled: 1 })), expiresAtMs: 63_000 };
  const outcome = write(remembered, { ...poll, baseText: JSON.stringify({ cookie: short(0) }) }, 3_000, 0);
  assert.ok(outcome.kind === "store" && outcome.conflicts === 0);
  const { cookie, user, polled } = JSON.parse(outcome.record.text) as Record<string, unknown>;
  assert.deepEqual({ cookie, user, polled }, { cookie: cookieAt(2_000, 30 * dayMs), user: "Ann", polled: 1 });
  assert.equal(outcome.record.expiresAtMs, 30 * dayMs);
  // Where nobody changed it, the later expiry is the later request's.
  const both = mergeData({ cookie: short(0) }, { cookie: short(1_000) }, { cookie: short(2_000, 1) });
  assert.deepEqual(both, { data: { cookie: short(2_000, 1) }, conflicts: 0, keepsCookie: false });
  // Who changes it last is heard.
  const forgets = mergeData({ cookie: short(0) }, { cookie: cookieAt(1_000, 30 * dayMs) }, { cookie: cookieAt(2_000, 10_000) });
  assert.deepEqual(forgets, { data: { cookie: cookieAt(2_000, 10_000) }, conflicts: 1, keepsCookie: false });
});

test("merge: where a cookie has no length, its expiry moves only when it is set (@fastify/session)", () => {
  const browser = { expires: null, originalMaxAge: null, path: "/" };
  const remembered = { ...browser, expires: new Date(30 * dayMs).toISOString() };
  const polled = mergeData({ cookie: browser }, { cookie: remembered }, { cookie: browser, polled: 1 });
  assert.deepEqual(polled, { data: { cookie: remembered, polled: 1 }, conflicts: 0, keepsCookie: true });
  const later = mergeData({ cookie: browser }, { cookie: browser, polled: 1 }, { cookie: remembered });
  assert.deepEqual(later, { data: { cookie: remembered, polled: 1 }, conflicts: 0, keepsCookie: false });
});

test("touch: moves the expiry; one of a request that had not seen the last write shortens none", () => {
  const current = { ...live(5, "{}"), expiresAtMs: 1_000 };
  const touched = (expiresAtMs: number | null, version?: number) => touch(current, expiresAtMs, version).expiresAtMs;
  assert.deepEqual([touched(500), touched(500, 5), touched(500, 4), touched(2_000, 4), touched(null, 4)], [500, 500, 1_000, 2_000, null]);
  assert.equal(touch({ ...current, expiresAtMs: null }, 500, 4).expiresAtMs, null);
});

test("tally: the same writes in any order, and only those, give the same checksum", () => {
  const writes = fc.uniqueArray(fc.tuple(fc.constantFrom("s1", "s2"), fc.string(), fc.nat()), {
    selector: (one) => one.join("\u0000"),
    minLength: 1,
  });
  fc.assert(
    fc.property(writes, (list) => {
      const tallyOf = (some: typeof list) => {
        const tally = new Tally();
        for (const [store, id, version] of some) tally.add(store, id, version);
        return [tally.writes, tally.checksum];
      };
      assert.deepEqual(tallyOf(list), tallyOf([...list].reverse()));
      assert.notDeepEqual(tallyOf(list), tallyOf(list.slice(1)));
    }),
  );
});
