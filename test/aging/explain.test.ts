import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { amount, amountRange, percent, time, timeRange } from "../../src/aging/amounts.ts";
import { endsLikeElders } from "../../src/aging/elders.ts";
import {
  describeAgainst,
  describeAgreement,
  describeDue,
  describeHealthy,
  describeRanOut,
  describeTooLittle,
  describeTrend,
  type Evidence,
} from "../../src/aging/explain.ts";
import type { Trend } from "../../src/model/report.ts";

const mebibyte = 1024 ** 2;
const minuteMs = 60_000;
const never = Number.POSITIVE_INFINITY;
const interval = (low: number, mid: number, high: number, unit: number) => ({ low: low * unit, mid: mid * unit, high: high * unit });

/** A steady leak of ten days, two hours before its end: each test changes what it is about. */
function evidenceOf(change: Partial<Omit<Evidence, "trend">> & { trend?: Partial<Trend> } = {}): Evidence {
  const exhaustionInMs = interval(90, 125, 160, minuteMs);
  return {
    shape: "in time",
    growsRatio: 0.99,
    ageMs: 240 * 60 * minuteMs,
    evaluatedMsAgo: 0,
    middleMs: (change.trend?.exhaustionInMs ?? exhaustionInMs).mid,
    earliestMs: 80 * minuteMs,
    horizonMs: 30 * minuteMs,
    due: false,
    ...change,
    trend: {
      indicator: "rssBytes",
      floor: 974 * mebibyte,
      limit: 1_000 * mebibyte,
      slopePerHour: interval(11, 12, 13, mebibyte),
      exhaustionInMs,
      exhaustionLikely: true,
      held: true,
      ...change.trend,
    },
  };
}
const said = (change: Parameters<typeof evidenceOf>[0]) => describeTrend(evidenceOf(change));

describe("what is said of a trend", () => {
  it("explain: one that grows for sure has its pace, its level as a share of the limit, and its end", () => {
    assert.equal(
      said({}),
      "resident memory grows steadily by 12 MiB an hour (90 %: 11 to 13 MiB); it is at 97.4 % of its limit of 0.977 GiB and meets it in 2.1 h (90 %: 90 min to 2.7 h)",
    );
  });

  it("explain: a gauge whose values are tiny grows, and has a limit, as any other", () => {
    const trend = { indicator: "leakedShare", floor: 9.4e-7, limit: 1e-6, slopePerHour: interval(6.1, 6.2, 6.3, 1e-8) };
    assert.equal(
      said({ trend }),
      "leakedShare grows steadily by 6.2e−8 an hour (90 %: 6.1e−8 to 6.3e−8); it is at 94 % of its limit of 1e−6 and meets it in 2.1 h (90 %: 90 min to 2.7 h)",
    );
    assert.match(said({ trend: { ...trend, slopePerHour: interval(6.1, 6.2, 6.3, 1e-12) } }), /does not grow; it is/);
    assert.match(said({ trend: { ...trend, floor: 974, limit: 1_000 } }), /does not grow; it is/);
  });

  it("explain: what else rises is called by its name, and what older ones of its release did is said", () => {
    const others = ["openFds", "rssBytes"].map((indicator) => evidenceOf({ trend: { indicator } }));
    assert.deepEqual(describeAgreement(others), ["it is not alone: the number of open descriptors, resident memory rise too"]);
    assert.deepEqual(describeAgreement(others.slice(1)), ["it is not alone: resident memory rises too"]);
    assert.match(
      said({ shape: "like older ones of its release" }),
      /^resident memory grows like older ones of its release by 12 MiB an hour/,
    );
    const settling = evidenceOf({ shape: endsLikeElders, growsRatio: 0.1, trend: { held: false } });
    assert.match(describeHealthy([settling]).join(), /; older ones of the same release rose like it and then settled$/);
    assert.deepEqual(describeRanOut(settling.trend, 1_000 * mebibyte), [
      "one of the same release ran out of memory at 0.977 GiB, below its limit",
    ]);
    assert.deepEqual(describeRanOut(settling.trend, 900 * mebibyte), []);
  });

  it("explain: one series of several is called what it is, in its unit, with its labels", () => {
    assert.match(
      said({ trend: { indicator: "rssBytes{instance=web-2}" } }),
      /^resident memory \{instance=web-2\} grows .*12 MiB an hour.*0.977 GiB/,
    );
  });

  it("explain: requests are named where growth goes with them, and only there", () => {
    const slopePerThousandRequests = interval(1, 2, 3, 1024);
    assert.match(
      said({ shape: "with the requests", trend: { slopePerThousandRequests } }),
      /grows with the requests by .*, 2 KiB per 1,000/,
    );
    assert.doesNotMatch(said({ trend: { slopePerThousandRequests } }), /1,000/);
  });

  it("explain: one whose middle is no growth is not said to grow, and what meets the limit are its highest readings", () => {
    const flat = said({ shape: "not at all", trend: { slopePerHour: interval(-1, 0, 1_024, mebibyte) } });
    assert.equal(
      flat,
      "resident memory does not grow for sure (90 %: −1 MiB to 1 GiB an hour); it is at 97.4 % of its limit of 0.977 GiB and its highest readings meet it in 2.1 h (90 %: 90 min to 2.7 h)",
    );
    assert.match(said({ trend: { slopePerHour: interval(0, 0, 0, 1) } }), /^resident memory does not grow; /);
    assert.match(
      said({ trend: { slopePerHour: interval(-3, -2, -1, mebibyte) } }),
      /^resident memory falls \(90 %: −3 to −1 MiB an hour\)/,
    );
  });

  it("explain: growth that is not sure, or whose likeliest shape ends, is said to be so", () => {
    assert.match(said({ trend: { slopePerHour: interval(-1, 12, 13, mebibyte) } }), /grows by 12 MiB an hour .*, but that is not sure;/);
    assert.match(said({ shape: "not at all" }), /grows by 12 MiB an hour \(90 %: 11 to 13 MiB\), or not at all;/);
    assert.match(said({ shape: "and settles with the requests" }), /grows by 12 MiB an hour .*, and may settle;/);
    assert.match(said({ shape: "and stopped" }), /, or has just stopped;/);
    assert.match(said({ shape: "in one step" }), /, or was one step;/);
  });

  it("explain: an end that is near, far, unlikely or impossible has its own words", () => {
    assert.match(said({ trend: { exhaustionInMs: interval(0, 0, 11, minuteMs) } }), /may meet it at any moment \(90 %: within 11 min\)$/);
    assert.match(said({ trend: { exhaustionInMs: interval(5, never, never, minuteMs) } }), /will probably not meet it, but may in 5 min/);
    assert.match(said({ trend: { exhaustionInMs: interval(never, never, never, 1) } }), /will not meet it$/);
    assert.match(
      said({ trend: { exhaustionInMs: interval(90, 125, never, minuteMs), exhaustionLikely: false } }),
      /will probably not meet it, but if it does, in 2.1 h \(90 %: 90 min to never\)$/,
    );
    assert.match(said({ trend: { exhaustionInMs: interval(90, 125, never, minuteMs) } }), /in 2.1 h \(90 %: 90 min to never\)$/);
  });

  it("explain: a regeneration long before the middle of the forecast says how early the limit may be met", () => {
    assert.deepEqual(describeDue(evidenceOf({ earliestMs: 11 * minuteMs })), [
      "the limit may be met as early as in 11 min (1 chance in 40)",
    ]);
    assert.deepEqual(describeDue(evidenceOf({ earliestMs: 0 })), ["the limit may be met at any moment (1 chance in 40)"]);
    assert.match(
      describeDue(evidenceOf({ earliestMs: 180 * minuteMs, horizonMs: 30 * minuteMs })).join(),
      /^its readings of late would meet the limit/,
    );
    assert.deepEqual(describeDue(evidenceOf({ trend: { exhaustionInMs: interval(5, 12, 20, minuteMs) } })), []);
  });
});

