/** What rises because the load does: a gauge that follows it is no leak, in its first hours too. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AgingModel } from "../../src/aging/model.ts";
import { type Course, follow, hourMs, mebibyte, minuteMs, normals, samplesOf } from "./traces.ts";

/** Three hours of a morning, a row each half minute, the load up by `rises`; the limit is a twentieth above the last readings. */
function lifeOf({ rises, leaks, seed }: { rises: number; leaks: number; seed: number }): number | null {
  const normal = normals(seed);
  const model = new AgingModel({ horizonMs: 30 * minuteMs });
  const rows = 360;
  const limit = 1_050 * (1 + rises + leaks);
  let requestsTotal = 0;
  for (let at = 0; at < rows; at += 1) {
    const load = (1 + (rises * at) / rows) * (1 + 0.03 * Math.sin(at / 7) + 0.02 * normal());
    requestsTotal += Math.round(600 * load);
    const openFds = Math.round(1_000 * (load + (leaks * at) / rows) + 3 * normal());
    model.add({ atMs: 1_000_000 + at * (minuteMs / 2), requestsTotal, indicators: { openFds }, limits: { openFds: limit } });
    if (model.report(1_000_000 + at * (minuteMs / 2)).verdict === "aging") return at / rows;
  }
  return null;
}

const limit = 128 * mebibyte;
const rowMs = 4 * minuteMs;
const dayRows = 360;

/** Requests from day to day; each day its wave, and sessions that come and go with it. */
function daysOf({ days, leakPerDay, seed }: { days: readonly number[]; leakPerDay: number; seed: number }): Course & { endAt: number } {
  const rows = days.length * dayRows;
  const rate = (share: number) => {
    const day = share * days.length;
    return (days[Math.floor(day)] ?? 0) * (1 - 0.9 * Math.cos(2 * Math.PI * day));
  };
  let done = 0;
  const floors = Array.from({ length: rows }, (_, at) => {
    done += rate(at / rows) / dayRows;
    return limit * (0.2 + leakPerDay * done + 0.2 * rate(at / rows));
  });
  const end = floors.findIndex((floor) => floor >= limit);
  const samples = samplesOf({
    ...{ rows: end === -1 ? rows : end, rowMs, limit, seed, noise: 0.006 * limit },
    floor: (share) => floors[Math.round(share * (end === -1 ? rows : end))] ?? 0,
    requestsPerRow: (share) => 600 * rate((share * (end === -1 ? rows : end)) / rows),
  });
  return { ...follow(samples), endAt: samples.length };
}

describe("what follows the load", () => {
  it("aging model: a leak whose limit is met by the peak of a day that has more load than those before is regenerated in time", () => {
    for (const seed of [1, 2, 3]) {
      const { agingAt, endAt, last } = daysOf({ days: [1, 0.4, 0.5, 1, 1.2], leakPerDay: 0.12, seed });
      assert.ok(endAt < 5 * dayRows);
      const leftMs = agingAt === null ? 0 : (1 - agingAt) * endAt * rowMs;
      assert.ok(leftMs > 10 * minuteMs && leftMs < 12 * hourMs, `seed ${seed}: ${leftMs / minuteMs} minutes, ${last.reasons.join(" | ")}`);
    }
  });

  it("aging model: the level that is told is that at the load of the hour", () => {
    const { reports, endAt } = daysOf({ days: [1, 1, 1], leakPerDay: 0.03, seed: 1 });
    const noon = reports[Math.round(2.5 * dayRows)]?.trends[0]?.floor ?? 0;
    const night = reports[endAt - 1]?.trends[0]?.floor ?? 0;
    assert.ok(Math.abs(noon / limit - 0.65) < 0.03 && Math.abs(night / limit - 0.31) < 0.03, `${noon / limit}, ${night / limit}`);
  });

  it("aging model: open connections that rise with the load by a quarter within hours are not regenerated", () => {
    for (const seed of [1, 2]) assert.equal(lifeOf({ rises: 0.25, leaks: 0, seed }), null, `seed ${seed}`);
  });

  it("aging model: a leak beside the same load is", () => {
    for (const seed of [1, 2]) assert.ok(lifeOf({ rises: 0.25, leaks: 2, seed }) !== null, `seed ${seed}`);
  });
});
