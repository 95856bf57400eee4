import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ClockColumns } from "../../src/aging/clock-columns.ts";
import { isDue, isTrend } from "../../src/aging/decision.ts";
import { FloorTrack, pointsMax } from "../../src/aging/floor-track.ts";
import { clocks, type GrowthShape, growthShapes } from "../../src/aging/growth-shapes.ts";
import { dayAhead, LoadProfile, loadAhead, overloadRatios, overloadWithin } from "../../src/aging/load-profile.ts";
import { type NoiseKernel, noiseKernels, Whitening } from "../../src/aging/noise-kernel.ts";
import { RecordEvidence } from "../../src/aging/record-evidence.ts";
import { Regressions } from "../../src/aging/regressions.ts";
import { type ScaledLife, scaleLife } from "../../src/aging/scaled-life.ts";
import { filterTrend, type NoiseKind, slopeWalks } from "../../src/aging/trend-filter.ts";
import { solve, varianceOf } from "../../src/aging/trend-fit.ts";
import { WeightedValues } from "../../src/aging/weighted.ts";
import { normals } from "./traces.ts";

const hourMs = 3_600_000;
const plainNoise: NoiseKind = { name: "independent", white: 1, drift: 0, driftTime: 1, levelWalk: 0, slopeWalk: 0 };

