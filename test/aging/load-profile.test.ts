import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { dayAhead, LoadProfile, loadAhead } from "../../src/aging/load-profile.ts";
import { hourMs, minuteMs } from "./traces.ts";

const dayMs = 24 * hourMs;
/** Requests a millisecond. */
type Rate = (atMs: number) => number;

/** The work of a while, by the midpoint rule in steps of a minute. */
function workOf(rate: Rate, fromMs: number, toMs: number): number {
  let sum = 0;
  for (let atMs = fromMs; atMs < toMs; atMs += minuteMs) sum += rate(atMs + minuteMs / 2) * Math.min(minuteMs, toMs - atMs);
  return sum;
}

function profileOf(rate: Rate, untilMs: number, rowMs: number): LoadProfile {
  const profile = new LoadProfile();
  for (let atMs = rowMs; atMs <= untilMs; atMs += rowMs) profile.add(atMs, rowMs, workOf(rate, atMs - rowMs, atMs));
  return profile;
}

/** What is expected of a time, over what comes. */
function expectedRatio(rate: Rate, { untilMs, rowMs, aheadMs }: { untilMs: number; rowMs: number; aheadMs: number }): number {
  const rates = profileOf(rate, untilMs, rowMs).rates();
  assert.ok(rates !== null);
  return loadAhead(dayAhead(rates, untilMs, 1), aheadMs).work / workOf(rate, untilMs, untilMs + aheadMs);
}

const daily: Rate = (atMs) => 0.1 * (1 + 0.6 * Math.sin((2 * Math.PI * atMs) / dayMs));

describe("load profile", () => {
  it("load profile: a service that began slowly, and a load that was halved, are no day's wave; a morning that rises is", () => {
    const steps =
      (untilMs: number, before: number, after: number): Rate =>
      (atMs) =>
        atMs < untilMs ? before : after;
    const ahead = (rate: Rate, untilMs: number) => expectedRatio(rate, { untilMs, rowMs: minuteMs, aheadMs: 12 * hourMs });
    const slow = ahead(steps(hourMs / 2, 0.02, 0.03), 4 * hourMs);
    const halved = ahead(steps(2.5 * hourMs, 0.06, 0.03), 6 * hourMs);
    const morning = ahead(daily, 4 * hourMs);
    assert.ok([slow, halved].every((ratio) => Math.abs(ratio - 1) < 0.12) && Math.abs(morning - 1) < 0.2, `${slow}, ${halved}, ${morning}`);
  });

  it("load profile: of an hour that nobody has seen three tenths of the mean are expected, whatever the wave says", () => {
    const falling: Rate = (atMs) => Math.max(0.1 * (1 - atMs / (7 * hourMs)), 0.01);
    const rates = profileOf(falling, 6 * hourMs, minuteMs).rates() ?? assert.fail();
    const mean = workOf(falling, 0, 6 * hourMs) / (6 * hourMs);
    for (const rate of rates.subarray(12)) assert.ok(rate > 0.29 * mean, `${rate / mean}`);
  });

  it("load profile: on the slopes of a known day the work ahead begins at this minute, not at its half hour", () => {
    for (let minute = 0; minute < 24 * 60; minute += 7) {
      for (const aheadMs of [20 * minuteMs, 45 * minuteMs, 2 * hourMs, 9 * hourMs]) {
        const ratio = expectedRatio(daily, { untilMs: 3 * dayMs + minute * minuteMs, rowMs: minuteMs, aheadMs });
        assert.ok(Math.abs(ratio - 1) < 0.025, `minute ${minute}, ${aheadMs / minuteMs} min ahead: ${ratio}`);
      }
    }
  });

  it("load profile: work told once an hour and a half is that of all its half hours", () => {
    for (let hour = 0; hour < 24; hour += 1.5) {
      const ratio = expectedRatio(daily, { untilMs: 3 * dayMs + hour * hourMs, rowMs: 1.5 * hourMs, aheadMs: 6 * hourMs });
      assert.ok(Math.abs(ratio - 1) < 0.03, `at ${hour} h: ${ratio}`);
    }
  });

  it("load profile: the rest of a first day follows the wave that its begin shows", () => {
    for (const hours of [8, 10, 12, 16]) {
      const ratio = expectedRatio(daily, { untilMs: hours * hourMs, rowMs: minuteMs, aheadMs: 6 * hourMs });
      assert.ok(Math.abs(ratio - 1) < 0.1, `after ${hours} h: ${ratio}`);
    }
  });

  it("load profile: a load that comes and goes by itself is expected at its mean, not on the wave of a day", () => {
    const waves: Rate = (atMs) => (Math.floor(atMs / (3.3 * hourMs)) % 2 === 0 ? 0.1 : 0.2);
    for (const hours of [8, 9.5, 11, 12.5, 14]) {
      const ratio = expectedRatio(waves, { untilMs: hours * hourMs, rowMs: minuteMs, aheadMs: 8 * hourMs });
      assert.ok(ratio > 0.75 && ratio < 1.3, `after ${hours} h: ${ratio}`);
    }
  });
});