describe("what held a regeneration back", () => {
  const against = (change: Parameters<typeof evidenceOf>[0]) => describeAgainst(evidenceOf(change));

  it("against: an end that is not near is told with the time within which it would be due", () => {
    assert.deepEqual(against({}), [
      "its limit was at least 80 min away (39 chances in 40); a regeneration is due once that may be less than 30 min",
    ]);
  });

  it("against: an end that came near since the last evaluation is told with the evaluation's time", () => {
    const [text] = against({ earliestMs: 33 * minuteMs, evaluatedMsAgo: 4 * minuteMs });
    assert.match(text ?? "", /^when it was last judged, 4 min ago, its limit was at least 33 min away/);
  });

  it("against: a low level, and an end that may never come, are reasons of their own", () => {
    assert.deepEqual(against({ earliestMs: 1, trend: { floor: 500 * mebibyte, exhaustionInMs: interval(9, 20, never, minuteMs) } }), [
      "below 85 % of the limit a cache that fills looks the same",
      "it may settle before, as a warm-up or a cache that fills does",
    ]);
  });

  it("against: what is due, but not yet for long enough, is nothing else", () => {
    assert.deepEqual(against({ due: true, trend: { floor: 1 } }), [
      "that a regeneration is due has not stood for long enough to be believed",
    ]);
  });

  it("against: near the end a young life is told what it lacks, an old one that its end is probably later", () => {
    const near = { earliestMs: 1, trend: { exhaustionInMs: interval(1, 2, 3, minuteMs) } };
    assert.match(against({ ...near, ageMs: 40 * minuteMs }).join(), /^in its first 90 min the rise must be large, clear of its noise/);
    assert.deepEqual(against({ earliestMs: 1 }), ["its limit is probably met later than the 30 min within which a regeneration is due"]);
  });

  it("against: without a limit there is nothing to meet", () => {
    const { limit: _, ...free } = evidenceOf({ trend: { exhaustionInMs: null } }).trend;
    assert.deepEqual(describeAgainst({ ...evidenceOf(), trend: free }), ["it has no limit to meet"]);
    assert.match(describeTrend({ trend: free, shape: "in time" }), /; it is at 974 MiB$/);
  });
});