describe("floor track", () => {
  it("floor track: its blocks are bounded in number, in order, and together exactly the readings", () => {
    const readings = fc.array(fc.record({ stepMs: fc.integer({ min: 1, max: 100_000 }), value: fc.integer({ min: 0, max: 1_000_000 }) }), {
      minLength: 1,
      maxLength: 1_500,
    });
    fc.assert(
      fc.property(readings, (rows) => {
        const track = new FloorTrack();
        let atMs = 0;
        let sum = 0;
        for (const { stepMs, value } of rows) {
          atMs += stepMs;
          sum += value;
          track.add({ atMs, value, work: atMs });
        }
        const { points } = track;
        assert.ok(points.length <= pointsMax);
        assert.equal(
          points.reduce((total, { count }) => total + count, 0),
          rows.length,
        );
        const blocks = points.reduce((total, { count, value }) => total + count * value, 0);
        assert.ok(Math.abs(blocks - sum) <= 1e-9 * sum + 1e-6);
        for (const [at, point] of points.entries()) {
          assert.ok(point.fromMs <= point.atMs + 1e-3);
          const next = points[at + 1];
          if (next !== undefined) assert.ok(point.atMs < next.fromMs);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("floor track: young blocks are narrow and old ones wide, so that the last hour of a long life is seen in detail", () => {
    const track = new FloorTrack();
    for (let at = 0; at < 20_000; at += 1) track.add({ atMs: at * 60_000, value: at, work: at });
    const { points } = track;
    const widths = points.map(({ fromMs }, at) => (points[at + 1]?.fromMs ?? fromMs) - fromMs);
    const lifeMs = 20_000 * 60_000;
    assert.ok((widths.at(-2) ?? lifeMs) < lifeMs / 80, `youngest ${widths.at(-2)}`);
    assert.ok((widths[2] ?? lifeMs) < lifeMs / 8, `oldest ${widths[2]}`);
  });

  it("floor track: reading noise is that of the readings, whatever they grow by", () => {
    const normal = normals(7);
    const track = new FloorTrack();
    for (let at = 0; at < 2_000; at += 1) track.add({ atMs: at * 1_000, value: at * 5 + 30 * normal(), work: at });
    assert.ok(Math.abs(track.readingNoise - 30) < 4, `${track.readingNoise}`);
  });
});

describe("trend filter", () => {
  it("trend filter: under independent noise its slope and its variance are those of ordinary least squares", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 8, maxLength: 64 }), (errors) => {
        const n = errors.length;
        const inputs = errors.map((error, at) => ({
          time: at / (n - 1),
          clock: at / (n - 1),
          load: 0,
          value: (at === 0 ? 0 : at / (n - 1) + error * 0.2) + (at % 2) * 0.05,
          weight: 1,
        }));
        const meanX = inputs.reduce((sum, { clock }) => sum + clock, 0) / n;
        const meanY = inputs.reduce((sum, { value }) => sum + value, 0) / n;
        const spread = inputs.reduce((sum, { clock }) => sum + (clock - meanX) ** 2, 0);
        const slope = inputs.reduce((sum, { clock, value }) => sum + (clock - meanX) * (value - meanY), 0) / spread;
        const rest = inputs.reduce((sum, { clock, value }) => sum + (value - meanY - slope * (clock - meanX)) ** 2, 0) / (n - 2);
        const result = filterTrend(inputs, plainNoise, false, true);
        assert.ok(Math.abs(result.slope - slope) < 1e-4 * (1 + Math.abs(slope)), `${result.slope} against ${slope}`);
        assert.ok(Math.abs(result.slopeVariance - rest / spread) < 0.02 * (rest / spread) + 1e-7, `${result.slopeVariance}`);
      }),
    );
  });

  it("trend filter: finds the effect of a load beside a slope", () => {
    const normal = normals(3);
    const inputs = Array.from({ length: 60 }, (_, at) => {
      const load = Math.sin(at / 3);
      return { time: at / 59, clock: at / 59, load, value: at / 59 + 0.4 * load + 0.01 * normal(), weight: 1 };
    });
    const { slope, loadEffect } = filterTrend(inputs, plainNoise, true, true);
    assert.ok(Math.abs(loadEffect - 0.4) < 0.01, `${loadEffect}`);
    assert.ok(Math.abs(slope - 1) < 0.02, `${slope}`);
  });
});

describe("noise kernels and regressions", () => {
  const errors = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 10, maxLength: 64 });
  const powers = [...growthShapes.single, ...growthShapes.scales.flat()].filter(({ name }) => name === "in time" || name === "ever faster");
  const clockAt = ({ clocks: [place] }: GrowthShape, mark: number) => {
    const into = new Float64Array(1);
    clocks[place ?? -1]?.law(Float64Array.of(mark), into);
    return into[0] ?? Number.NaN;
  };
  const square = powers.find((shape) => clockAt(shape, 3) === 9);

  /** Blocks of one reading each, some surer than others. */
  const lifeOf = (values: readonly number[], bend: number): ScaledLife => {
    const track = new FloorTrack();
    for (const [at, value] of values.entries()) track.add({ atMs: (at / (values.length - 1)) ** bend * hourMs, value, work: 0 });
    const life = scaleLife(track, new LoadProfile());
    assert.ok(life !== null && life.values.length === values.length);
    return { ...life, weights: life.weights.map((_, at) => 1 + (at % 3)) };
  };
  const filtered = ({ values, weights, marks }: ScaledLife, { white, drift, driftTime }: NoiseKernel, exponent: number) => {
    const inputs = Array.from(values, (value, at) => {
      const time = marks.time[at] ?? 0;
      return { time, clock: time ** exponent, load: 0, value, weight: weights[at] ?? 1 };
    });
    return filterTrend(inputs, { ...plainNoise, white, drift, driftTime }, false, true);
  };

  it("regressions: the Kalman filter of the same noise says the same of level and slope", () => {
    const kernels = noiseKernels.filter(({ walk }) => walk === 0);
    assert.ok(kernels.length >= 4 && square !== undefined);
    fc.assert(
      fc.property(errors, fc.nat({ max: kernels.length - 1 }), (noise, which) => {
        const kernel = kernels[which] ?? kernels[0];
        assert.ok(kernel !== undefined);
        const life = lifeOf(
          noise.map((error, at) => (at / (noise.length - 1)) ** 2.6 + 0.2 * error + (at % 2) * 0.05),
          1.3,
        );
        const { level, rate } = new Regressions(life, new ClockColumns(life), kernel).fit(square).component({ weight: 1, probability: 1 });
        const filter = filtered(life, kernel, 2);
        const close = (a: number, b: number, by: number, what: string) =>
          assert.ok(Math.abs(a - b) < by * (1 + Math.abs(b)), `${what}: ${a}, ${b}`);
        const pace = (1.1 ** 2 - 1) / 0.1;
        close(rate.mean / pace, filter.slope, 1e-4, "slope");
        close(level, filter.level + filter.disturbance, 1e-3, "level");
        close((rate.deviation / pace) ** 2, filter.slopeVariance, 1e-3, "variance of the slope");
      }),
    );
  });

  it("regressions: the likelihoods of two shapes differ by as much as the Kalman filter's do", () => {
    const [kernel] = noiseKernels;
    assert.ok(kernel !== undefined && powers.length >= 4);
    fc.assert(
      fc.property(errors, (noise) => {
        const life = lifeOf(
          noise.map((error, at) => at / (noise.length - 1) + 0.3 * error + (at % 2) * 0.1),
          1,
        );
        const regressions = new Regressions(life, new ClockColumns(life), kernel);
        const likelihoods = powers.map((shape) => ({
          fit: regressions.fit(shape).logWeight - Math.log(shape.prior),
          filter: filtered(life, kernel, Math.log2(clockAt(shape, 2))).logLikelihood,
        }));
        const [first] = likelihoods;
        assert.ok(first !== undefined);
        for (const { fit, filter } of likelihoods) {
          const [a, b] = [fit - first.fit, filter - first.filter];
          assert.ok(Math.abs(a - b) < 0.02 * (1 + Math.abs(b)), `${a} against ${b}`);
        }
      }),
    );
  });

  it("regressions: of a life with the same blocks only that is kept which the values, weights, loads and steps have no part in", () => {
    const shapes = [...growthShapes.single, ...growthShapes.scales.flat()];
    const fits = (life: ScaledLife) => {
      const columns = new ClockColumns(life);
      return noiseKernels.map((kernel) => {
        const regressions = new Regressions(life, columns, kernel);
        return shapes.map((shape) => regressions.fit(shape).logWeight);
      });
    };
    const normal = normals(5);
    const walk = (count: number) => Array.from({ length: count }, (_, at) => at / count + 0.2 * normal());
    const [one, shorter] = [lifeOf(walk(40), 1), lifeOf(walk(30), 1)];
    const other = <T extends Float64Array>(column: T) => column.map((value, at) => value + 0.1 * (1 + (at % 5)));
    const others: ScaledLife[] = [
      { ...one, values: other(one.values) },
      { ...one, weights: other(one.weights) },
      { ...one, usesLoad: true, loads: other(one.loads) },
      { ...one, usesLoad: true, loads: one.values },
      { ...one, marks: { ...one.marks, stepped: other(one.marks.stepped) } },
      { ...one, marks: { ...one.marks, work: other(one.marks.work) } },
      { ...one, marks: { ...one.marks, overload: one.marks.overload.map(other) } },
      { ...one, marks: { ...one.marks, time: other(one.marks.time) } },
    ];
    for (const life of others) {
      fits(shorter);
      const alone = fits(life);
      fits(shorter);
      const before = fits(one);
      assert.deepEqual(fits(life), alone);
      assert.deepEqual(fits(one), before);
      assert.notDeepEqual(alone, before);
    }
  });

  it("regressions: with a load and two clocks the chain of steps leaves what the solution leaves", () => {
    const normal = normals(11);
    const plain = lifeOf(
      Array.from({ length: 40 }, (_, at) => at / 40 + 0.1 * normal()),
      1,
    );
    const life = { ...plain, usesLoad: true, loads: plain.values.map((_, at) => Math.sin(at / 3)) };
    for (const kernel of noiseKernels) {
      const columns = new ClockColumns(life);
      const whitening = new Whitening(kernel, life.marks.time, life.weights);
      const whitened = (series: Float64Array) => {
        const into = new Float64Array(series.length);
        whitening.whiten(series, into);
        return into;
      };
      const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
      const values = whitened(life.values);
      for (const shape of growthShapes.scales.flat().filter((one) => one.clocks.length === 2 && !one.needsWork)) {
        const series = [life.values.map(() => 1), life.loads, ...shape.clocks.map((place) => columns.past(place))].map(whitened);
        const moments = series.map((one) => dot(one, values));
        const { coefficients, inverse } = solve(
          series.flatMap((one) => series.map((other) => dot(one, other))),
          moments,
        );
        const squares = coefficients.reduce((sum, coefficient, at) => sum - coefficient * (moments[at] ?? 0), dot(values, values));
        const [first = 0, second = 0] = shape.clocks.map((place) => columns.pace(place));
        const [a = 0, both = 0, , b = 0] = [inverse[10], inverse[11], inverse[14], inverse[15]];
        const variance =
          varianceOf({ squares, count: values.length }) * (first * first * a + 2 * first * second * both + second * second * b);
        const { loadEffect, rate } = new Regressions(life, columns, kernel).fit(shape).component({ weight: 1, probability: 1 });
        assert.ok(Math.abs(loadEffect - (coefficients[1] ?? 0)) < 1e-6);
        assert.ok(Math.abs(rate.deviation ** 2 - variance) < 1e-6 * variance, `${kernel.name}, ${shape.name}: ${rate.deviation}`);
      }
    }
  });

  it("trend filter: a slope that wanders follows a bend that a straight line cannot", () => {
    const [, kind] = slopeWalks;
    assert.ok(kind !== undefined);
    const inputs = Array.from({ length: 60 }, (_, at) => {
      const time = at / 59;
      return { time, clock: time, load: 0, value: time < 0.5 ? time : 0.5 + 4 * (time - 0.5) + 0.001 * (at % 2), weight: 1 };
    });
    assert.ok(Math.abs(filterTrend(inputs, kind, false, true).slope - 4) < 0.2);
    assert.ok(filterTrend(inputs, plainNoise, false, true).slope < 3);
  });
});

