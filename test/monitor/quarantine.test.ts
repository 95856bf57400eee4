/** Whether regenerating helps: which rows of lives end in quarantine, and which never do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { countLife, helpedMs } from "../../src/monitor/quarantine.ts";

const settings = { probationMs: 60_000, horizonMs: 1_800_000 };
const anyLifeMs = fc.integer({ min: 0, max: 20 * 86_400_000 });
const lifeRow = fc.array(
  fc.record({
    ms: fc.oneof(fc.integer({ min: 0, max: 120_000 }), fc.integer({ min: 0, max: 4_000_000 }), anyLifeMs),
    automatic: fc.boolean(),
  }),
  { maxLength: 12 },
);
type Life = { readonly ms: number; readonly automatic: boolean };

function countAll(lives: readonly Life[]) {
  return lives.reduce<ReturnType<typeof countLife> | null>((before, life) => countLife(before, life, settings), null);
}

/** By the definition, from the whole row: the short ones since the last that was none. */
function fruitlessOf(lives: readonly Life[]): number {
  const isShort = (at: number): boolean => {
    const before = lives.slice(0, at).findLastIndex((_, index) => !isShort(index));
    return before !== -1 && (lives[at]?.ms ?? 0) < helpedMs(lives[before]?.ms ?? 0, settings);
  };
  const last = lives.findLastIndex((_, at) => !isShort(at));
  return lives.slice(last + 1).filter(({ automatic }) => automatic).length;
}

test("quarantine: what is counted life by life is what the whole row says", () => {
  fc.assert(fc.property(lifeRow, (lives) => assert.equal(countAll(lives)?.fruitless ?? 0, fruitlessOf(lives))));
});

test("quarantine: lives that outlast their probation and a tenth of those before are never without effect, however short", () => {
  const lives = fc.array(fc.double({ min: 0.1, max: 3, noNaN: true }), { maxLength: 20 });
  fc.assert(
    fc.property(fc.integer({ min: 60_000, max: 86_400_000 }), lives, (firstMs, ratios) => {
      let ms = firstMs;
      const row = [ms, ...ratios.map((ratio) => (ms = Math.max(60_000, Math.ceil(ms * ratio))))];
      assert.equal(countAll(row.map((one) => ({ ms: one, automatic: true })))?.fruitless, 0);
    }),
  );
});

test("quarantine: lives of half an hour are worth it whatever came before; on probation they never are", () => {
  fc.assert(
    fc.property(
      anyLifeMs,
      fc.integer({ min: 1_800_000, max: 20 * 86_400_000 }),
      fc.integer({ min: 0, max: 59_999 }),
      (first, long, short) => {
        const row = (ms: number) => [first, ms, ms].map((one) => ({ ms: one, automatic: true }));
        assert.equal(countAll(row(long))?.fruitless, 0);
        assert.equal(countAll(row(short))?.fruitless, 2);
      },
    ),
  );
});

test("quarantine: a life that a crash, a hand or a deploy began is not counted against regenerating", () => {
  const before = countAll([3_600_000, 30_000].map((ms) => ({ ms, automatic: true })));
  assert.deepEqual(countLife(before, { ms: 10_000, automatic: false }, settings), before);
  assert.equal(countLife(before, { ms: 400_000, automatic: false }, settings).fruitless, 0, "and one that lasts tells for it");
});
