/** Growth that is no smooth law: stairs, teeth that grow, load above a threshold, floors that are seldom seen. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FloorTrack } from "../../src/aging/floor-track.ts";
import { LoadProfile } from "../../src/aging/load-profile.ts";
import { LowerEnvelope } from "../../src/aging/lower-envelope.ts";
import { mixtureOf } from "../../src/aging/mixture.ts";
import { AgingModel } from "../../src/aging/model.ts";
import { scaleLife } from "../../src/aging/scaled-life.ts";
import { stairsOf } from "../../src/aging/stairs.ts";
import { follow, hourMs, mebibyte, minuteMs, normals, samplesOf } from "./traces.ts";

const limit = 512 * mebibyte;

function lifeOf(values: readonly number[]) {
  const track = new FloorTrack();
  for (const [at, value] of values.entries()) track.add({ atMs: at * minuteMs, value, work: at });
  const life = scaleLife(track, new LoadProfile());
  assert.ok(life !== null);
  return life;
}

/** Jumps at moments of chance, exponential in height. */
function stair(seed: number, rows: number, jumps: number, until = 1): number[] {
  const normal = normals(seed);
  const chance = () => Math.exp(-(normal() ** 2 + normal() ** 2) / 2);
  let level = 100;
  return Array.from({ length: rows }, (_, at) => {
    if (at < until * rows && chance() < jumps / rows) level += -10 * Math.log(chance());
    return level + 0.05 * normal();
  });
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe("a step with which growth begins", () => {
  it("aging model: what rests, takes a step and grows from then on is held, and its end known, long before it", () => {
    for (const seed of [1, 2, 3]) {
      const floor = (share: number) => limit * (share < 0.42 ? 0.41 : 0.5 + ((share - 0.42) / 0.58) * 0.4);
      const samples = samplesOf({ rows: 2_400, rowMs: 3 * minuteMs, limit, floor, noise: 0.003 * limit, seed });
      const { heldAt, reports } = follow(samples);
      assert.ok(heldAt !== null && heldAt > 0.42 && heldAt < 0.6, `seed ${seed}: held at ${heldAt}`);
      const at = 1_680;
      const trueMs = (0.42 + (0.58 * 0.5) / 0.4 - at / 2_400) * 2_400 * 3 * minuteMs;
      const said = reports[at]?.trends[0]?.exhaustionInMs?.mid ?? 0;
      assert.ok(Math.abs(said - trueMs) < 0.2 * trueMs, `seed ${seed}: ${said / hourMs} h, not ${trueMs / hourMs}`);
    }
  });
});

describe("stairs", () => {
  it("stairs: one that goes on is the heaviest hypothesis, at the pace of its jumps", () => {
    const paces = [1, 2, 3, 4, 5, 6, 7].map((seed) => {
      const values = stair(seed, 2_000, 25);
      const life = lifeOf(values);
      const [heaviest] = mixtureOf(life);
      assert.equal(heaviest?.shape.name, "by jumps", `seed ${seed}`);
      return (heaviest?.rate.mean ?? 0) * (life.unit / ((values.at(-1) ?? 0) - 100));
    });
    // A jump in the last reading is not in the last block yet.
    for (const pace of paces) assert.ok(pace > 0.8 && pace < 1.02, paces.join());
  });

  it("stairs: one that rests for many of its usual gaps has ended", () => {
    const [goesOn, ended] = stairsOf(lifeOf(stair(3, 2_000, 40, 0.6)));
    assert.ok(goesOn && ended?.shape.ends);
    assert.ok(ended.logWeight > goesOn.logWeight + 3, `${ended.logWeight}, ${goesOn.logWeight}`);
  });

  it("stairs: that one has ended weighs in the forecast what the time since its last jump says, and is not tempered", () => {
    const odds = [1, 2, 3, 4, 5, 6, 7].flatMap((seed) => {
      const mixture = mixtureOf(lifeOf(stair(seed, 2_000, 25, 0.93)));
      const [goesOn, ended] = ["by jumps", "by jumps, and stopped"].map((name) => mixture.find(({ shape }) => shape.name === name));
      if (goesOn === undefined || ended === undefined) return [];
      return [{ forecast: ended.weight / goesOn.weight, posterior: ended.probability / goesOn.probability }];
    });
    assert.ok(odds.length >= 3, `${odds.length}`);
    for (const { forecast, posterior } of odds) assert.ok(Math.abs(forecast / posterior - 1) < 1e-9, `${forecast}, ${posterior}`);
  });

  it("stairs: the more jumps there were, the less likely the last of them was the last", () => {
    // Each rests for some four of its usual gaps.
    const logOddsAfter = (jumps: number) =>
      mean(
        Array.from({ length: 16 }, (_, seed) => {
          const [goesOn, ended] = stairsOf(lifeOf(stair(seed, 2_000, jumps + 4, jumps / (jumps + 4))));
          return (ended?.logWeight ?? Number.NaN) - (goesOn?.logWeight ?? Number.NaN);
        }),
      );
    const [few, many] = [logOddsAfter(10), logOddsAfter(40)];
    assert.ok(many < few - 0.5, `${many} and ${few}`);
  });

  it("forecast: where an end is in doubt its middle is that of the lives that come to it, and it is said to be improbable", () => {
    const floor = (share: number) => (100 + 20 * Math.min(Math.floor(share * 15), 12)) * mebibyte;
    const { last } = follow(samplesOf({ rows: 1_480, rowMs: minuteMs, limit: 512 * mebibyte, noise: 0.2 * mebibyte, floor }));
    const [trend] = last.trends;
    const { mid = 0, high = 0 } = trend?.exhaustionInMs ?? {};
    assert.equal(trend?.exhaustionLikely, false);
    assert.ok(mid > 12 * hourMs && mid < 24 * hourMs, `${mid / hourMs} hours`);
    assert.equal(high, Number.POSITIVE_INFINITY);
  });

  it("stairs: noise and a few deploys are none", () => {
    const normal = normals(5);
    assert.deepEqual(stairsOf(lifeOf(Array.from({ length: 2_000 }, () => 100 + normal()))), []);
    assert.deepEqual(stairsOf(lifeOf(Array.from({ length: 2_000 }, (_, at) => 100 + 40 * Math.floor(at / 500) + 0.01 * normal()))), []);
  });

  it("stairs: a level that is told now and then on its way to rest, each rise a fifth of the last, is none", () => {
    const settled = Array.from({ length: 2_000 }, (_, at) => 100 - 80 * 0.2 ** Math.max(Math.floor(at / 200) - 4, 0) + 0.01 * Math.sin(at));
    assert.deepEqual(stairsOf(lifeOf(settled)), []);
  });
});

describe("load above a threshold", () => {
  const load = (share: number) => 1 + 0.6 * Math.sin(2 * Math.PI * 4 * share);

  it("load: a leak that grows only beyond 1.2 times the mean is forecast along the days to come", () => {
    const rows = 1_600;
    const grown: number[] = [];
    for (let at = 0; at < rows; at += 1) grown.push((grown.at(-1) ?? 0) + Math.max(load(at / rows) - 1.2, 0));
    const whole = grown.at(-1) ?? 1;
    const course = follow(
      samplesOf({
        rows,
        rowMs: (96 * hourMs) / rows,
        limit,
        noise: 2 * mebibyte,
        floor: (share) => (100 + (412 * (grown[Math.floor(share * rows)] ?? 0)) / whole) * mebibyte,
        requestsPerRow: (share) => 1_000 * load(share),
      }),
    );
    // Of the third day's evening, when it rests: the fourth day's afternoon is the end.
    const said = course.reports[Math.floor(0.68 * rows)]?.trends[0]?.exhaustionInMs?.mid ?? Number.POSITIVE_INFINITY;
    const lastGrowth = grown.findLastIndex((level, at) => level > (grown[at - 1] ?? 0));
    const trueMs = ((lastGrowth - 0.68 * rows) / rows) * 96 * hourMs;
    assert.ok(Math.abs(said - trueMs) < 0.15 * trueMs, `said ${said / hourMs} h, true ${trueMs / hourMs} h`);
  });

  it("load: where it falls while the level rises, the level that is told is no higher than readings have been", () => {
    const fill = (share: number) => Math.min(Math.max(share, 0), 1);
    const floor = (share: number) => (90 + 180 * fill(share / 0.35) + 120 * fill((share - 0.55) / 0.4)) * mebibyte;
    const requestsPerRow = (share: number) => 1_000 + 750 * Math.cos(Math.PI * share);
    const series = { rows: 300, rowMs: 2.6 * minuteMs, limit: 512 * mebibyte, noise: 1.5 * mebibyte };
    const { reports } = follow(samplesOf({ ...series, floor, requestsPerRow }));
    const above = reports.map(({ trends }, row) => (trends[0]?.floor ?? 0) / mebibyte - floor(row / series.rows) / mebibyte);
    assert.ok(Math.max(...above) < 10, `${Math.max(...above)} MiB above`);
  });

  it("load: a threshold that was never passed is no hypothesis", () => {
    const track = new FloorTrack();
    const normal = normals(9);
    for (let at = 0; at < 2_000; at += 1)
      track.add({ atMs: at * minuteMs, value: 100 + normal(), work: at + (at > 1_000 ? 0.1 * (at - 1_000) : 0) });
    const life = scaleLife(track, new LoadProfile());
    assert.ok(life?.usesWork);
    assert.ok(life.overload.some((work) => work === 0));
    for (const { shape } of mixtureOf(life))
      assert.ok(shape.overload === undefined || (life.overload[shape.overload] ?? 0) > 0, shape.name);
  });
});

describe("growth that begins again", () => {
  it("aging model: after a long rest near the limit the last blocks are believed, not the whole life", () => {
    const floor = (share: number) => (share < 0.5 ? 0.45 + 0.8 * share : share < 0.94 ? 0.85 : 0.85 + 2.5 * (share - 0.94));
    for (const seed of [1, 2]) {
      const course = follow(
        samplesOf({ rows: 2_880, rowMs: 5 * minuteMs, limit, noise: 2 * mebibyte, seed, floor: (share) => limit * floor(share) }),
      );
      assert.ok(course.agingAt !== null && course.agingAt > 0.96 && course.agingAt < 1 - 1 / 240, `decided at ${course.agingAt}`);
    }
  });

  it("aging model: noise with a memory that rests near the limit is no growth", () => {
    for (const seed of [3, 4, 5]) {
      const normal = normals(seed);
      let wave = 0;
      const samples = samplesOf({ rows: 2_880, rowMs: 5 * minuteMs, limit, noise: mebibyte, seed, floor: () => 0.91 * limit });
      const waved = samples.map((sample) => {
        wave = 0.97 * wave + 0.25 * normal();
        return { ...sample, indicators: { heapAfterGcBytes: (sample.indicators.heapAfterGcBytes ?? 0) + 4 * mebibyte * wave } };
      });
      assert.equal(follow(waved).agingAt, null, `seed ${seed}`);
    }
  });
});

describe("what is highest", () => {
  it("aging model: teeth whose tips rise to the limit are seen coming, though the mean is far from it", () => {
    const teeth = (share: number) => 0.65 * share + 0.35 * share * ((share * 40) % 1);
    const rows = 1_600;
    const course = follow(
      samplesOf({
        rows,
        rowMs: (40 * hourMs) / rows,
        limit,
        noise: 0.5 * mebibyte,
        floor: (share) => 80 * mebibyte + 432 * mebibyte * 1.02 * teeth(share),
      }),
    );
    const met = course.reports.length - 1;
    assert.ok(
      course.agingAt !== null && course.agingAt > 0.8 && course.agingAt < 1 - 10 / (40 * 60),
      `decided at ${course.agingAt} of ${met}`,
    );
  });
});

describe("floors that are seldom seen", () => {
  it("lower envelope: teeth that become lower towards the limit still show their floor", () => {
    const envelope = new LowerEnvelope();
    let phase = 0;
    let lastTaken = 0;
    let value = 0;
    for (let at = 0; at < 3_000; at += 1) {
      const floor = 200 + (790 * at) / 3_000;
      const height = Math.min(250, Math.max(1_000 - floor, 8));
      phase += 5 / height;
      value = floor + height * (phase % 1);
      const taken = envelope.add({ atMs: at, value, work: at });
      if (taken.reading !== null) lastTaken = taken.reading.atMs;
    }
    assert.ok(lastTaken > 2_850, `the last floor was seen at ${lastTaken} of 3,000`);
  });

  it("aging model: a clean line that fell three times is judged on, in resident memory and in a gauge", () => {
    for (const name of ["rssBytes", "jobsWaiting"]) {
      const model = new AgingModel({ horizonMs: 30 * minuteMs });
      let value = 20;
      let verdict = "insufficient";
      for (let at = 0; at < 180; at += 1) {
        value += [64, 75, 85].includes(at) ? -0.05 : 0.41;
        model.add({ atMs: at * 8_000, requestsTotal: at * 100, indicators: { [name]: value }, limits: { [name]: 100 } });
        verdict = model.report(at * 8_000).verdict;
      }
      assert.equal(verdict, "aging", name);
    }
  });
});
