import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AgingModel } from "../../src/aging/model.ts";
import { PeerGroup } from "../../src/aging/peers.ts";
import type { Sample } from "../../src/model/sample.ts";
import { follow, hourMs, mebibyte, minuteMs, normals, samplesOf } from "./traces.ts";

const limit = 512 * mebibyte;
const day = { rows: 1_200, rowMs: 72_000, limit, noise: 3 * mebibyte };

describe("a leak", () => {
  it("aging model: a leak over a day is decided in time and late, and its end is forecast within a few per cent", () => {
    const course = follow(samplesOf({ ...day, floor: (share) => (100 + 412 * share) * mebibyte }));
    assert.ok(course.heldAt !== null && course.heldAt < 0.2, `held at ${course.heldAt}`);
    assert.ok(course.agingAt !== null && course.agingAt > 0.9, `decided at ${course.agingAt}`);
    assert.ok(course.agingAt < 1 - (10 * minuteMs) / (24 * hourMs), `decided at ${course.agingAt}`);
    const at = 600;
    const said = course.reports[at]?.trends[0]?.exhaustionInMs ?? null;
    assert.ok(said !== null);
    const trueMs = 12 * hourMs;
    assert.ok(Math.abs(said.mid - trueMs) < 0.08 * trueMs, `said ${said.mid / hourMs} h, true 12 h`);
    assert.ok(said.low < said.mid && said.mid < said.high);
  });

  it("aging model: the slope an hour and per thousand requests are those of the series", () => {
    const course = follow(samplesOf({ ...day, floor: (share) => (100 + 240 * share) * mebibyte }));
    const [trend] = course.last.trends;
    assert.ok(trend?.held);
    assert.ok(Math.abs(trend.slopePerHour.mid / mebibyte - 10) < 0.6, `${trend.slopePerHour.mid / mebibyte} MiB/h`);
    const perThousand = trend.slopePerThousandRequests?.mid ?? 0;
    assert.ok(Math.abs(perThousand / mebibyte - 2) < 0.15, `${perThousand / mebibyte} MiB per 1,000`);
  });

  it("aging model: one that begins midway is found after it has begun", () => {
    const course = follow(samplesOf({ ...day, floor: (share) => (150 + 720 * Math.max(share - 0.5, 0)) * mebibyte }));
    assert.ok(course.heldAt !== null && course.heldAt > 0.5 && course.heldAt < 0.75, `held at ${course.heldAt}`);
  });

  it("aging model: one that works per request is found under a load that changes", () => {
    const load = (share: number) => 100 * (1 + 0.6 * Math.sin(2 * Math.PI * 3 * share));
    let work = 0;
    const series = samplesOf({ ...day, rowMs: 216_000, floor: () => 100 * mebibyte, requestsPerRow: load });
    const leaking = series.map((sample, at): Sample => {
      work += load(at / series.length);
      const heapAfterGcBytes = (sample.indicators.heapAfterGcBytes ?? 0) + (work / 120_000) * 430 * mebibyte;
      return { ...sample, indicators: { heapAfterGcBytes } };
    });
    const course = follow(leaking);
    assert.ok(course.agingAt !== null && course.agingAt > 0.85, `decided at ${course.agingAt}`);
  });

  it("aging model: without collection times a floor that is told again until the next collection is one reading", () => {
    const [all, once] = [new AgingModel({ horizonMs: hourMs }), new AgingModel({ horizonMs: hourMs })];
    const told = samplesOf({ ...day, rowMs: 10_000, rows: 6_000, floor: (share) => (100 + 350 * share) * mebibyte });
    let held = told[0];
    let [until, collections] = [0, 0];
    for (const [at, sample] of told.entries()) {
      const isNew = at >= until;
      if (isNew) {
        held = sample;
        collections += 1;
        until = at + (collections < 8 ? 15 : 30 + ((17 * collections) % 31));
      }
      const now = { ...sample, indicators: held?.indicators ?? {} };
      all.add(now);
      if (isNew) once.add(now);
    }
    const [a, b] = [all, once].map((model) => model.report(60_000_000).trends[0]?.exhaustionInMs);
    assert.ok(b !== null && b !== undefined && Number.isFinite(b.mid));
    assert.deepEqual(a, b);
  });

  it("aging model: a fast leak is found within seconds, from the collections of a heap that grows", () => {
    // Ends of major collections as recorded from a real server: rare, spaced ever more widely.
    const collectionsS = [1, 2.1, 2.6, 4.3, 6.9, 10.4, 15.3, 22.5, 32.7, 44.5, 60.5];
    const samples = Array.from({ length: 75 }, (_, second): Sample => {
      const last = collectionsS.findLast((at) => at <= second);
      const floor = last === undefined ? {} : { heapAfterGcBytes: Math.round((8 + 5.9 * last + 0.4 * Math.sin(9 * last)) * mebibyte) };
      return {
        atMs: second * 1_000,
        requestsTotal: second * 800,
        ...(last === undefined ? {} : { heapAfterGcAtMs: last * 1_000 }),
        indicators: floor,
        limits: { heapAfterGcBytes: limit },
      };
    });
    // One that has a peer may have to wait for it; alone it waits until what only fills something has mostly stopped.
    const group = new PeerGroup();
    group.join();
    const paired = new AgingModel({ horizonMs: 30 * minuteMs, peers: group.join() });
    const pairedAt = samples.findIndex((sample) => {
      paired.add(sample);
      return paired.report(sample.atMs).verdict === "aging";
    });
    assert.ok(pairedAt > 0 && pairedAt <= 25, `decided at ${pairedAt} s`);
    const course = follow(samples);
    assert.ok(course.agingAt !== null && course.agingAt <= 64 / 75, `decided at ${course.agingAt}`);
    assert.match(
      course.last.reasons[0] ?? "",
      /the heap after collection grows .* by .* an hour .*; it is at [\d.]+ % of its limit of 512 MiB and meets it in/,
    );
  });

  it("aging model: a small heap is decided before V8 may end it at .8 of its limit, a large one uses more of its life", () => {
    const levelAt = (limitMiB: number) => {
      const series = { rows: 600, rowMs: 1_000, limit: limitMiB * mebibyte, noise: 0.003 * limitMiB * mebibyte };
      const { agingAt } = follow(samplesOf({ ...series, floor: (share) => (0.2 + 0.8 * share) * limitMiB * mebibyte }));
      return agingAt === null ? Number.NaN : 0.2 + 0.8 * agingAt;
    };
    const [small, large] = [levelAt(96), levelAt(512)];
    assert.ok(small >= 0.7 && small < 0.78, `the small one at ${small}`);
    assert.ok(large >= 0.85 && large < 0.95, `the large one at ${large}`);
  });

  it("aging model: a small heap that is collected in passing uses as much of its life as a large one", () => {
    const series = { rows: 600, rowMs: 1_000, limit: 96 * mebibyte, noise: 0.3 * mebibyte };
    const samples = samplesOf({ ...series, floor: (share) => (0.2 + 0.8 * share) * 96 * mebibyte });
    const levelAt = (gcTimeRatio: number) => {
      const { agingAt } = follow(samples.map((sample) => ({ ...sample, indicators: { ...sample.indicators, gcTimeRatio } })));
      return agingAt === null ? Number.NaN : 0.2 + 0.8 * agingAt;
    };
    const [busy, inPassing] = [levelAt(0.2), levelAt(0.01)];
    assert.ok(busy >= 0.7 && busy < 0.78, `the one that collects a fifth of its time at ${busy}`);
    assert.ok(inPassing >= 0.85 && inPassing < 0.95, `the one that collects in passing at ${inPassing}`);
  });

  it("aging model: memory of nothing is no reading", () => {
    const samples = samplesOf({ ...day, floor: (share) => (100 + 350 * share) * mebibyte }).slice(0, -1);
    const holed = samples.map((sample, at) => (at % 50 === 49 ? { ...sample, indicators: { heapAfterGcBytes: 0 } } : sample));
    const without = samples.filter((_, at) => at % 50 !== 49);
    const [a, b] = [holed, without].map((all) => follow(all));
    assert.ok(a?.last.trends[0] !== undefined && Number.isFinite(a.last.trends[0].floor));
    assert.deepEqual(a.last.trends, b?.last.trends);
  });
});

