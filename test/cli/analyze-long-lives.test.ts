/**
 * Real servers that lived for seven minutes and more (bench/aging/recorded/long-*): as the monitor sees them, and as
 * one would record them who knows nothing of collections.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { replay } from "../../src/aging/replay.ts";
import { parseTrace } from "../../src/cli/trace-file.ts";

interface View {
  readonly columns: (name: string) => boolean;
  /** Which rows: each is three seconds. */
  readonly rows: (at: number) => boolean;
}

const whole: View = { columns: () => true, rows: () => true };
const unaware = (name: string) => name !== "heapAfterGcAtMs";
const strangers: Readonly<Record<string, View>> = {
  "without the times of collections": { columns: unaware, rows: () => true },
  "polled each 15 seconds": { columns: unaware, rows: (at) => at % 5 === 0 },
  "the used heap alone, each 15 seconds": { columns: (name) => ["timeMs", "heapUsedBytes"].includes(name), rows: (at) => at % 5 === 0 },
  "a quarter of each four minutes missing": { columns: unaware, rows: (at) => at % 80 < 60 },
};

function judge(name: string, { columns, rows: isSeen }: View, limits: Readonly<Record<string, number>> = {}) {
  const text = readFileSync(fileURLToPath(new URL(`../../bench/aging/recorded/long-${name}.csv`, import.meta.url)), "utf8");
  const lines = text.trim().split("\n");
  const comments = lines.filter((line) => line.startsWith("#"));
  const [header = "", ...rows] = lines.filter((line) => !line.startsWith("#"));
  const names = header.split(",");
  const seen = [header, ...rows.filter((_, at) => isSeen(at))].map((line) =>
    line
      .split(",")
      .filter((_, column) => columns(names[column] ?? ""))
      .join(),
  );
  const heapLimit = Number(/heapAfterGcBytes=(\d+)/.exec(text)?.[1]);
  const { samples } = parseTrace([...comments, ...seen].join("\n"), { heapUsedBytes: heapLimit, ...limits });
  return { samples, ...replay(samples, { horizonMs: 1_800_000, forecastEveryMs: null }) };
}

describe("analyze: servers that lived longer", () => {
  for (const [name, indicator, level] of [
    ["leak-closure", "heapAfterGcBytes", 0.7],
    ["leak-midway", "heapAfterGcBytes", 0.7],
    ["leak-overload", "heapAfterGcBytes", 0.7],
    ["leak-array", "heapAfterGcBytes", 0.85],
    ["leak-noisy", "heapAfterGcBytes", 0.85],
    ["leak-descriptor", "openFds", 0.85],
    ["leak-two", "openFds", 0.85],
    ["leak-native", "rssBytes", 0.85],
  ] as const) {
    it(`analyze: long-${name} is aging for its ${indicator}, before it ends and not before ${level} of the limit`, () => {
      const limits = indicator === "rssBytes" ? { rssBytes: 224 * 1024 * 1024 } : {};
      const { agingAtMs, decisive, samples } = judge(name, whole, limits);
      assert.equal(decisive?.verdict, "aging");
      assert.equal(decisive.indicator, indicator);
      const at = [...samples].find((sample) => sample.atMs === agingAtMs);
      const reached = (at?.indicators[indicator] ?? 0) / (at?.limits[indicator] ?? 1);
      assert.ok(reached >= level && reached < 0.99, `${reached}`);
    });
  }

  for (const name of ["healthy-doubled", "healthy-day", "healthy-compiled", "healthy-sessions", "healthy-lru", "healthy-lru-4m"]) {
    it(`analyze: long-${name} is not`, () => {
      assert.equal(judge(name, whole).agingAtMs, null);
    });
  }

  for (const [words, view] of Object.entries(strangers)) {
    it(`analyze: no look-alike that stays under 85 % of its limit is aging, ${words}`, () => {
      for (const name of ["doubled", "day", "compiled", "sessions", "lru", "lru-4m", "loaded", "burst"]) {
        assert.equal(judge(`healthy-${name}`, view).agingAtMs, null, name);
      }
    });
  }
});
