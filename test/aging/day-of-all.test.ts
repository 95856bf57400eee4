/** What load a day brings is known to a new instance from those that lived before it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LoadProfile } from "../../src/aging/load-profile.ts";
import { AgingModel } from "../../src/aging/model.ts";
import { PeerGroup, type PeerMember } from "../../src/aging/peers.ts";
import { hourMs, mebibyte, minuteMs, normals } from "./traces.ts";

const limit = 512 * mebibyte;
const horizonMs = 30 * minuteMs;
/** Requests a minute; most of them in the afternoon. */
const loadAt = (atMs: number) => 6_000 * (1 + 0.7 * Math.sin((2 * Math.PI * (atMs / hourMs - 8)) / 24));

/** Lives from a time to another, and leaks with each request from 20 % of its limit on. @returns how long it says it has left, at a time, in milliseconds. */
function live(member: PeerMember, [fromMs, toMs]: readonly [number, number], perRequest: number, lookAtMs = toMs): number {
  const model = new AgingModel({ horizonMs, peers: member });
  const normal = normals(7);
  let requestsTotal = 0;
  let saidMs = Number.NaN;
  for (let atMs = fromMs; atMs <= toMs; atMs += minuteMs) {
    requestsTotal += Math.round(loadAt(atMs));
    const heapAfterGcBytes = 0.2 * limit + perRequest * requestsTotal + 0.003 * limit * normal();
    model.add({ atMs, requestsTotal, indicators: { heapAfterGcBytes }, limits: { heapAfterGcBytes: limit } });
    const report = model.report(atMs);
    if (atMs === lookAtMs) saidMs = report.trends[0]?.exhaustionInMs?.mid ?? Number.NaN;
  }
  return saidMs;
}

describe("the day of all", () => {
  it("aging model: a leak by request that begins before dawn is forecast by the day that an elder has lived through", () => {
    const birthMs = 27 * hourMs;
    let [endMs, requests] = [birthMs, 0];
    const perRequest = (0.8 * limit) / 3_000_000;
    while (requests * perRequest < 0.8 * limit) {
      endMs += minuteMs;
      requests += loadAt(endMs);
    }
    const lookAtMs = birthMs + Math.round((endMs - birthMs) / 2 / minuteMs) * minuteMs;
    const errors = [false, true].map((hasElder) => {
      const group = new PeerGroup();
      if (hasElder) {
        const elder = group.join();
        live(elder, [birthMs - 25 * hourMs, birthMs - hourMs], 0);
        group.leave(elder);
      }
      const saidMs = live(group.join(), [birthMs, lookAtMs], perRequest, lookAtMs);
      return Math.abs(saidMs / (endMs - lookAtMs) - 1);
    });
    const [alone = Number.NaN, withElder = Number.NaN] = errors;
    assert.ok(withElder < 0.05 && withElder < alone, `error ${withElder} with an elder, ${alone} without`);
  });

  it("load profile: hours that an instance has not seen are those of the others, as many times higher as its own hours were", () => {
    const others = new LoadProfile();
    for (let atMs = minuteMs; atMs <= 24 * hourMs; atMs += minuteMs) others.add(atMs, minuteMs, loadAt(atMs));
    const own = new LoadProfile(others);
    assert.equal(own.unseenRatio, 0);
    for (let atMs = minuteMs; atMs <= 8 * hourMs; atMs += minuteMs) own.add(atMs, minuteMs, 3 * loadAt(atMs));
    const rates = own.rates();
    assert.ok(rates !== null);
    for (const [bin, rate] of rates.entries()) {
      const expected = (3 * loadAt((bin + 0.5) * 0.5 * hourMs)) / minuteMs;
      assert.ok(Math.abs(rate / expected - 1) < 0.1, `bin ${bin}: ${rate}, ${expected}`);
    }
  });

  it("peers: an hour of ten instances counts as one hour of one, and two releases share a day", () => {
    const day = new LoadProfile();
    for (let release = 0; release < 2; release += 1) {
      const group = new PeerGroup(day);
      const members = Array.from({ length: 10 }, () => group.join());
      for (let atMs = minuteMs; atMs <= 24 * hourMs; atMs += minuteMs)
        for (const member of members) member.served(atMs, minuteMs, loadAt(atMs));
    }
    const [noon = 0] = day.rates()?.slice(24, 25) ?? [];
    assert.ok(Math.abs(noon / (loadAt(12.25 * hourMs) / minuteMs) - 1) < 0.05, `${noon}`);
  });
});
