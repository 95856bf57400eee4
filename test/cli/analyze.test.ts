import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { AgingModel } from "../../src/aging/model.ts";
import { jsonOf } from "../../src/cli/analyze.ts";
import { pageOf, sectionOf } from "../../src/cli/analyze-page.ts";
import { describeAnalysis } from "../../src/cli/analyze-text.ts";
import { parseTrace } from "../../src/cli/trace-file.ts";
import { seededRandom } from "../../src/sim/random.ts";
import { SimCluster } from "../../src/sim/sim-cluster.ts";
import { simSpec } from "../../src/sim/sim-spec.ts";
import { analyzed } from "./analyzed.ts";

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
      const { replay, verdict, indicator, samples } = analyzed(recorded(name), options);
      assert.equal(verdict, "aging");
      assert.equal(indicator, "heapAfterGcBytes");
      const at = [...samples].find(({ atMs }) => atMs === replay.agingAtMs);
      const level = (at?.indicators.heapAfterGcBytes ?? 0) / (at?.limits.heapAfterGcBytes ?? 1);
      assert.ok(level < 0.75, `${level}`); // they ended at .8
    });
  }
  for (const name of ["healthy-none", "healthy-none-steps-node20", "healthy-cache", "healthy-pool"]) {
    it(`analyze: ${name} is not`, () => {
      assert.equal(analyzed(recorded(name), options).replay.agingAtMs, null);
    });
  }
});

describe("analyze: the monitor's own admission", () => {
  for (const name of ["leak-closure", "leak-array-varying", "leak-timer"]) {
    it(`analyze: agingAtMs of ${name} is when the real core, in automatic mode, admits the regeneration`, () => {
      const { replay, samples } = analyzed(recorded(name), options);
      const admitted: number[] = [];
      const cluster = new SimCluster({
        spec: simSpec(1),
        random: seededRandom(1),
        onEvent: (atMs, { kind }) => {
          if (kind === "regeneration-admitted") admitted.push(atMs);
        },
      });
      // The instance is there and serves before its first sample comes.
      cluster.run(10_000);
      const [instance] = cluster.serving();
      assert.ok(instance !== undefined);
      const shiftMs = cluster.nowMs - (samples.at(0)?.atMs ?? 0);
      const model = new AgingModel({ horizonMs: options.horizon });
      for (const sample of samples) {
        cluster.run(sample.atMs + shiftMs);
        if (admitted.length > 0) break;
        model.add(sample);
        const report = model.report(sample.atMs);
        if (report.verdict === "aging") cluster.tell({ kind: "aging", instance, report });
        cluster.run(cluster.nowMs);
      }
      assert.equal(admitted[0], (replay.agingAtMs ?? Number.NaN) + shiftMs);
    });
  }
});

describe("analyze: broken files", () => {
  it("analyze: an empty, a missing and a headless file are named and insufficient", (t) => {
    assert.match(analyzed(fileWith(t, ""), options).problems.join(), /empty/);
    assert.match(analyzed("/nowhere/trace.csv", options).problems.join(), /cannot be read/);
    assert.match(analyzed(fileWith(t, "a,b\n1,2\n"), options).problems.join(), /no column timeMs/);
    assert.equal(analyzed(fileWith(t, "a,b\n1,2\n"), options).verdict, "insufficient");
  });

  it("trace: broken rows, NaN and unsorted times are named, and what is whole is kept in order", () => {
    const { samples, problems } = parseTrace("timeMs,rssBytes\n1000,1\n3000,3\n2000,2\nx,4\n4000,NaN\n5000,5,6\n", {});
    assert.deepEqual(
      Array.from(samples, ({ atMs, indicators }) => [atMs, indicators["rssBytes"]]),
      [
        [1000, 1],
        [2000, 2],
        [3000, 3],
        [4000, undefined],
      ],
    );
    assert.match(problems.join("; "), /2 broken rows, the first in line 5.*1 cell without a number.*1 step back.*sorted/);
  });

  it("trace: behind a clock that was set back time goes on, and the file's own times can be told", () => {
    const rows = Array.from({ length: 60 }, (_, at) => `${(at < 30 ? at : at - 20) * 1_000},${at}`);
    const { samples, problems } = parseTrace(`timeMs,rssBytes\n${rows.join("\n")}\n`, {});
    assert.equal(samples.length, 60);
    assert.ok([...samples].every(({ atMs }, at) => at === 0 || atMs > (samples.at(at - 1)?.atMs ?? 0)));
    assert.equal((samples.at(40)?.atMs ?? 0) - (samples.at(40)?.shiftMs ?? 0), 20_000);
    assert.match(problems.join(), /clock was set back once/);
  });

  it("trace: limits come from comments, and the command line's go before them", () => {
    const text = "# limit rssBytes=100\n# limit openFds=5\ntimeMs,rssBytes,openFds\n1,2,3\n";
    assert.deepEqual(parseTrace(text, { openFds: 7 }).samples.at(0)?.limits, { rssBytes: 100, openFds: 7 });
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
      Array.from(samples, ({ atMs, indicators }) => [atMs, indicators]),
      [
        [1500, { rssBytes: 10, openFds: 3 }],
        [3500, { rssBytes: 12 }],
      ],
    );
    assert.match(problems.join(), /1 value without a number/);
    assert.match(parseTrace("{", {}).problems.join(), /not JSON/);
    assert.match(parseTrace("{}", {}).problems.join(), /no Prometheus/);
  });
});

