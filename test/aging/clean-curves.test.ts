/** What a curve without much noise tells of its end: as exactly as its law can be known. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { follow, hourMs, mebibyte, samplesOf } from "./traces.ts";

const limit = 512 * mebibyte;
const rows = 1_200;
/** The curves meet the limit before the series ends. */
const overshoot = 1.1;

/** Errors of the time to exhaustion at shares of the life, relative to the time that is left. */
function errorsOf(
  floor: (share: number) => number,
  shares: readonly number[],
  requestsPerRow = (_share: number) => 100,
  lifeMs = 40 * hourMs,
): number[] {
  const rowMs = lifeMs / rows;
  const samples = samplesOf({ rows, rowMs, limit, noise: 0.4 * mebibyte, floor, requestsPerRow });
  const end = samples.findIndex(({ indicators }) => (indicators.heapAfterGcBytes ?? 0) >= limit);
  assert.ok(end > 0);
  const { reports } = follow(samples.slice(0, end));
  return shares.map((share) => {
    const at = Math.floor(share * end);
    const said = reports[at]?.trends[0]?.exhaustionInMs?.mid ?? Number.POSITIVE_INFINITY;
    return said / ((end - at) * rowMs) - 1;
  });
}

describe("clean curves", () => {
  const laws: readonly (readonly [string, (share: number) => number])[] = [
    ["square root", Math.sqrt],
    ["power .75", (share) => share ** 0.75],
    ["power 1.45", (share) => share ** 1.45],
    ["power 2.25", (share) => share ** 2.25],
    ["power 2.75", (share) => share ** 2.75],
    ["exponential", (share) => Math.expm1(3.3 * share) / Math.expm1(3.3)],
    ["towards a level", (share) => (1 - Math.exp(-share)) / (1 - Math.exp(-1))],
    ["begun at .37", (share) => Math.max(share - 0.37, 0) / 0.63],
  ];
  for (const [name, law] of laws) {
    it(`clean curves: ${name}: the end is known within a tenth of the time left`, () => {
      for (const error of errorsOf((share) => (60 + 452 * overshoot * law(share)) * mebibyte, [0.6, 0.8])) {
        assert.ok(Math.abs(error) < 0.1, `${error}`);
      }
    });
  }

  it("clean curves: the limit is met by a peak of the load when that comes, not by the highest peak before", () => {
    // Of a steep day the afternoon is 20 % of the limit above the night; the forecasts are made in the evening.
    const load = (share: number) => 1 + 0.8 * Math.sin(2 * Math.PI * 5 * share);
    const floor = (share: number) => (120 + 380 * share + 60 * load(share)) * mebibyte;
    for (const error of errorsOf(floor, [0.55, 0.78], (share) => Math.round(100 * load(share))))
      assert.ok(Math.abs(error) < 0.12, `${error}`);
  });

  it("clean curves: where the load has doubled for a day, a leak per request is not forecast at the pace of all days", () => {
    const load = (share: number) => (share < 0.55 ? 1 : 2);
    const done = (share: number) => Math.min(share, 0.55) + 2 * Math.max(share - 0.55, 0);
    const [error = 1] = errorsOf(
      (share) => (60 + 470 * (done(share) / done(1))) * mebibyte,
      [0.85],
      (share) => 100 * load(share),
      100 * hourMs,
    );
    assert.ok(Math.abs(error) < 0.3, `${error}`);
  });
});
