/** `coppice/state` without Coppice: what an application meets in development is what it meets in the cluster. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Alone } from "../../src/inside/state/alone.ts";
import { SharedMap } from "../../src/inside/state/shared-map.ts";

const mapOf = (ttlMs?: number) => {
  const alone = new Alone();
  return new SharedMap<number>(() => alone, "m", ttlMs === undefined ? {} : { ttlMs });
};

test("a map: entries come in the order of their keys' bytes, in whatever order they were set", async () => {
  const map = mapOf();
  const keys = ["a", "b", "ä", "\ue000", "\u{1f600}"];
  for (const key of [...keys].reverse()) await map.set(key, 1);
  assert.deepEqual(
    (await map.entries()).map(([key]) => key),
    keys,
  );
});

test("a map: a key that the store could not tell from another one is refused, and a time that is no number", async () => {
  const map = mapOf();
  const emoji = "\u{1f600}";
  await map.set(emoji, 1);
  for (const key of ["", "a\n", emoji.slice(0, 1), `a${emoji.slice(1)}`, "x".repeat(1_001)])
    await assert.rejects(map.set(key, 1), RangeError);
  for (const ttlMs of [0, Number.NaN, "60000" as unknown as number]) assert.throws(() => mapOf(ttlMs), RangeError); // out of an environment
});