describe("analyze: the line of JSON", () => {
  const leak = (columns: string, row: (at: number) => string) =>
    `# limit rssBytes=1000000\ntimeMs,${columns}\n${Array.from({ length: 600 }, (_, at) => `${1_700_000_000_000 + at * 60_000},${row(at)}`).join("\n")}\n`;

  it("analyze: the slope is the one of the moment for which the reasons are, though the level fell after it", (t) => {
    const floor = (at: number) => 100_000 + (at < 400 ? at * 2_200 : 880_000 - (at - 400) * 4_000);
    const file = fileWith(
      t,
      leak("requestsTotal,rssBytes", (at) => `${at * 50},${floor(at) + ((at * 7_919) % 5_000)}`),
    );
    const { verdict, slopePerHour } = jsonOf([analyzed(file, options)]);
    assert.equal(verdict, "aging");
    assert.ok(Math.abs((slopePerHour ?? 0) - 132_000) < 13_000, `${slopePerHour}`);
  });

  it("analyze: has the fields that are promised, absolute times in the trace's own clock, and numbers in every interval", (t) => {
    const file = fileWith(
      t,
      leak("requestsTotal,rssBytes", (at) => `${at * 50},${100_000 + at * 1_400 + ((at * 7_919) % 5_000)}`),
    );
    const line: unknown = JSON.parse(JSON.stringify(jsonOf([analyzed(file, { ...options, forecastEvery: { ms: 600_000 } })])));
    assert.ok(typeof line === "object" && line !== null);
    const fields = ["file", "verdict", "trendAtMs", "agingAtMs", "indicator", "slopePerHour", "attentionMs", "reasons", "forecasts"];
    for (const field of fields) assert.ok(field in line, field);
    const { forecasts, slopePerHour, indicator, trendAtMs } = line as ReturnType<typeof jsonOf>; // as it was written a line above
    assert.equal(indicator, "rssBytes");
    assert.ok(Math.abs((slopePerHour ?? 0) - 84_000) < 4_000, `${slopePerHour}`);
    assert.ok(trendAtMs !== null && trendAtMs > 1_700_000_000_000);
    assert.equal(forecasts.length, 60);
    const said = forecasts[40]?.exhaustionMs ?? null;
    const trueMs = 1_700_000_000_000 + (900_000 / 1_400) * 60_000;
    assert.ok(said !== null && said.low <= trueMs && trueMs <= said.high, JSON.stringify(said));
    for (const { exhaustionMs } of forecasts) {
      if (exhaustionMs !== null) assert.ok([exhaustionMs.low, exhaustionMs.mid, exhaustionMs.high].every(Number.isFinite));
    }
  });

  it("analyze: of a clock with parts of milliseconds no exhaustion comes before its forecast was made", (t) => {
    const rows = Array.from({ length: 300 }, (_, at) => `${at * 60_000 + 0.4},${at * 4_000}`);
    const file = fileWith(t, `# limit rssBytes=1000000\ntimeMs,rssBytes\n${rows.join("\n")}\n`);
    const { forecasts } = jsonOf([analyzed(file, { ...options, forecastEvery: { ms: 60_000 } })]);
    const early = forecasts.filter(({ atMs, exhaustionMs }) => exhaustionMs !== null && exhaustionMs.low < atMs);
    assert.deepEqual(early, []);
    assert.ok(
      forecasts.some(({ atMs, exhaustionMs }) => exhaustionMs !== null && exhaustionMs.low - atMs < 1),
      "the limit was met",
    );
  });

  it("analyze: without a limit nothing is exhausted: attention, no forecast, no NaN; a column of any name is a gauge", (t) => {
    const file = fileWith(
      t,
      leak("queue_length", (at) => String(100 + at * 2 + ((at * 31) % 17))),
    );
    const line = jsonOf([analyzed(file, { ...options, forecastEvery: { ms: 600_000 } })]);
    assert.equal(line.verdict, "attention");
    assert.equal(line.indicator, "queue_length");
    assert.equal(line.agingAtMs, null);
    assert.ok(line.forecasts.every(({ exhaustionMs }) => exhaustionMs === null));
    assert.match(line.reasons.join(), /no limit to meet/);
    assert.doesNotMatch(JSON.stringify(line), /NaN|Infinity/);
  });

  it("analyze: a flat, a constant and a two-row trace are healthy or insufficient, with every field", (t) => {
    const flat = jsonOf([
      analyzed(
        fileWith(
          t,
          leak("rssBytes", () => "500000"),
        ),
        { ...options, forecastEvery: { ms: 600_000 } },
      ),
    ]);
    assert.equal(flat.verdict, "healthy");
    assert.deepEqual([flat.trendAtMs, flat.agingAtMs, flat.attentionMs], [null, null, 0]);
    const bounded = leak("openFds,rssBytes", () => "7,500000");
    assert.equal(
      jsonOf([analyzed(fileWith(t, bounded), options)]).indicator,
      "rssBytes",
      "what has a limit is what a healthy trace is about",
    );
    const short = jsonOf([analyzed(fileWith(t, "timeMs,rssBytes\n1,2\n2,3\n"), options)]);
    assert.equal(short.verdict, "insufficient");
    assert.deepEqual([short.indicator, short.slopePerHour], [null, null]);
  });

  it("trace: a row from far in the future is left out, and a byte-order mark is none of the header's", () => {
    const rows = Array.from({ length: 60 }, (_, at) => `${at === 30 ? 9_000_000_000 : at * 1_000},${at}`);
    const { samples, problems } = parseTrace(`\uFEFFtimeMs,rssBytes\n${rows.join("\n")}\n`, {});
    assert.equal(samples.length, 59);
    assert.equal(samples.at(-1)?.atMs, 59_000);
    assert.match(problems.join(), /1 row from far in the future/);
  });

  it("trace: a limit holds for each series of its name, whatever its labels", () => {
    const series = (pool: string) => ({ metric: { __name__: "rss", pool, job: "web" }, values: [[1, "5"]] });
    const { samples } = parseTrace(JSON.stringify({ data: { resultType: "matrix", result: [series("a"), series("b")] } }), { rss: 100 });
    assert.deepEqual(samples.at(0)?.limits, { rss: 100, "rss{pool=a}": 100, "rss{pool=b}": 100 });
  });
});

describe("analyze: what is shown", () => {
  it("analyze: the report has reasons and a plot, and the page escapes what the file says", () => {
    const analysis = analyzed(recorded("leak-closure"), options);
    assert.match(
      describeAnalysis(analysis),
      /aging\n {2}would have been regenerated after .*\n {2}the heap after collection grows[\s\S]*│[\s\S]*heapAfterGcBytes/,
    );
    const page = pageOf([sectionOf({ ...analysis, file: "<script>" }, 0)]);
    assert.ok(!page.includes("<script>"));
    assert.match(page, /<svg [\s\S]*<polyline/);
    assert.match(
      page,
      /svg\{[^}]*box-sizing:border-box;[^}]*border:/,
      "wider than its section by its border, each drawing has a scroll bar",
    );
  });

  it("analyze: forecasts come on the grid that was asked for", () => {
    const { replay } = analyzed(recorded("leak-closure"), { ...options, forecastEvery: { ms: 10_000 } });
    const times = replay.forecasts.map(({ atMs }) => atMs);
    assert.ok(times.length >= 10);
    assert.ok(
      times.every((atMs, at) => at === 0 || Math.abs(atMs - (times[at - 1] ?? 0) - 10_000) < 2_500),
      times.join(),
    );
  });
});