describe("what only looks like aging", () => {
  const alike: Readonly<Record<string, (share: number) => number>> = {
    "a level that stays": () => 200,
    "a warm-up": (share) => 60 + 200 * (1 - Math.exp(-share / 0.01)),
    "a cache that fills": (share) => 100 + 250 * (1 - Math.exp(-share / 0.1)),
    "a cache that fills and stops": (share) => 100 + 240 * Math.min(share / 0.2, 1),
    "a saw-tooth": (share) => 100 + 150 * ((share * 40) % 1),
    "daily load": (share) => 200 + 100 * Math.sin(2 * Math.PI * share),
    "a step of the load": (share) => (share > 0.4 ? 300 : 150),
    "a burst": (share) => (share > 0.5 && share < 0.53 ? 400 : 150),
    "a nightly batch": (share) => ((share * 4) % 1 < 0.1 ? 330 : 200),
    "a cache that settles near the limit": (share) => 100 + 330 * (1 - Math.exp(-share / 0.1)),
  };
  for (const [name, floor] of Object.entries(alike)) {
    it(`aging model: ${name} is not called aging`, () => {
      for (const seed of [1, 2, 3]) {
        const load = name === "daily load" ? { requestsPerRow: (share: number) => 100 * (1 + 0.5 * Math.sin(2 * Math.PI * share)) } : {};
        const course = follow(samplesOf({ ...day, ...load, seed, floor: (share) => floor(share) * mebibyte }));
        assert.equal(course.agingAt, null, `seed ${seed}: ${course.reports.find(({ verdict }) => verdict === "aging")?.reasons[0]}`);
      }
    });
  }

  it("aging model: a wave of no known cause is a trend no longer once it has come round twice", () => {
    for (const phase of [0, 1.5, 3, 4.5]) {
      const floor = (share: number) => (200 + 80 * Math.sin(2 * Math.PI * 3.5 * share + phase)) * mebibyte;
      const { reports } = follow(samplesOf({ ...day, floor }));
      const held = reports.slice(reports.length / 2).filter(({ verdict }) => verdict !== "healthy");
      assert.ok(held.length < 0.01 * reports.length, `phase ${phase}: ${held.length}, ${held[0]?.reasons[0]}`);
    }
  });

  it("aging model: great noise close under the limit, which was there from the start, is no reason to regenerate", () => {
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const normal = normals(seed);
      const value = () => (320 + 170 * Math.sin(normal() * 20)) * mebibyte;
      const samples = samplesOf({ ...day, noise: 0, floor: value });
      assert.equal(follow(samples).agingAt, null, `seed ${seed}`);
    }
  });

  it("aging model: a healthy server's first minutes at a sample a second are silent", () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const floor = (share: number) => (9 + 30 * (1 - Math.exp(-share / 0.02))) * mebibyte;
      const course = follow(samplesOf({ rows: 240, rowMs: 1_000, limit, noise: 0.3 * mebibyte, seed, floor }));
      assert.equal(course.agingAt, null);
    }
  });
});

