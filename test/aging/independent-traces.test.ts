/** The independent generator of the aging benchmark: its labels are true, and nothing but the shape gives them away. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { families } from "../../bench/aging/families.ts";
import type { Trace } from "../../bench/aging/generate.ts";
import { independentFamilies } from "../../bench/aging/independent.ts";
import { unseenFamilies } from "../../bench/aging/unseen-families.ts";

const aging = independentFamilies.filter(({ ages }) => ages);
const alike = independentFamilies.filter(({ ages }) => !ages);
const tracesOf = (some: typeof aging, count: number) =>
  Array.from({ length: count }, (_, at) => some[at % some.length]?.trace(700 + at)).filter((trace) => trace !== undefined);

/** How often one drawn from the first is larger than one from the second (Mann and Whitney), ties half. */
function separation(first: readonly number[], second: readonly number[]): number {
  const wins = first.flatMap((a) => second.map((b) => (a === b ? 0.5 : a > b ? 1 : 0) as number));
  return wins.reduce((sum, win) => sum + win, 0) / wins.length;
}

function noiseAtFirst({ rows, limit }: Trace): number {
  const early = rows.slice(0, Math.ceil(rows.length / 10)).map(({ value }) => value / limit);
  const moves = early.slice(1).map((value, at) => (value - (early[at] ?? 0)) ** 2);
  return Math.sqrt(moves.reduce((sum, move) => sum + move, 0) / moves.length);
}

const workRate = ({ rows }: Trace) => Math.max(...rows.map(({ requestsTotal }) => requestsTotal)) / (rows.at(-1)?.atMs ?? 1);

describe("independent traces", () => {
  it("independent traces: a seed gives the same trace again, another seed another one", () => {
    for (const { trace } of independentFamilies) {
      assert.deepEqual(trace(5), trace(5));
      assert.notDeepEqual(trace(5).rows, trace(6).rows);
    }
  });

  it("independent traces: a family's name is its own in the whole benchmark", () => {
    const names = [...families, ...unseenFamilies, ...independentFamilies].map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    assert.ok(aging.length >= 16 && alike.length >= 12);
  });

  it("independent traces: what ages meets its limit in its last row and not before", () => {
    for (const { family, rows, limit, onsetMs, exhaustionMs } of tracesOf(aging, 3 * aging.length)) {
      assert.equal(exhaustionMs, rows.at(-1)?.atMs, family.name);
      assert.equal(
        rows.findIndex(({ value }) => value >= limit),
        rows.length - 1,
        family.name,
      );
      assert.ok(onsetMs < (exhaustionMs ?? 0), family.name);
    }
  });

  it("independent traces: a look-alike never meets its limit, and half of them live near it", () => {
    const traces = tracesOf(alike, 5 * alike.length);
    const highest = traces.map(({ rows, limit }) => Math.max(...rows.map(({ value }) => value)) / limit);
    assert.ok(traces.every(({ exhaustionMs }) => exhaustionMs === null));
    assert.ok(Math.max(...highest) < 1);
    const high = highest.filter((level) => level >= 0.85).length / highest.length;
    assert.ok(high > 0.4 && high < 0.75, `${high}`);
  });

  it("independent traces: life, sampling, noise and load do not tell the classes apart", () => {
    const [first, second] = [tracesOf(aging, 100), tracesOf(alike, 100)];
    const features: Record<string, (trace: Trace) => number> = {
      life: ({ rows }) => rows.at(-1)?.atMs ?? 0,
      rows: ({ rows }) => rows.length,
      sampling: ({ rows }) => (rows.at(-1)?.atMs ?? 0) / rows.length,
      noise: noiseAtFirst,
      work: workRate,
      limit: ({ limit }) => limit,
    };
    for (const [name, feature] of Object.entries(features)) {
      const auc = separation(first.map(feature), second.map(feature));
      assert.ok(auc > 0.35 && auc < 0.65, `${name}: ${auc}`);
    }
  });
});
