/** What tells a weekend from the other days is known to those who lived through one, and through them to all. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { dayAhead, LoadProfile, loadAhead } from "../../src/aging/load-profile.ts";
import { AgingModel } from "../../src/aging/model.ts";
import { PeerGroup } from "../../src/aging/peers.ts";
import { hourMs, mebibyte, minuteMs, normals } from "./traces.ts";

const dayMs = 24 * hourMs;
const weekMs = 7 * dayMs;
const rowMs = 30 * minuteMs;
type Rate = (atMs: number) => number;

const daily: Rate = (atMs) => 0.1 * (1 + 0.6 * Math.sin((2 * Math.PI * atMs) / dayMs));
/** A third of the load on the third and the fourth day after the epoch's. */
const weekly: Rate = (atMs) => daily(atMs) * ([2, 3].includes(Math.floor(atMs / dayMs) % 7) ? 1 / 3 : 1);

/** By the midpoint rule; no boundary of a day lies within a step. */
function workOf(rate: Rate, fromMs: number, toMs: number): number {
  let sum = 0;
  for (let atMs = fromMs; atMs < toMs; atMs += rowMs) sum += rate(atMs + rowMs / 2) * rowMs;
  return sum;
}

function profileOf(rate: Rate, untilMs: number, isThere: (atMs: number) => boolean = () => true): LoadProfile {
  const profile = new LoadProfile();
  for (let atMs = rowMs; atMs <= untilMs; atMs += rowMs) if (isThere(atMs)) profile.add(atMs, rowMs, workOf(rate, atMs - rowMs, atMs));
  return profile;
}

function expectedAhead(profile: LoadProfile, untilMs: number, aheadMs: number): number {
  const life = { startMs: 0, lastMs: untilMs, work: Number.NaN };
  const rates = profile.ratesOfWeek(life) ?? profile.rates();
  assert.ok(rates !== null);
  return loadAhead(dayAhead(rates, untilMs, 1), aheadMs).work;
}

describe("load of a week", () => {
  it("load of a week: once a week was seen, the work across the weekend ahead is known, from any hour on", () => {
    for (let hour = 0; hour < 7 * 24; hour += 19) {
      const untilMs = 2 * weekMs + hour * hourMs;
      const profile = profileOf(weekly, untilMs);
      for (const aheadMs of [8 * hourMs, dayMs, 3 * dayMs, 9 * dayMs]) {
        const ratio = expectedAhead(profile, untilMs, aheadMs) / workOf(weekly, untilMs, untilMs + aheadMs);
        assert.ok(Math.abs(ratio - 1) < 0.15, `hour ${hour}, ${aheadMs / hourMs} h ahead: ${ratio}`);
      }
    }
  });

  it("load of a week: is not known before nearly all of it was seen; what a gap took is expected like the other days", () => {
    const anyLife = { startMs: 0, lastMs: 1, work: 1 };
    assert.equal(profileOf(weekly, 5.5 * dayMs).ratesOfWeek(anyLife), null);
    const untilMs = weekMs + hourMs;
    const gap = (atMs: number) => atMs < 4.2 * dayMs || atMs > 4.8 * dayMs;
    const ratio = expectedAhead(profileOf(weekly, untilMs, gap), untilMs, weekMs) / workOf(weekly, 0, weekMs);
    assert.ok(Math.abs(ratio - 1) < 0.06, `${ratio}`);
  });

  it("load of a week: days that differ by chance are soon expected to be alike", () => {
    const normal = normals(3);
    const levels = Array.from({ length: 60 }, () => Math.exp(0.5 * normal()));
    const rate: Rate = (atMs) => daily(atMs) * (levels[Math.floor(atMs / dayMs)] ?? 1);
    const differences = [1, 7].map((weeks) => {
      const rates = profileOf(rate, weeks * weekMs + rowMs).ratesOfWeek({ startMs: 0, lastMs: 1, work: 1 });
      assert.ok(rates !== null);
      const days = Array.from({ length: 7 }, (_, day) => rates.subarray(48 * day, 48 * (day + 1)).reduce((sum, one) => sum + one, 0));
      return Math.max(...days) / Math.min(...days) - 1;
    });
    const [first = 0, seventh = 0] = differences;
    assert.ok(seventh < first / 3, differences.join());
  });

  it("load of a week: who was born on the weekend knows from the others what Monday brings, at its own level", () => {
    const others = profileOf(weekly, 4 * weekMs);
    const [startMs, lastMs] = [4 * weekMs + 2 * dayMs, 4 * weekMs + 3 * dayMs];
    const own = new LoadProfile(others);
    const rates = own.ratesOfWeek({ startMs, lastMs, work: 2 * workOf(weekly, startMs, lastMs) });
    assert.ok(rates !== null);
    const ratio = loadAhead(dayAhead(rates, lastMs, 1), 3 * dayMs).work / (2 * workOf(weekly, lastMs, lastMs + 3 * dayMs));
    assert.ok(Math.abs(ratio - 1) < 0.1, `${ratio}`);
  });

  it("aging model: a leak by request that is born on a weekend is forecast by the week that elders have lived through", () => {
    const birthMs = 3 * weekMs + 2 * dayMs;
    const limit = 512 * mebibyte;
    const endMs = birthMs + 4.5 * dayMs;
    const perRequest = (0.8 * limit) / workOf(weekly, birthMs, endMs);
    const lookAtMs = birthMs + 2 * dayMs;
    const [withElders = Number.NaN, alone = Number.NaN] = [profileOf(weekly, birthMs), new LoadProfile()].map((day) => {
      const model = new AgingModel({ horizonMs: 30 * minuteMs, peers: new PeerGroup(day).join() });
      const normal = normals(7);
      let requestsTotal = 0;
      for (let atMs = birthMs; atMs <= lookAtMs; atMs += rowMs) {
        if (atMs > birthMs) requestsTotal += workOf(weekly, atMs - rowMs, atMs);
        const heapAfterGcBytes = 0.2 * limit + perRequest * requestsTotal + 0.003 * limit * normal();
        model.add({ atMs, requestsTotal, indicators: { heapAfterGcBytes }, limits: { heapAfterGcBytes: limit } });
      }
      return Math.abs((model.report(lookAtMs).trends[0]?.exhaustionInMs?.mid ?? Number.NaN) / (endMs - lookAtMs) - 1);
    });
    assert.ok(withElders < 0.15 && withElders < alone / 3, `error ${withElders} with a week known, ${alone} without`);
  });
});
