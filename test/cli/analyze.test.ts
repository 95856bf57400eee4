import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { analyzeFile } from "../../src/cli/analyze.ts";
import { pageOf } from "../../src/cli/analyze-page.ts";
import { describeAnalysis } from "../../src/cli/analyze-text.ts";
import { parseTrace } from "../../src/cli/trace-file.ts";

const options = { limit: {}, horizon: 1_800_000 };
const recorded = (name: string) => fileURLToPath(new URL(`../../bench/aging/recorded/${name}.csv`, import.meta.url));

function fileWith(t: TestContext, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), "coppice-analyze-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "trace.csv");
  writeFileSync(file, text);
  return file;
}

describe("analyze: recorded servers", () => {
  for (const name of ["leak-array-constant", "leak-array-node20", "leak-array-varying", "leak-closure", "leak-listener", "leak-timer"]) {
    it(`analyze: ${name} is aging, before its heap is 85 % full`, () => {
      const { replay, verdict, indicator, samples } = analyzeFile(recorded(name), options);
      assert.equal(verdict, "aging");
      assert.equal(indicator, "heapAfterGcBytes");
      const at = samples.find(({ atMs }) => atMs === replay.agingAtMs);
      const level = (at?.indicators.heapAfterGcBytes ?? 0) / (at?.limits.heapAfterGcBytes ?? 1);
      assert.ok(level < 0.6, `${level}`);
    });
  }
  for (const name of ["healthy-none", "healthy-none-steps-node20", "healthy-cache", "healthy-pool"]) {
    it(`analyze: ${name} is not`, () => {
      assert.equal(analyzeFile(recorded(name), options).replay.agingAtMs, null);
    });
  }
});

describe("analyze: broken files", () => {
  it("analyze: an empty, a missing and a headless file are named and insufficient", (t) => {
    assert.match(analyzeFile(fileWith(t, ""), options).problems.join(), /empty/);
    assert.match(analyzeFile("/nowhere/trace.csv", options).problems.join(), /cannot be read/);
    assert.match(analyzeFile(fileWith(t, "a,b\n1,2\n"), options).problems.join(), /no column timeMs/);
    assert.equal(analyzeFile(fileWith(t, "a,b\n1,2\n"), options).verdict, "insufficient");
  });

  it("trace: broken rows, NaN and unsorted times are named, and what is whole is kept in order", () => {
    const { samples, problems } = parseTrace("timeMs,rssBytes\n1000,1\n3000,3\n2000,2\nx,4\n4000,NaN\n5000,5,6\n", {});
    assert.deepEqual(
      samples.map(({ atMs, indicators }) => [atMs, indicators["rssBytes"]]),
      [
        [1000, 1],
        [2000, 2],
        [3000, 3],
        [4000, undefined],
      ],
    );
    assert.match(problems.join("; "), /2 broken rows.*first is line 5.*not numbers.*sorted/);
  });

  it("trace: behind a clock that was set back time goes on, and the file's own times can be told", () => {
    const rows = Array.from({ length: 60 }, (_, at) => `${(at < 30 ? at : at - 20) * 1_000},${at}`);
    const { samples, problems } = parseTrace(`timeMs,rssBytes\n${rows.join("\n")}\n`, {});
    assert.equal(samples.length, 60);
    assert.ok(samples.every(({ atMs }, at) => at === 0 || atMs > (samples[at - 1]?.atMs ?? 0)));
    assert.equal((samples[40]?.atMs ?? 0) - (samples[40]?.shiftMs ?? 0), 20_000);
    assert.match(problems.join(), /clock was set back 1 times/);
  });

  it("trace: limits come from comments, and the command line's go before them", () => {
    const text = "# limit rssBytes=100\n# limit openFds=5\ntimeMs,rssBytes,openFds\n1,2,3\n";
    assert.deepEqual(parseTrace(text, { openFds: 7 }).limits, { rssBytes: 100, openFds: 7 });
  });

  it("trace: a Prometheus range query becomes samples, a series an indicator", () => {
    const body = {
      status: "success",
      data: {
        resultType: "matrix",
        result: [
          {
            metric: { __name__: "rssBytes", job: "a" },
            values: [
              [1.5, "10"],
              [2.5, "NaN"],
              [3.5, "12"],
            ],
          },
          { metric: { __name__: "openFds" }, values: [[1.5, "3"]] },
        ],
      },
    };
    const { samples, problems } = parseTrace(JSON.stringify(body), {});
    assert.deepEqual(
      samples.map(({ atMs, indicators }) => [atMs, indicators]),
      [
        [1500, { rssBytes: 10, openFds: 3 }],
        [3500, { rssBytes: 12 }],
      ],
    );
    assert.match(problems.join(), /1 values are not numbers/);
    assert.match(parseTrace("{", {}).problems.join(), /not JSON/);
    assert.match(parseTrace("{}", {}).problems.join(), /no Prometheus/);
  });
});

describe("analyze: what is shown", () => {
  it("analyze: the report has reasons and a plot, and the page escapes what the file says", () => {
    const analysis = analyzeFile(recorded("leak-closure"), options);
    assert.match(describeAnalysis(analysis), /aging\n {2}the heap after collection grows[\s\S]*│[\s\S]*heapAfterGcBytes/);
    const page = pageOf([{ ...analysis, file: "<script>" }]);
    assert.ok(!page.includes("<script>"));
    assert.match(page, /<svg [\s\S]*<polyline/);
  });

  it("analyze: forecasts come on the grid that was asked for", () => {
    const { replay } = analyzeFile(recorded("leak-closure"), { ...options, forecastEvery: 10_000 });
    const times = replay.forecasts.map(({ atMs }) => atMs);
    assert.ok(times.length >= 10);
    assert.ok(
      times.every((atMs, at) => at === 0 || Math.abs(atMs - (times[at - 1] ?? 0) - 10_000) < 2_500),
      times.join(),
    );
  });
});