describe("weighted quantile", () => {
  const quantilesOf = (weighted: readonly { readonly value: number; readonly weight: number }[], shares: readonly number[]) => {
    const values = new WeightedValues(weighted.length);
    for (const { value, weight } of weighted) values.add(value, weight);
    return values.quantiles(shares);
  };

  it("weighted quantile: agrees with repeating each value as often as its weight says", () => {
    const values = fc.array(fc.record({ value: fc.integer({ min: -50, max: 50 }), weight: fc.integer({ min: 1, max: 6 }) }), {
      minLength: 1,
    });
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 99 }), (weighted, percent) => {
        const repeated = weighted.flatMap(({ value, weight }) => Array.from({ length: weight }, () => value)).sort((a, b) => a - b);
        const rank = Math.max(Math.ceil((percent * repeated.length) / 100), 1);
        const share = (rank - 0.5) / repeated.length;
        assert.equal(quantilesOf(weighted, [share])[0], repeated[rank - 1]);
      }),
    );
  });

  it("weighted quantile: infinity is a value, and nothing has none", () => {
    const half = [
      { value: 1, weight: 1 },
      { value: Number.POSITIVE_INFINITY, weight: 1 },
    ];
    assert.deepEqual(quantilesOf(half, [0.2, 0.4, 0.6]), [1, 1, Number.POSITIVE_INFINITY]);
    assert.ok(Number.isNaN(quantilesOf([], [0.5])[0]));
  });
});

