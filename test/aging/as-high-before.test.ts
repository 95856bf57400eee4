/** What has been as high before and did not meet its limit: no leak, however likely its growth looks for an hour. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FloorTrack } from "../../src/aging/floor-track.ts";
import { largestStepOf } from "../../src/aging/largest-step.ts";
import { overhangOf } from "../../src/aging/overhang.ts";
import { type Course, follow, hourMs, mebibyte, minuteMs, samplesOf } from "./traces.ts";

const limit = 512 * mebibyte;
const dayRows = 288;

function lifeOf(floor: (day: number) => number, { days, noise, seed }: Record<"days" | "noise" | "seed", number>): Course {
  return follow(
    samplesOf({
      rows: days * dayRows,
      rowMs: 5 * minuteMs,
      limit,
      noise: noise * limit,
      seed,
      floor: (share) => limit * floor(share * days),
      requestsPerRow: () => 1_000,
    }),
  );
}

/** Towards a new level with each change, within half an hour or so. */
const settling = (day: number, from: number, to: number, at: number) => from + (to - from) * (1 - Math.exp((at - day) * 48));

describe("what was as high before", () => {
  it("aging model: a level that fell while nobody called and came back is not regenerated", () => {
    for (const seed of [1, 2, 3, 4]) {
      const floor = (day: number) => (day < 3 ? 0.9 : day < 3.4 ? settling(day, 0.9, 0.4, 3) : settling(day, 0.4, 0.9, 3.4));
      assert.equal(lifeOf(floor, { days: 6, noise: 0.006, seed }).agingAt, null, `seed ${seed}`);
    }
  });

  it("aging model: the peaks of days that are all alike are not regenerated, the fifth no more than the first", () => {
    for (const seed of [1, 2, 3, 4]) {
      const floor = (day: number) => 0.58 + 0.3 * Math.sin(2 * Math.PI * day);
      assert.equal(lifeOf(floor, { days: 6, noise: 0.01, seed }).agingAt, null, `seed ${seed}`);
    }
  });

  it("aging model: one step of yesterday is no noise of today", () => {
    for (const seed of [1, 2, 3, 4]) {
      const floor = (day: number) => (day < 2.6 ? 0.7 : 0.9);
      assert.equal(lifeOf(floor, { days: 6, noise: 0.006, seed }).agingAt, null, `seed ${seed}`);
    }
  });

  it("aging model: a leak is regenerated in time, though its level fell and came back on the way", () => {
    for (const seed of [1, 2, 3, 4]) {
      const leak = (day: number) => 0.3 + 0.12 * day;
      const floor = (day: number) => (day > 3 && day < 3.4 ? leak(day) - 0.3 : leak(day));
      const { agingAt } = lifeOf(floor, { days: 6, noise: 0.006, seed });
      const end = (1 - 0.3) / 0.12 / 6;
      assert.ok(agingAt !== null && agingAt > 0.8 * end && (end - agingAt) * 6 * 24 * hourMs > 30 * minuteMs, `${agingAt}`);
    }
  });

  it("largest step: it is found in whichever block it was; a fall is a collection if it takes back half of what was gained", () => {
    const stepOf = (at: number, by: number) => {
      const track = new FloorTrack();
      for (let row = 0; row < 2_000; row += 1) track.add({ atMs: row * 1_000, value: row + (row < at ? 0 : by), work: row });
      const { points } = track;
      return { points, ...largestStepOf(points) };
    };
    for (const at of [233, 1_000, 1_471, 1_733]) {
      const { points, column, takesBack } = stepOf(at, 5_000);
      assert.ok(!takesBack);
      for (const [block, { atMs, value }] of points.entries()) {
        const expected = (value - atMs / 1_000) / 5_000;
        assert.ok(Math.abs((column[block] ?? Number.NaN) - expected) < 0.05, `block ${block}: ${column[block]}, not ${expected}`);
      }
    }
    for (const at of [1_000, 1_471, 1_733]) assert.ok(stepOf(at, -0.8 * at).takesBack && !stepOf(at, -0.3 * at).takesBack, `fall at ${at}`);
  });

  it("overhang: a floor that never changes has none, rounded though its highest readings are", () => {
    const track = new FloorTrack();
    for (let at = 0; at < 2_000; at += 1) track.add({ atMs: at * 1_000, value: 123_456_789, work: at });
    const { large } = overhangOf(track.points);
    assert.ok(large < 100, `${large}`);
  });
});
