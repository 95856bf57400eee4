import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { alongCone, type Curve, curveOf as curveOfAnalysis } from "../../src/cli/analyze-curve.ts";
import { drawingOf } from "../../src/cli/analyze-drawing.ts";
import { plotOf } from "../../src/cli/analyze-plot.ts";
import { parseTrace } from "../../src/cli/trace-file.ts";
import { analyzed } from "./analyzed.ts";

const minuteMs = 60_000;
const mebibyte = 1024 ** 2;

/** Ten thousand readings of one level, in 100 minutes. */
function curveOf(change: Partial<Curve> = {}): Curve {
  const points = Array.from({ length: 10_001 }, (_, at) => ({ atMs: at * 600, value: 500 * mebibyte }));
  const endMs = 100 * minuteMs;
  return {
    indicator: "rssBytes",
    points,
    startMs: 0,
    endMs,
    lastMs: endMs,
    lowest: 0,
    highest: 1_000 * mebibyte,
    limit: null,
    marks: [],
    cone: null,
    ...change,
  };
}

function ysOf(svg: string): number[] {
  const line = /<polyline points="([^"]*)" fill="none"/.exec(svg)?.[1] ?? "";
  return line.split(" ").map((point) => Number(point.split(",")[1]));
}

describe("analyze: the drawing", () => {
  it("drawing: of many readings the single highest and the single lowest are kept", () => {
    const flat = ysOf(drawingOf(curveOf()));
    assert.ok(flat.length <= 1_000, `${flat.length}`);
    const points = curveOf().points.map(({ atMs, value }, at) => ({
      atMs,
      value: at === 3_333 ? 900 * mebibyte : at === 7_777 ? mebibyte : value,
    }));
    const ys = ysOf(drawingOf(curveOf({ points })));
    const level = flat[0] ?? 0;
    assert.deepEqual([ys.filter((y) => y < level).length, ys.filter((y) => y > level).length], [1, 1]);
  });

  it("drawing: its scales are round, its limit and both moments say what and when they are", () => {
    const svg = drawingOf(
      curveOf({
        limit: 1_000 * mebibyte,
        marks: [
          { atMs: 31 * minuteMs, kind: "trend" },
          { atMs: 93 * minuteMs, kind: "regeneration" },
        ],
      }),
    );
    const texts = [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text);
    assert.deepEqual(texts.slice(0, 4), ["0", "256 MiB", "512 MiB", "768 MiB"]);
    assert.deepEqual(texts.slice(4, 10), ["0", "20 min", "40 min", "60 min", "80 min", "100 min"]);
    for (const text of ["limit 0.977 GiB", "trend held, 31 min", "regenerated, 93 min"]) assert.ok(texts.includes(text), text);
  });

  it("drawing: the times of an axis are of one unit", () => {
    const hours = 49;
    const svg = drawingOf(curveOf({ endMs: hours * 60 * minuteMs, lastMs: hours * 60 * minuteMs }));
    const times = [...svg.matchAll(/<text[^>]*>([^<]* (?:s|min|h|d))</g)].map(([, text]) => text);
    assert.deepEqual(times, ["8 h", "16 h", "24 h", "32 h", "40 h", "48 h"]);
  });

  it("drawing: no label of an axis is cut off by an edge, however large the values", () => {
    const svg = drawingOf(curveOf({ indicator: "memory", highest: 41_800_000_000 }));
    const texts = [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text);
    assert.deepEqual(texts.slice(0, 5), ["0", "1e10", "2e10", "3e10", "4e10"]);
    assert.match(svg, /<text x="758" [^>]*text-anchor="end"[^>]*>100 min</);
  });

  it("drawing: the scale of a gauge whose values are tiny has numbers", () => {
    const svg = drawingOf(curveOf({ indicator: "leakedShare", highest: 1e-6, limit: 1e-6 }));
    const texts = [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text);
    assert.deepEqual(texts.slice(0, 6), ["0", "2e−7", "4e−7", "6e−7", "8e−7", "1e−6"]);
    assert.ok(texts.includes("limit 1e−6"));
  });

  it("drawing: a gauge below 0 is drawn where it is, on a scale that reaches so far, and so does the plot", () => {
    const points = Array.from({ length: 61 }, (_, at) => ({ atMs: at * minuteMs, value: -80 + at }));
    const below = curveOf({ indicator: "celsius", points, lowest: -80, highest: 0 });
    const ys = ysOf(drawingOf(below));
    assert.ok(
      ys.every((y, at) => y < (ys[at - 1] ?? Number.POSITIVE_INFINITY)),
      ys.join(),
    );
    const texts = [...drawingOf(below).matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text);
    assert.deepEqual(texts.slice(0, 5), ["−80", "−60", "−40", "−20", "0"]);
    const rows = plotOf(below).filter((line) => line.includes("│"));
    assert.match(rows[0] ?? "", /^ +0 │/);
    assert.match(rows.at(-1) ?? "", /^ +−80 │·/);
  });

  it("drawing: the cone begins at the decision and meets the limit when it was forecast to", () => {
    const cone = {
      from: { atMs: 10 * minuteMs, value: 600 },
      inMs: { low: minuteMs, mid: 20 * minuteMs, high: Number.POSITIVE_INFINITY },
      limit: 1_000,
    };
    assert.deepEqual(
      [10, 20, 30].map((minute) => alongCone(cone, cone.inMs.mid, minute * minuteMs)),
      [600, 800, 1_000],
    );
    assert.equal(alongCone(cone, cone.inMs.high, 99 * minuteMs), 600);
  });
});