describe("broken input", () => {
  it("aging model: says insufficient of nothing, of one sample and of samples without readings", () => {
    const model = new AgingModel({ horizonMs: hourMs });
    assert.equal(model.report(0).verdict, "insufficient");
    for (let at = 0; at < 100; at += 1) model.add({ atMs: at * 1_000, indicators: {}, limits: {} });
    assert.equal(model.report(100_000).verdict, "insufficient");
    model.add({ atMs: 101_000, indicators: { rssBytes: Number.NaN, openFds: Number.POSITIVE_INFINITY }, limits: {} });
    assert.equal(model.report(101_000).verdict, "insufficient");
  });

  it("aging model: a restart, told by the work counter and a level that falls, begins a new life", () => {
    const leak = samplesOf({ ...day, rows: 400, rowMs: 60_000, floor: (share) => (100 + 300 * share) * mebibyte });
    const model = new AgingModel({ horizonMs: 30 * minuteMs });
    for (const sample of leak) model.add(sample);
    const endMs = leak.at(-1)?.atMs ?? 0;
    assert.equal(model.report(endMs).verdict, "attention");
    const young = { atMs: endMs + 60_000, requestsTotal: 1, indicators: { heapAfterGcBytes: 90 * mebibyte }, limits: {} };
    model.add(young);
    assert.equal(model.report(young.atMs).verdict, "insufficient");
  });

  it("aging model: a clock that is set back a little is waited for, by much starts anew, and nothing is ever NaN", () => {
    const samples = samplesOf({ ...day, rows: 300, floor: (share) => (100 + 200 * share) * mebibyte });
    const model = new AgingModel({ horizonMs: hourMs });
    for (const [at, sample] of samples.entries()) {
      model.add({ ...sample, atMs: at % 50 === 49 ? sample.atMs - 90_000 : sample.atMs });
      const text = JSON.stringify(model.report(sample.atMs));
      assert.doesNotMatch(text, /NaN/);
    }
  });
});

describe("a report", () => {
  it("aging report: is data, and says later what it said when it was made", () => {
    const samples = samplesOf({ ...day, floor: (share) => (100 + 412 * share) * mebibyte });
    const [model, twin] = [new AgingModel({ horizonMs: 30 * minuteMs }), new AgingModel({ horizonMs: 30 * minuteMs })];
    const kept = samples.map((sample) => {
      model.add(sample);
      return model.report(sample.atMs);
    });
    assert.deepEqual(new Set(kept.map(({ verdict }) => verdict)), new Set(["insufficient", "healthy", "attention", "aging"]));
    for (const [at, sample] of samples.entries()) {
      twin.add(sample);
      const [report, now] = [kept[at] ?? assert.fail(), twin.report(sample.atMs)];
      assert.deepEqual(structuredClone(report), structuredClone(now));
      // Its sentences are made as late as they are read.
      assert.deepEqual([report.reasons, report.against], [now.reasons, now.against]);
      assert.ok(report.reasons.length > 0);
      assert.deepEqual(Object.keys(JSON.parse(JSON.stringify(report)) as object).slice(-2), ["reasons", "against"]); // of a report
    }
  });
});
