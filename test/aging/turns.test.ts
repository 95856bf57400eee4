/** Nodes that age together: each begins early enough for all to be regenerated one after the other. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { AgingModel } from "../../src/aging/model.ts";
import { PeerGroup } from "../../src/aging/peers.ts";
import { hourMs, mebibyte, minuteMs, samplesOf } from "./traces.ts";

/** When each is done, if they come in that order, each at its time, and take a turn each. */
function doneAt(begins: readonly number[], eachMs: number): number[] {
  let freeAt = Number.NEGATIVE_INFINITY;
  return begins.map((atMs) => {
    freeAt = Math.max(freeAt, atMs) + eachMs;
    return freeAt;
  });
}

describe("turns", () => {
  const eachMs = 10;
  const births = fc.array(fc.integer({ min: 0, max: 200 }), { minLength: 1, maxLength: 25 }).map((all) => all.sort((a, b) => a - b));
  const turnsOf = (all: readonly number[]) => {
    const group = new PeerGroup();
    const members = all.map((bornAtMs) => Object.assign(group.join(), { bornAtMs }));
    return members.map((member) => member.turns(eachMs));
  };

  it("aging model: of equal lives none ends before its turn is over, and the first begins no earlier than it must", () => {
    fc.assert(
      fc.property(births, (all) => {
        const lifeMs = 1_000;
        const turns = turnsOf(all);
        const begins = turns.map(({ allMs }, at) => (all[at] ?? 0) + lifeMs - allMs);
        const late = (done: readonly number[]) => done.filter((atMs, at) => atMs > (all[at] ?? 0) + lifeMs);
        assert.deepEqual(late(doneAt(begins, eachMs)), []);
        assert.notDeepEqual(late(doneAt([(begins[0] ?? 0) + 1, ...begins.slice(1)], eachMs)), []);
      }),
    );
  });

  it("aging model: those that follow each other at a turn's distance wait for nobody", () => {
    assert.deepEqual(
      turnsOf([0, 10, 20, 35]).map(({ allMs }) => allMs),
      [10, 10, 10, 10],
    );
    assert.deepEqual(
      turnsOf([0, 0, 0, 500]).map(({ allMs }) => allMs),
      [30, 20, 10, 10],
    );
  });
});

describe("a queue of instances", () => {
  /** Of nodes that leak alike and were started together: how long before its end each is found aging. */
  const leftMs = (instances: number, regenerationMs: number) => {
    const group = new PeerGroup();
    const lifeMs = 8 * hourMs;
    return Array.from({ length: instances }, (_, seed) => {
      const model = new AgingModel({ horizonMs: 30 * minuteMs, regenerationMs: () => regenerationMs, peers: group.join() });
      const series = { seed: seed + 1, rows: 960, rowMs: 30_000, limit: 512 * mebibyte, noise: mebibyte };
      return { model, samples: samplesOf({ ...series, floor: (share) => (50 + 462 * share) * mebibyte }) };
    })
      .map(({ model, samples }) => ({ model, samples, start: model.add(samples[0] ?? assert.fail("no samples")) }))
      .map(({ model, samples }) => {
        const at = samples.findIndex((sample, row) => {
          if (row > 0) model.add(sample);
          return model.report(sample.atMs).verdict === "aging";
        });
        return lifeMs - at * 30_000;
      });
  };

  it("aging model: ten nodes that take eight minutes each are all regenerated before their ends; alone one waits", () => {
    const eachMs = 8 * minuteMs;
    const left = leftMs(10, eachMs).sort((a, b) => b - a);
    const late = doneAt(
      left.map((ms) => -ms),
      eachMs,
    ).filter((atMs) => atMs > 0);
    assert.deepEqual(late, []);
    const [alone = 0] = leftMs(1, eachMs);
    assert.ok(alone >= 2 * eachMs && alone < 40 * minuteMs, `alone ${alone / minuteMs} minutes before`);
  });

  const agingAt = (instances: number) => {
    const group = new PeerGroup();
    const members = Array.from({ length: instances }, () => group.join());
    const model = new AgingModel({ horizonMs: 30 * minuteMs, ...(members[0] === undefined ? {} : { peers: members[0] }) });
    const series = { rows: 600, rowMs: 1_000, limit: 512 * mebibyte, noise: mebibyte };
    const samples = samplesOf({ ...series, floor: (share) => (50 + 462 * share) * mebibyte });
    const at = samples.findIndex((sample) => {
      model.add(sample);
      return model.report(sample.atMs).verdict === "aging";
    });
    return at / 600;
  };

  it("aging model: of a leak of ten minutes one alone waits, one of three is acted upon while there is time for all", () => {
    const [alone, together] = [agingAt(1), agingAt(3)];
    assert.ok(alone >= 0.83 && alone < 0.95, `alone at ${alone}`);
    assert.ok(together >= 0.55 && together <= 0.72, `of three at ${together}`);
  });
});