describe("analyze: the curve", () => {
  it("curve: it begins with the trace, not with the indicator's first reading, so that its moments are those of the text", () => {
    const analysis = analyzed(fileURLToPath(new URL("../../bench/aging/recorded/leak-timer.csv", import.meta.url)), {
      limit: {},
      horizon: 1_800_000,
    });
    const curve = curveOfAnalysis(analysis);
    assert.equal(curve?.indicator, "heapAfterGcBytes");
    assert.ok((curve.points[0]?.atMs ?? 0) > curve.startMs, "the first collection came later");
    assert.equal(curve.startMs, analysis.samples.at(0)?.atMs);
    assert.deepEqual(
      curve.marks.map(({ atMs }) => atMs),
      [analysis.replay.trendAtMs, analysis.replay.agingAtMs],
    );
    assert.equal(curve.cone?.from.atMs, analysis.replay.agingAtMs);
  });
});

describe("analyze: the curve of a long recording", () => {
  it("curve: of a hundred thousand readings the highest, the lowest and the last are kept, and some thousands in all", () => {
    const values = Array.from({ length: 100_000 }, (_, at) => (at === 33_333 ? 900 : at === 77_777 ? 1 : 500 + (at % 7)));
    const text = `timeMs,queue\n${values.map((value, at) => `${at * 1_000},${value}`).join("\n")}\n`;
    const { samples, problems, instance } = parseTrace(text, {});
    const replay = { trendAtMs: null, trendIndicator: null, agingAtMs: null, attentionMs: 0, forecasts: [], decisive: null, last: null };
    const curve = curveOfAnalysis({ file: "-", instance, samples, problems, verdict: "healthy", indicator: "queue", replay });
    const points = curve?.points ?? [];
    assert.ok(points.length > 1_000 && points.length <= 4_001, `${points.length}`);
    assert.deepEqual([curve?.highest, Math.min(...points.map(({ value }) => value))], [900, 1]);
    assert.deepEqual(points.at(-1), { atMs: 99_999_000, value: 500 + (99_999 % 7) });
    assert.ok(points.every(({ atMs }, at) => at === 0 || atMs > (points[at - 1]?.atMs ?? 0)));
  });
});

describe("analyze: the plot of the terminal", () => {
  it("plot: it fits a terminal of 80 columns, also with all that a legend can have", () => {
    const cone = { from: { atMs: 80 * minuteMs, value: 1 }, inMs: { low: 1, mid: minuteMs, high: 9 * minuteMs }, limit: 2 };
    const marks: Curve["marks"] = [
      { atMs: minuteMs, kind: "trend" },
      { atMs: 80 * minuteMs, kind: "regeneration" },
    ];
    for (const change of [{}, { indicator: "heapAfterGcBytes", limit: 900 * mebibyte, marks, cone }, { indicator: "memory" }])
      for (const line of plotOf(curveOf(change))) assert.ok(line.length <= 80, line);
  });

  it("plot: two moments of one column are one sign, and the legend says so", () => {
    const at = (trendMs: number): Curve["marks"] => [
      { atMs: trendMs, kind: "trend" },
      { atMs: 51 * minuteMs, kind: "regeneration" },
    ];
    const [, axis, times, legend] = plotOf(curveOf({ marks: at(50.9 * minuteMs) })).slice(-4);
    assert.equal(axis?.match(/[tR]/g)?.join(), "R");
    assert.match(legend ?? "", /R trend held, regeneration/);
    assert.match(times ?? "", /^ +0 +100 min$/);
    const apart = plotOf(curveOf({ marks: at(10 * minuteMs) })).slice(-3);
    assert.equal(apart[0]?.match(/[tR]/g)?.join(), "t,R");
    assert.match(apart[2] ?? "", /t trend held {3}R regeneration/);
  });

  it("plot: where the trend that was held first is another indicator's, the moment of the regeneration is not called its", () => {
    const legend = plotOf(curveOf({ marks: [{ atMs: 51 * minuteMs, kind: "regeneration" }] })).at(-1);
    assert.equal(legend?.trim(), "· rssBytes   R regeneration");
  });

  it("plot: in a narrower terminal it is as wide as that", () => {
    const marks: Curve["marks"] = [{ atMs: 100 * minuteMs, kind: "regeneration" }];
    for (const columns of [30, 40, 66]) {
      const rows = plotOf(curveOf({ marks, limit: 900 * mebibyte }), columns);
      assert.equal(Math.max(...rows.slice(0, -1).map((row) => row.length)), columns);
      assert.match(rows.at(-3) ?? "", /R$/);
    }
    const curve = curveOf({ marks });
    assert.deepEqual(plotOf(curve, 0), plotOf(curve)); // a terminal that nobody has told its size
  });
});