describe("where nothing is held", () => {
  it("healthy: what meets its limit first is named, and what its growth lacks", () => {
    const far = evidenceOf({
      growsRatio: 0.4,
      trend: { indicator: "openFds", floor: 99, limit: 100, exhaustionInMs: interval(5, never, never, minuteMs) },
    });
    const near = evidenceOf({ growsRatio: 0.4 });
    assert.deepEqual(describeHealthy([far, near]), [
      "no floor is sure to go on rising",
      "resident memory is at 97.4 % of its limit of 0.977 GiB and would meet it in 2.1 h (90 %: 90 min to 2.7 h); that it goes on growing is not sure enough (40 %)",
    ]);
    assert.match(
      describeHealthy([far]).join(),
      /,the number of open descriptors is at 99 % of its limit of 100 and will probably not meet it, but may in 5 min \(1 chance in 20\);/,
    );
  });

  it("healthy: where a floor does rise for sure, it is not said that none does", () => {
    const [first, second] = describeHealthy([evidenceOf()]);
    assert.equal(first, "no trend is held now");
    assert.match(second ?? "", /; its rise has not stood for long enough to be held$/);
    const years = describeHealthy([evidenceOf({ trend: { exhaustionInMs: interval(7, 8, 9, 240 * 60 * minuteMs) } })]);
    assert.match(years.join(), /^no trend is held now,.*; its end is more than 6 times its age away$/);
    const unsure = describeHealthy([evidenceOf({ trend: { slopePerHour: interval(-1, 12, 13, mebibyte) } })]);
    assert.match(unsure.join(), /^no floor is sure to go on rising,.*; it does not grow for sure$/);
  });

  it("healthy: what grows for sure without a limit is named, with its pace and what it lacks", () => {
    const { limit: _, ...free } = evidenceOf({ trend: { indicator: "openFds", slopePerHour: interval(11, 12, 13, 1) } }).trend;
    const growing = { ...evidenceOf(), trend: free };
    const lacks =
      "the number of open descriptors grows steadily by 12 an hour (90 %: 11 to 13); without a limit that is a trend once it has doubled, and has stood for long enough to be held";
    assert.deepEqual(describeHealthy([growing]), ["no trend is held now", lacks]);
    const [first, second, third] = describeHealthy([evidenceOf({ growsRatio: 0.4 }), growing]);
    assert.deepEqual([first, third], ["no trend is held now", lacks]);
    assert.match(second ?? "", /^resident memory is at 97.4 % .* is not sure enough/);
  });

  it("healthy: without a limit nothing more is said, and above it no end", () => {
    const { limit: _, ...free } = evidenceOf().trend;
    assert.deepEqual(describeHealthy([{ ...evidenceOf({ growsRatio: 0.1 }), trend: free }]), ["no floor is sure to go on rising"]);
    assert.match(
      describeHealthy([evidenceOf({ trend: { floor: 1_003 * mebibyte } })]).join(),
      /is at 100.3 % of its limit of 0.977 GiB; its rise/,
    );
  });

  it("insufficient: it is said how much there is, and how much it takes", () => {
    assert.equal(describeTooLittle(1, 3_000), "there is too little data: 1 reading that counts over 3 s, where it takes 6 over 8 s");
    assert.equal(describeTooLittle(0, 0), "there is too little data: no reading of an indicator");
  });
});

describe("amounts", () => {
  it("amounts: three digits in the unit that fits, and never four before a unit", () => {
    const bytes = (value: number) => amount("rssBytes", value);
    assert.deepEqual([0, 12, 1009.2 * 1024, 812 * mebibyte, -1_017 * mebibyte].map(bytes), [
      "0 B",
      "12 B",
      "0.986 MiB",
      "812 MiB",
      "−0.993 GiB",
    ]);
    assert.deepEqual(
      [0.0004, 0.4, 4.63, 16_384.4].map((value) => amount("openFds", value)),
      ["0", "0.4", "4.63", "16384"],
    );
    assert.equal(amount("process_resident_memory_bytes{instance=a}", 3 * 1024 * 1024), "3 MiB");
    assert.deepEqual([amount("latencyP99Ms", 12.34), amount("gcTimeRatio", 0.051)], ["12.3 ms", "5.1 %"]);
  });

  it("amounts: a range whose ends read the same is none, and its unit is said once", () => {
    assert.equal(amountRange("rssBytes", 811 * mebibyte, 811.1 * mebibyte), null);
    assert.equal(amountRange("rssBytes", 811 * mebibyte, 815 * mebibyte), "811 to 815 MiB");
    assert.equal(timeRange(0, 23_000), "0 to 23 s");
    assert.equal(timeRange(90_000, never), "90 s to never");
  });

  it("amounts: what is below its limit is below 100 %", () => {
    assert.deepEqual([0.9999, 1, 0.83, 1.013].map(percent), ["99.9 %", "100 %", "83 %", "101.3 %"]);
    assert.deepEqual([400, 119_000, 7_199_000, 172_800_000].map(time), ["0.4 s", "119 s", "120 min", "2 d"]);
  });
});