describe("load profile", () => {
  const dayOf = (profile: LoadProfile, atMs: number) => {
    const rates = profile.rates();
    assert.ok(rates !== null);
    return dayAhead(rates, atMs, 1);
  };

  it("load profile: is unknown before two hours, then repeats the day", () => {
    const profile = new LoadProfile();
    const rate = (atMs: number) => (Math.floor(atMs / hourMs) % 24 < 12 ? 3 : 1);
    const minuteMs = 60_000;
    for (let atMs = minuteMs; atMs < 2 * hourMs; atMs += minuteMs) profile.add(atMs, minuteMs, rate(atMs) * 60);
    assert.equal(profile.rates(), null);
    for (let atMs = 2 * hourMs; atMs <= 48 * hourMs; atMs += minuteMs) profile.add(atMs, minuteMs, rate(atMs) * 60);
    assert.equal(profile.unseenRatio, 0);
    const day = dayOf(profile, 48 * hourMs);
    const whole = loadAhead(day, 24 * hourMs).work;
    assert.ok(Math.abs(whole - 2 * 86_400) < 0.03 * whole, `${whole}`);
    assert.ok(Math.abs(loadAhead(day, 12 * hourMs).work - 3 * 43_200) < 0.03 * whole);
    assert.ok(Math.abs(loadAhead(day, 72 * hourMs).work - 3 * whole) < 1e-6 * whole);
  });

  it("load profile: hours that nobody has seen are filled in by the day's wave, the nearer the more has been seen", () => {
    const rate = (atMs: number) => 1 + 0.5 * Math.sin((2 * Math.PI * atMs) / (24 * hourMs));
    const missing = [6, 14].map((seenHours) => {
      const profile = new LoadProfile();
      for (let atMs = 60_000; atMs <= seenHours * hourMs; atMs += 60_000) profile.add(atMs, 60_000, rate(atMs) * 60_000);
      const day = dayOf(profile, seenHours * hourMs);
      return Math.abs(loadAhead(day, 24 * hourMs).work / (24 * hourMs) - 1);
    });
    const [few, many] = missing;
    assert.ok(few !== undefined && many !== undefined && many < few && many < 0.06, missing.join());
  });
});

