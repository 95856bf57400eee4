import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { curveOf } from "../../src/cli/analyze-curve.ts";
import { describeAnalysis } from "../../src/cli/analyze-text.ts";
import { limitOf } from "../../src/cli/limit-text.ts";
import { parseTrace, readTraces, unread } from "../../src/cli/trace-file.ts";
import { linesOf } from "../../src/cli/trace-text.ts";
import { analyzed } from "./analyzed.ts";

const rowsOf = (text: string, limits = {}) => {
  const { samples, problems } = parseTrace(text, limits);
  return { rows: Array.from(samples, ({ atMs, indicators }) => [atMs, indicators.rssBytes]), problems, samples };
};

function analysisOf(text: string | Buffer) {
  const directory = mkdtempSync(join(tmpdir(), "coppice-analyze-"));
  try {
    writeFileSync(join(directory, "trace.csv"), text);
    return analyzed(join(directory, "trace.csv"), { limit: {}, horizon: 1_800_000 });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe("trace: as the field writes it", () => {
  it("trace: read in pieces cut anywhere, even within a line's end, it is the same", () => {
    const line = fc.constantFrom("1,2", "3,4", "", "# limit rssBytes=7", "x,5", "6,7,8");
    fc.assert(
      fc.property(fc.array(line), fc.constantFrom("\n", "\r\n", "\r"), fc.array(fc.nat(60)), (lines, end, cuts) => {
        const text = `timeMs,rssBytes${end}${lines.join(end)}`;
        const at = [0, ...cuts.toSorted((a, b) => a - b), text.length];
        const pieces = at.map((begin, cut) => text.slice(begin, at[cut + 1] ?? text.length));
        const whole = rowsOf(text);
        const [{ samples, problems } = unread([])] = readTraces(pieces, {});
        assert.deepEqual(
          Array.from(samples, ({ atMs, indicators }) => [atMs, indicators.rssBytes]),
          whole.rows,
        );
        assert.deepEqual(problems, whole.problems);
        assert.deepEqual([...linesOf(pieces)].join("\n").trimEnd(), text.replaceAll(end, "\n").trimEnd());
      }),
    );
  });

  it("trace: cells without content behind the last column are none, others are a broken row", () => {
    const { rows, problems } = rowsOf("timeMs,rssBytes\n1,2,\n2,3,,\n3,4,5\n");
    assert.deepEqual(rows, [
      [1, 2],
      [2, 3],
    ]);
    assert.deepEqual(problems, ["left out: 1 broken row, the first in line 4 (more cells than columns)"]);
  });

  it("trace: a time that is no number is shown, and a header without timeMs is all that is said", () => {
    assert.deepEqual(rowsOf("timeMs,rssBytes\n2026-01-02T03:04:05Z,2\n,3\n").problems, [
      'left out: 2 broken rows, the first in line 2 (no time: "2026-01-02T03:04:05Z")',
    ]);
    assert.deepEqual(rowsOf("time,rssBytes\n1,2\n", { openFds: 1 }).problems, [
      "line 1: the header has no column timeMs; it has time, rssBytes",
    ]);
  });

  it("trace: a limit below the header holds from there on, the command line's throughout", () => {
    const text = "# limit rssBytes=100\ntimeMs,rssBytes,openFds\n1,2,3\n# limit rssBytes=200\n2,3,4\n3,4,5\n";
    const limits = (given: Record<string, number>) => Array.from(parseTrace(text, given).samples, (sample) => sample.limits);
    assert.deepEqual(limits({}), [{ rssBytes: 100 }, { rssBytes: 200 }, { rssBytes: 200 }]);
    assert.deepEqual(limits({ rssBytes: 9 }), [{ rssBytes: 9 }, { rssBytes: 9 }, { rssBytes: 9 }]);
    const late = parseTrace("timeMs,rssBytes\n1,2\n# limit rssBytes=200\n2,3\n", { openFds: 5 });
    assert.deepEqual(
      Array.from(late.samples, (sample) => sample.limits),
      [{ openFds: 5 }, { rssBytes: 200, openFds: 5 }],
    );
  });

  it("trace: limits of bytes may be written in the units of the reports, other units are refused", () => {
    assert.deepEqual(["512", "1.5e9", "64KiB", "0.5 MiB", "256MiB", "2GiB"].map(limitOf), [
      512,
      1.5e9,
      65_536,
      524_288,
      268_435_456,
      2 ** 31,
    ]);
    for (const refused of ["", "0", "-1", "MiB", "5M", "5MB", "5 mib", "1,000", "Infinity", "NaN", "0MiB"])
      assert.equal(limitOf(refused), null, refused);
    assert.deepEqual(parseTrace("# limit rssBytes=1MiB\ntimeMs,rssBytes\n1,2\n", {}).samples.at(0)?.limits, { rssBytes: 1_048_576 });
  });

  it("trace: a limit in a comment is all that is written, its unit too, and each of several on one line", () => {
    const told = (comment: string) => parseTrace(`${comment}\ntimeMs,rssBytes,openFds\n1,2,3\n`, {});
    const both = { rssBytes: 536_870_912, openFds: 100 };
    for (const comment of [
      "# limit rssBytes=512 MiB openFds=100",
      " #limit openFds = 100, rssBytes = 512 MiB",
      "# limit openFds=100 rssBytes=512MiB,",
    ])
      assert.deepEqual(told(comment).samples.at(0)?.limits, both, comment);
    const { samples, problems } = told("# limit rssBytes=512 MB");
    assert.deepEqual(samples.at(0)?.limits, {});
    assert.deepEqual(problems, ['line 1: the limit of rssBytes is no number above 0: "512 MB"']);
  });

  it("trace: a limit below the last row holds for none, and it is said", () => {
    const { samples, problems } = parseTrace("timeMs,rssBytes\n1,2\n# limit rssBytes=5\n", {});
    assert.deepEqual(samples.at(0)?.limits, {});
    assert.deepEqual(problems, ["a limit below the last row holds for none: it holds from its line on"]);
  });

  it("trace: as a spreadsheet saves it: empty rows and comments filled up with commas, quoted comments, a number for each row", () => {
    const text = ',,\n"# limit rssBytes=512, openFds=7",,\n# limit queue=9,,\n,timeMs,rssBytes,openFds,queue\n0,1,2,3,4\n1,2,3,4,5\n,,,,\n';
    const { samples, problems } = parseTrace(text, {});
    assert.deepEqual(problems, []);
    assert.deepEqual(
      Array.from(samples, ({ indicators }) => indicators),
      [
        { rssBytes: 2, openFds: 3, queue: 4 },
        { rssBytes: 3, openFds: 4, queue: 5 },
      ],
    );
    assert.deepEqual(samples.at(0)?.limits, { rssBytes: 512, openFds: 7, queue: 9 });
  });

  it("trace: the first cell that is no number is shown with its column: a decimal comma, a unit, a thousands separator", () => {
    for (const cell of ["1,5", "238 MiB", "238,000,000"])
      assert.deepEqual(rowsOf(`timeMs,rssBytes\n1,2\n2,"${cell}"\n3,"${cell}"\n`).problems, [
        `left out: 2 cells without a number, the first in line 3 (rssBytes: "${cell}")`,
      ]);
  });

  it("trace: cells may be separated by semicolons or tabs, and then have decimal commas, which is said", () => {
    const header = ["", "timeMs", "rssBytes", "a,b"];
    const rows = [
      ["0", "1", "2,5", '"x;\ty"'],
      ["1", "2", "-3,5E+2", "1.5"],
      ["2", "3", "1,234,567", ""],
    ];
    for (const separator of [";", "\t"]) {
      const lines = [`# limit rssBytes=9${separator.repeat(3)}`, ...[header, ...rows].map((cells) => cells.join(separator))];
      const parsed = rowsOf(`sep=${separator}\r\n${lines.join("\r\n")}\r\n${separator.repeat(3)}\r\n`);
      assert.deepEqual(parsed.rows, [
        [1, 2.5],
        [2, -350],
        [3, undefined],
      ]);
      assert.deepEqual([...parsed.samples].at(1)?.indicators["a,b"], 1.5);
      assert.equal(parsed.samples.at(0)?.limits.rssBytes, 9);
      assert.deepEqual(parsed.problems, [
        'left out: 2 cells without a number, the first in line 4 (a,b: "x;\ty")',
        'commas within numbers were taken for decimal points, the first in line 4 (rssBytes: "2,5")',
      ]);
    }
    assert.deepEqual(rowsOf('timeMs,rssBytes\n1,"2,5"\n').rows, [[1, undefined]], "beside cells that commas separate it may be anything");
  });

  it("analyze: a file in UTF-16 that says so by its mark is read", () => {
    const rows = Array.from({ length: 40 }, (_, row) => `${row * 1_000}\t${row}`).join("\r\n");
    const { samples, problems } = analysisOf(Buffer.from(`\uFEFFtimeMs\trssBytes\r\n${rows}\r\n`, "utf16le"));
    assert.equal(samples.length, 40);
    assert.deepEqual(problems, []);
  });

  it("trace: dates in a column called timestamp, time or date are its times, in UTC unless they say otherwise", () => {
    const dates = [
      "2026-03-01 10:00",
      "2026-03-01 10:00:30.5",
      "2026-03-01T12:01:00+02:00",
      "2026-03-01T10:01:30Z",
      "2026-03-01T10:02:00 UTC",
    ];
    const { samples, problems } = rowsOf(`Timestamp,rssBytes\n${dates.map((date, at) => `${date},${at}`).join("\n")}\nyesterday,9\n`);
    const begin = Date.UTC(2026, 2, 1, 10);
    assert.deepEqual(
      Array.from(samples, ({ atMs, indicators }) => [atMs - begin, indicators["rssBytes"]]),
      [0, 30_500, 60_000, 90_000, 120_000].map((afterMs, at) => [afterMs, at]),
    );
    assert.deepEqual(problems, ['left out: 1 broken row, the first in line 7 (no time: "yesterday")']);
    assert.deepEqual(rowsOf("date,rssBytes\n2026-03-01,1\n2026-03-02,2\n").samples.at(1)?.atMs, begin + 14 * 3_600_000);
  });

  it("trace: numbers in such a column are seconds or milliseconds since 1970, or nobody can tell", () => {
    const timesOf = (times: readonly number[]) => {
      const { samples, problems } = rowsOf(`timestamp,rssBytes\n${times.map((at) => `${at},1`).join("\n")}\n`);
      return { times: Array.from(samples, ({ atMs }) => atMs), problems };
    };
    const inMs = [1_780_000_000_500, 1_780_000_001_500];
    assert.deepEqual(timesOf(inMs), { times: inMs, problems: [] });
    assert.deepEqual(timesOf(inMs.map((atMs) => atMs / 1_000)), { times: inMs, problems: [] });
    assert.match(timesOf([0, 10]).problems.join(), /the header has no column timeMs/);
  });

  it("trace: a name that Coppice knows, written otherwise, is a gauge like any other, and said to be", () => {
    assert.deepEqual(rowsOf("timeMs,RequestsTotal,rss_bytes,queue,eventLoopUtilizationRatio\n1,2,3,4,5\n").problems, [
      "RequestsTotal was taken for a gauge like any other; did you mean requestsTotal?",
      "rss_bytes was taken for a gauge like any other; did you mean rssBytes?",
      "eventLoopUtilizationRatio was taken for a gauge like any other; did you mean eventLoopUtilisationRatio?",
    ]);
    const { problems } = rowsOf("timeMs,requests_total\n1,2\n2,3\n");
    assert.deepEqual(problems.length, 1, problems.join("; "));
    assert.match(problems.join(), /counter/);
  });

  it("trace: times behind a clock that was set back are found without a search of all rows for each", () => {
    const rowsCount = 50_000;
    const text = `timeMs,rssBytes\n${Array.from({ length: rowsCount }, (_, at) => `${at < 50 ? 1_000 + at : at},1`).join("\n")}\n`;
    const beganMs = performance.now();
    const { samples } = parseTrace(text, {});
    const told = Array.from(samples, ({ atMs, shiftMs }) => [atMs, shiftMs] as const);
    const readMs = performance.now();
    const isFound = told.every(([atMs, shiftMs]) => samples.shiftMsAt(atMs) === shiftMs);
    const foundMs = performance.now();
    assert.ok(isFound);
    // A second for a machine that stands still.
    assert.ok(foundMs - readMs < 10 * (readMs - beganMs) + 1_000, `${foundMs - readMs} ms after ${readMs - beganMs} ms of reading`);
  });

  it("trace: a comment that would be a limit and is written otherwise is named; other comments are not", () => {
    assert.deepEqual(rowsOf("# limit rssBytes: 5\n# limits were 5\n# way array\ntimeMs,rssBytes\n1,2\n").problems, [
      'line 1: a limit is written as # limit rssBytes=512000000, not as "# limit rssBytes: 5"',
    ]);
  });

  it("analyze: of a number that nobody can have measured no time and no slope comes", () => {
    const rows = Array.from({ length: 200 }, (_, at) => `${at % 50 === 7 ? "1e308" : at * 60_000},${at % 9 === 4 ? "1e308" : 100 + at}`);
    const { replay, problems } = analysisOf(`# limit rssBytes=1000\ntimeMs,rssBytes\n${rows.join("\n")}\n`);
    assert.ok(
      replay.last?.trends.every(({ slopePerHour }) => slopePerHour.mid > 0),
      JSON.stringify(replay.last?.trends),
    );
    assert.deepEqual(problems, [
      'left out: 4 broken rows, the first in line 10 (no time: "1e308")',
      'left out: 21 cells without a number, the first in line 7 (rssBytes: "1e308")',
    ]);
    const values = Array.from({ length: 9 }, (_, at) => [at, at === 4 ? "1e308" : "5"]);
    const answer = { data: { result: [{ metric: { __name__: "queue" }, values }] } };
    assert.deepEqual(parseTrace(JSON.stringify(answer), {}).problems, ["left out: 1 value without a number"]);
  });

  it("trace: limits in capitals, of several, or behind a colon are limits", () => {
    for (const comment of ["# Limit rssBytes=5", "#LIMIT rssBytes = 5", "# limits rssBytes=5 openFds=7", "## Limits: rssBytes=5"]) {
      const { samples, problems } = parseTrace(`${comment}\ntimeMs,rssBytes,openFds\n1,2,3\n`, {});
      assert.deepEqual([samples.at(0)?.limits.rssBytes, problems], [5, []], comment);
    }
  });

  it("trace: rows of one time are named: several processes in one table, mostly", () => {
    const text = "timeMs,rssBytes,host\n1,2,a\n1,9,b\n2,2,a\n2,9,b\n";
    assert.match(parseTrace(text, {}).problems.join("\n"), /^2 rows of the same time as the one before; a trace is of one process$/m);
  });

  it("trace: rows from far in the past are left out too: a clock that was not yet set", () => {
    const rows = Array.from({ length: 60 }, (_, at) => `${at === 0 || at === 30 ? at : 1_700_000_000_000 + at * 1_000},1`);
    const { samples, problems } = rowsOf(`timeMs,rssBytes\n${rows.join("\n")}\n`);
    assert.deepEqual([samples.length, samples.at(0)?.atMs], [58, 1_700_000_001_000]);
    assert.deepEqual(problems, ["left out: 2 rows from far in the past"]);
  });

  it("trace: zeros that a crash left are a broken row; what is compressed is said to be so", () => {
    const { rows, problems } = rowsOf("timeMs,rssBytes\n1,2\n\0\0\0\0");
    assert.deepEqual(rows, [[1, 2]]);
    assert.match(problems.join(), /1 broken row, the first in line 3/);
    assert.match(rowsOf("\u001F\uFFFD\b\0").problems.join(), /^it is compressed/);
  });

  it("trace: the work of a second series is no gauge that grows", () => {
    const series = (name: string, pool: string) => ({ metric: { __name__: name, pool }, values: [[1, "5"]] });
    const result = [series("requestsTotal", "a"), series("requestsTotal", "b"), series("rssBytes", "a")];
    const sample = parseTrace(JSON.stringify({ data: { resultType: "matrix", result } }), {}).samples.at(0);
    assert.deepEqual([sample?.requestsTotal, sample?.indicators], [5, { rssBytes: 5 }]);
  });

  it("analyze: control characters of a file's names do not reach the terminal, and a long name is shortened", () => {
    const { samples, problems } = parseTrace(`time\u001B[2J,${"x".repeat(1_000)}\n1,2\n`, {});
    const nothing = { trendAtMs: null, trendIndicator: null, agingAtMs: null, attentionMs: 0, forecasts: [], decisive: null, last: null };
    const text = describeAnalysis({
      file: "a.csv",
      instance: null,
      verdict: "insufficient",
      indicator: null,
      replay: nothing,
      samples,
      problems,
    });
    assert.equal(text, `a.csv: line 1: the header has no column timeMs; it has time\uFFFD[2J, ${"x".repeat(60)}…\n`);
  });

  it("trace: of a table wider than the model watches, columns with a limit come first, then known ones, and it is said", () => {
    const gauges = Array.from({ length: 40 }, (_, at) => `gauge${at}`);
    const row = (at: number) => `${at},${gauges.map((_, gauge) => (gauge === 0 ? "web" : gauge)).join()},5,6`;
    const text = `timeMs,${gauges.join()},openFds,queue\n${[1, 2, 3].map(row).join("\n")}\n`;
    const { samples, problems } = parseTrace(text, { queue: 100 });
    assert.deepEqual(Object.keys(samples.at(0)?.indicators ?? {}).slice(0, 3), ["queue", "openFds", "gauge1"]);
    assert.equal(Object.keys(samples.at(0)?.indicators ?? {}).length, 24);
    assert.match(problems.join("; "), /of its 41 columns 24 were judged, those with a limit first; not gauge23, gauge24, .*gauge38, …/);
  });

  it("analyze: a gauge called constructor is one without a limit", () => {
    const rows = Array.from({ length: 300 }, (_, at) => `${at * 60_000},${at}`);
    const analysis = analysisOf(`timeMs,constructor\n${rows.join("\n")}\n`);
    assert.match(describeAnalysis(analysis), /: attention\n[\s\S]*constructor grows[\s\S]*no limit to meet/);
  });

  it("analyze: a trace whose clock is before 1970 is drawn to its own end", () => {
    const rows = Array.from({ length: 300 }, (_, at) => `${(at - 1_000) * 60_000},${1_000 + at}`);
    const curve = curveOf(analysisOf(`timeMs,queue\n${rows.join("\n")}\n`));
    assert.deepEqual([curve?.startMs, curve?.lastMs], [-1_000 * 60_000, -701 * 60_000]);
  });

  it("analyze: a trend of another indicator than the one that is drawn is said to be so, and not marked", () => {
    const row = (at: number) => `${at * 1_000},${1_000 + (at % 7)},${at < 300 ? 100 + at * 3 : 1_000}`;
    const analysis = analysisOf(
      `# limit rssBytes=2000\ntimeMs,rssBytes,queue\n${Array.from({ length: 900 }, (_, at) => row(at)).join("\n")}\n`,
    );
    assert.equal(analysis.indicator, "rssBytes");
    assert.match(describeAnalysis(analysis), /a trend of queue was first held after/);
    assert.deepEqual(curveOf(analysis)?.marks, []);
  });

  it("trace: a process that was started anew, as its start time says, is judged anew", () => {
    // Five hours at 150 MB, then a life that begins at 100 MB and leaks 20 MB an hour.
    const hours = (count: number, levelAt: (hour: number) => number, start: string) =>
      Array.from(
        { length: count * 60 },
        (_, minute) => `${Math.round(levelAt(minute / 60) * 1e6) + ((minute * 7_919) % 1_000) * 2e3},${start}`,
      );
    const lives = [...hours(5, () => 150, "1000000.5"), ...hours(5, (hour) => 100 + 20 * hour, "1018000.25")];
    const rows = lives.map((row, minute) => `${minute * 60_000},${row}`);
    const text = (started: string) => `# limit rssBytes=500000000\ntimeMs,rssBytes,${started}\n${rows.join("\n")}`;
    const { verdict, indicator, replay } = analysisOf(text("process_start_time_seconds"));
    assert.deepEqual([verdict, indicator], ["attention", "rssBytes"]);
    assert.ok(replay.trendAtMs !== null && replay.trendAtMs > 5 * 3_600_000, `${replay.trendAtMs}`);
    // 400 MB at 20 MB an hour are 20 hours, of which 5 have gone.
    const [trend] = replay.last?.trends ?? [];
    const leftHours = (trend?.exhaustionInMs?.mid ?? 0) / 3_600_000;
    assert.ok(leftHours > 14 && leftHours < 16, `${leftHours}`);
    assert.equal(analysisOf(text("")).verdict, "healthy");
  });

  it("trace: in a table what looks like a counter of Prometheus is judged as a gauge, and said to be one", () => {
    const rows = Array.from({ length: 30 }, (_, at) => `${at},${at * 7},${at % 5},${at * 2}`);
    const text = `timeMs,http_requests_total,nodejs_active_handles_total,queue\n${rows.join("\n")}\n`;
    const { problems, samples } = parseTrace(text, {});
    assert.deepEqual(problems, [
      "http_requests_total looks like a counter and was taken for a gauge, where more is worse; the work done is requestsTotal",
    ]);
    assert.equal(samples.at(3)?.indicators["http_requests_total"], 21);
  });
});
