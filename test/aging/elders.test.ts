/** What became of earlier lives of a release is known to the next: whether it settles, and the way it goes. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { AgeCurve, Rise } from "../../src/aging/age-curve.ts";
import { AgingModel } from "../../src/aging/model.ts";
import { PeerGroup } from "../../src/aging/peers.ts";
import { hourMs, mebibyte, minuteMs, samplesOf } from "./traces.ts";

const limit = 512 * mebibyte;
const lifeMs = 24 * hourMs;
/** Shares of the limit by the share of a day. */
type Floor = (share: number) => number;

interface Lived {
  /** Shares of the day. */
  readonly attention: number;
  readonly agingAt: number | null;
  readonly fullAt: number | null;
  /** How long it says at a time that it has left, over what it has. */
  readonly said: number;
}

/** One life in the group, until it is decided or its limit is met. */
function live(group: PeerGroup, floor: Floor, { seed = 1, lookAt = 1, endsAt = 1 } = {}): Lived {
  const member = group.join();
  const model = new AgingModel({ horizonMs: 30 * minuteMs, peers: member });
  const samples = samplesOf({ rows: 1_440, rowMs: minuteMs, limit, noise: 0.005 * limit, seed, floor: (share) => floor(share) * limit });
  let [attention, said] = [0, Number.NaN];
  let agingAt: number | null = null;
  let fullAt: number | null = null;
  for (const [at, sample] of samples.entries()) {
    const share = at / samples.length;
    model.add(sample);
    const report = model.report(sample.atMs);
    if (report.verdict === "attention") attention += 1 / samples.length;
    if (at === Math.round(lookAt * samples.length))
      said = (report.trends[0]?.exhaustionInMs?.mid ?? Number.NaN) / ((endsAt - share) * lifeMs);
    if (report.verdict === "aging") agingAt = share;
    if ((sample.indicators.heapAfterGcBytes ?? 0) >= limit) fullAt = share;
    if (agingAt !== null || fullAt !== null) break;
  }
  group.leave(member);
  return { attention, agingAt, fullAt, said };
}

const fills =
  (top: number): Floor =>
  (share) =>
    0.15 + (top - 0.15) * Math.min(share / 0.3, 1);

describe("elders", () => {
  it("elders: a cache that fills draws attention in its first life, and none in the next", () => {
    for (const top of [0.6, 0.8]) {
      const group = new PeerGroup();
      const first = live(group, fills(top));
      assert.ok(first.attention > 0.03, `${first.attention}`);
      const second = live(group, fills(top), { seed: 2 });
      assert.deepEqual([second.attention, second.agingAt], [0, null]);
    }
  });

  it("elders: a leak behind a cache that settled in every life before is found in time all the same", () => {
    for (const top of [0.6, 0.8, 0.9]) {
      const group = new PeerGroup();
      for (const seed of [1, 2, 3]) live(group, fills(top), { seed });
      const leaks: Floor = (share) => fills(top)(share) + (Math.max(share - 0.5, 0) / 0.45) * (1.02 - top);
      const { agingAt, fullAt } = live(group, leaks, { seed: 4 });
      assert.equal(fullAt, null);
      assert.ok(agingAt !== null && agingAt > 0.6, `${agingAt}`);
    }
  });

  it("elders: a shape that nobody knows is forecast by the life before, and one that settles where they leaked is let go", () => {
    // Half of life says nothing of its second pace.
    const turns: Floor = (share) => (0.15 + 0.35 * share + 1.5 * Math.max(share - 0.6, 0) ** 1.2) / 0.869;
    const endsAt = 0.928;
    assert.ok(Math.abs(turns(endsAt) - 1) < 0.002, `${turns(endsAt)}`);
    const group = new PeerGroup();
    const look = { lookAt: 0.45, endsAt };
    const alone = live(group, turns, look).said;
    const after = live(group, turns, { ...look, seed: 2 }).said;
    assert.ok(Math.abs(after - 1) < 0.3, `said ${after} of what was left, the first ${alone}`);
    assert.ok(Math.abs(after - 1) < Math.abs(alone - 1) / 4, `said ${after} of what was left, the first ${alone}`);
    const settled = live(group, (share) => turns(Math.min(share, 0.4)), { seed: 3 });
    assert.equal(settled.agingAt, null);
  });

  it("rise: lives that are the same rise as each of them does, straight between the ends of its steps", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1, max: 5, noNaN: true }), { minLength: 4, maxLength: 40 }),
        fc.integer({ min: 1, max: 5 }),
        (gains, lives) => {
          const ageAt = (step: number) => 8_000 * 2 ** ((step + 0.5) / 4);
          const levels = gains.map((_, step) => gains.slice(0, step + 1).reduce((sum, gain) => sum + gain, 100));
          const curves = Array.from({ length: lives }, () => {
            const curve = new AgeCurve();
            for (const [step, level] of levels.entries()) curve.add(ageAt(step), level);
            return curve;
          });
          const rise = new Rise(curves);
          const first = levels[0] ?? Number.NaN;
          for (const [step, level] of levels.slice(0, -1).entries()) {
            const endMs = 8_000 * 2 ** ((step + 1) / 4);
            assert.ok(Math.abs(rise.at(endMs) - (level - first)) < 1e-4, `step ${step}`);
          }
        },
      ),
    );
  });
});