describe("overload", () => {
  const daily = Float64Array.from({ length: 48 }, (_, bin) => 1 + 0.6 * Math.sin((2 * Math.PI * bin) / 48));

  it("overload: of a past while is the integral above each threshold along the day, as many times higher as its work was", () => {
    const [fromMs, toMs] = [3.2 * hourMs, 41.7 * hourMs];
    const expected = overloadRatios.map(() => 0);
    let work = 0;
    for (let atMs = fromMs + 500; atMs < toMs; atMs += 1_000) {
      const rate = 1.3 * (daily[Math.floor(atMs / (hourMs / 2)) % 48] ?? 0);
      work += rate * 1_000;
      for (const [which, ratio] of overloadRatios.entries()) expected[which] = (expected[which] ?? 0) + Math.max(rate - ratio, 0) * 1_000;
    }
    for (const [which, found] of overloadWithin(daily, fromMs, toMs, work, 1).entries()) {
      assert.ok(Math.abs(found - (expected[which] ?? 0)) < 1e-3 * (expected[which] ?? 0), `${which}: ${found}, ${expected[which]}`);
    }
  });

  it("overload: of the day ahead is what the same day behind would have been", () => {
    const day = dayAhead(daily, 0, 1);
    const whole = loadAhead(day, 24 * hourMs);
    const behind = overloadWithin(daily, 0, 24 * hourMs, whole.work, 1);
    for (const [which, ahead] of whole.overload.entries()) assert.ok(Math.abs(ahead - (behind[which] ?? 0)) < 1e-9 * whole.work);
  });

  it("overload: without a profile the while is even", () => {
    assert.deepEqual(
      overloadWithin(null, 0, 1_000, 1_200, 1),
      overloadRatios.map((ratio) => Math.max(1.2 - ratio, 0) * 1_000),
    );
  });
});

