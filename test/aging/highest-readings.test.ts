/** What is seen of a series beside its mean: how far its highest readings stand out, its lower envelope, how regular its load is. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type FloorReading, FloorTrack } from "../../src/aging/floor-track.ts";
import { LoadProfile } from "../../src/aging/load-profile.ts";
import { LowerEnvelope } from "../../src/aging/lower-envelope.ts";
import { overhangOf } from "../../src/aging/overhang.ts";
import { scaleLife } from "../../src/aging/scaled-life.ts";
import { follow, hourMs, mebibyte, minuteMs, normals, samplesOf } from "./traces.ts";

const reading = (atMs: number, value: number, work = atMs): FloorReading => ({ atMs, value, work });

function trackOf(values: readonly number[]): FloorTrack {
  const track = new FloorTrack();
  for (const [at, value] of values.entries()) track.add(reading(at * 1_000, value));
  return track;
}

describe("overhang", () => {
  it("overhang: a line without noise has none, but for what it climbs in a block", () => {
    const { usual, large, jump } = overhangOf(trackOf(Array.from({ length: 5_000 }, (_, at) => at)).points);
    assert.ok(usual <= 40 && large <= 80, `${usual}, ${large}`);
    assert.ok(jump > 0 && jump < 250, `${jump}`);
  });

  it("overhang: peaks are seen that no block's mean shows, one that came once is an accident", () => {
    const level = (peaks: (at: number) => boolean) => Array.from({ length: 5_000 }, (_, at) => (peaks(at) ? 150 : 100));
    assert.ok(overhangOf(trackOf(level((at) => at % 97 === 0)).points).large > 40);
    assert.ok(overhangOf(trackOf(level((at) => at === 4_800)).points).large < 1);
  });

  it("overhang: a step is a jump from the block before", () => {
    const stairs = Array.from({ length: 5_000 }, (_, at) => 100 * Math.floor(at / 400));
    const { jump } = overhangOf(trackOf(stairs).points);
    assert.ok(jump >= 100 && jump <= 200, `${jump}`);
  });
});

describe("lower envelope", () => {
  it("lower envelope: of any saw-tooth over a floor what is taken is at or near the floor, and often enough", () => {
    for (const period of [1.7, 5, 23, 90]) {
      const envelope = new LowerEnvelope();
      const taken: FloorReading[] = [];
      for (let at = 0; at < 4_000; at += 1) {
        const { reading: floor } = envelope.add(reading(at, 1_000 + at / 10 + 500 * ((at / period) % 1)));
        if (floor !== null) taken.push(floor);
      }
      assert.ok(taken.length >= 30, `${taken.length} floors at a period of ${period}`);
      const late = taken.filter(({ atMs }) => atMs > 400);
      const above = late.map(({ atMs, value }) => value - 1_000 - atMs / 10).sort((a, b) => a - b);
      assert.ok(
        (above[Math.floor(above.length * 0.9)] ?? 0) < 100,
        `a tenth lies ${above[Math.floor(above.length * 0.9)]} above at ${period}`,
      );
    }
  });
});

describe("doubt of the work ahead", () => {
  const daily = (at: number) => 100 * (1 + 0.6 * Math.sin((2 * Math.PI * at) / 720));
  const doubtsOf = (rate: (at: number) => number, rows = 2_000) => {
    const [track, profile] = [new FloorTrack(), new LoadProfile()];
    let work = 0;
    for (let at = 0; at < rows; at += 1) {
      const served = Math.max(rate(at), 0);
      work += served;
      profile.add(at * 2 * minuteMs, 2 * minuteMs, served);
      track.add(reading(at * 2 * minuteMs, at, work));
    }
    return scaleLife(track, profile)?.paceDoubts;
  };

  it("doubt of the work ahead: a load that is the same each day is trusted, one that wanders is not", () => {
    const same = doubtsOf(daily)?.work(0.1) ?? Number.NaN;
    const normal = normals(5);
    let wandering = 0;
    const walk = Array.from({ length: 2_000 }, () => {
      wandering += -wandering / 200 + 0.07 * normal();
      return 100 * Math.exp(wandering);
    });
    const wild = doubtsOf((at) => walk[at] ?? 0)?.work(0.1) ?? Number.NaN;
    assert.ok(same < 0.12, `daily: ${same}`);
    assert.ok(wild > 2 * same, `wandering: ${wild}, daily: ${same}`);
  });

  it("doubt of the work ahead: what lies beyond a threshold in the first day may be another part of the next; of many days the doubt is less", () => {
    const beyond = (days: number) => doubtsOf(daily, 720 * days)?.overload.map((doubt) => doubt(1 / days)) ?? [];
    const [first, tenth] = [beyond(1.1), beyond(10)];
    assert.equal(first.length, 4);
    assert.ok(
      first.every((doubt, which) => doubt >= 0.12 && doubt > 1.5 * (tenth[which] ?? 1) && doubt >= (first[which - 1] ?? 0)),
      `${first.join(" ")}, then ${tenth.join(" ")}`,
    );
  });
});

describe("long lives", () => {
  for (const [days, rowS] of [
    [7, 120],
    [13, 300],
  ] as const) {
    it(`aging model: a clean line over ${days} days, read each ${rowS} s, is decided in time and late`, () => {
      const rows = Math.round((days * 24 * 3_600) / rowS);
      const floor = (share: number) => (150 + 362 * share) * mebibyte;
      const { agingAt } = follow(samplesOf({ rows, rowMs: rowS * 1_000, limit: 512 * mebibyte, noise: 0.25 * mebibyte, floor }));
      const leftMs = (1 - (agingAt ?? 1)) * days * 24 * hourMs;
      assert.ok(leftMs >= 20 * minuteMs && leftMs <= 0.04 * days * 24 * hourMs, `${leftMs / minuteMs} minutes before`);
    });
  }
});

describe("below 85 % of the limit", () => {
  it("aging model: a step to just below is never regenerated, whatever its noise makes of it", () => {
    const series = { rows: 1_200, rowMs: 45_000, limit: 512 * mebibyte, noise: 4 * mebibyte };
    for (let seed = 1; seed <= 12; seed += 1) {
      const floor = (share: number) => (share < 0.3 ? 0.45 : 0.81) * 512 * mebibyte;
      const held = samplesOf({ ...series, seed, floor }).map((sample, at, all) => ({
        ...(all[at - (at % 8)] ?? sample),
        atMs: sample.atMs,
      }));
      assert.equal(follow(held).agingAt, null, `seed ${seed}`);
    }
  });
});