describe("record evidence", () => {
  it("record evidence: on exchangeable readings it is false at one in a hundred less often than one time in fifty", () => {
    let alarms = 0;
    for (let seed = 1; seed <= 400; seed += 1) {
      const normal = normals(seed);
      const evidence = new RecordEvidence();
      for (let at = 0; at < 400; at += 1) {
        evidence.add(normal(), at);
        if (evidence.pValue <= 0.01) {
          alarms += 1;
          break;
        }
      }
    }
    assert.ok(alarms <= 8, `${alarms} of 400`);
  });
});

describe("decision: a trend", () => {
  const input = (growsRatio: number, limit: number | null) => ({
    ...{ indicator: "rssBytes", ageMs: 3_600_000, horizonMs: 1_800_000, limit, highest: 400, lowest: 100 },
    forecast: { growsRatio, slopePerHour: { low: 1, mid: 2, high: 3 }, exhaustionMsMiddle: 3_600_000, hoursPerThousandRequests: 0.1 },
  });

  it("without a limit it is held on while it is likely, though it was surer when it began; with one it must stay as sure", () => {
    const cases = [0.98, 0.95, 0.85].map((growsRatio) =>
      [null, 1_000].map((limit) => [isTrend(input(growsRatio, limit)), isTrend(input(growsRatio, limit), true)]),
    );
    assert.deepEqual(cases, [
      [
        [true, true],
        [true, true],
      ],
      [
        [false, true],
        [false, false],
      ],
      [
        [false, false],
        [false, false],
      ],
    ]);
  });

  it("latency at matched load is held where it is likely; where the load is not known it must be as sure as anything", () => {
    const held = (growsRatio: number, hoursPerThousandRequests: number | null) => {
      const { forecast, ...rest } = input(growsRatio, null);
      return isTrend({ ...rest, indicator: "latencyP99Ms", forecast: { ...forecast, hoursPerThousandRequests } });
    };
    assert.deepEqual([held(0.85, 0.1), held(0.85, null), held(0.98, null)], [true, false, true]);
  });
});

describe("decision: due", () => {
  const hourMs = 3_600_000;
  /** A week old, of a limit of 1, its growth no more likely than not; it stood at .6 in the elder half of its life. */
  const due = (highest: number, earliestHours: number) =>
    isDue({
      ...{ indicator: "rssBytes", growsRatio: 0.4, ageMs: 168 * hourMs, horizonMs: hourMs / 2, limit: 1, highest, lowest: 0.4 },
      ...{ readingNoise: 0.003, count: 10_000, pValue: 1, turns: { allMs: 0, eachMs: 0, instances: 1 }, collectingRatio: 0 },
      forecast: {
        ...{ growsRatio: 0.4, shape: "in time", level: 0.95, levelNow: 0.95, hoursPerThousandRequests: null },
        slopePerHour: { low: 0, mid: 0.001, high: 0.01 },
        exhaustionMs: { low: earliestHours * hourMs, mid: 43 * hourMs, high: Number.POSITIVE_INFINITY },
        ...{ exhaustionMsEarliest: earliestHours * hourMs, exhaustionMsSoon: 9 * hourMs },
        ...{ exhaustionMsMiddle: 43 * hourMs, exhaustionMsLikely: Number.POSITIVE_INFINITY },
        overhang: {
          ...{ usual: 0.01, lowest: 0.4, large: 0.02, jump: 0.03, before: 0.6, tops: [{ value: highest, msAgo: 0 }] },
          ...{ recent: { now: 0.96, perMs: 0, deviations: 3 }, envelope: { now: highest, perMs: 0, highest } },
        },
      },
    });

  it("above .97 of its limit, and higher than ever, the least likely of ends is enough; below it, or where even that is far, it waits", () => {
    assert.deepEqual([due(0.98, 1), due(0.96, 1), due(0.98, 6)], [true, false, false]);
  });
});
