import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { parseEvery } from "../../src/cli/analyze.ts";
import { parseTrace } from "../../src/cli/trace-file.ts";
import { nearName } from "../../src/model/near-name.ts";

const cli = fileURLToPath(new URL("../../bin/coppice.js", import.meta.url));
const recorded = fileURLToPath(new URL("../../bench/aging/recorded/leak-closure.csv", import.meta.url));

/** The command itself: what it prints, and its exit code. */
function analyze(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, "analyze", ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "coppice-analyze-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

describe("analyze: the command", () => {
  it("analyze: a missing file, a directory and an empty file are said to be so and no more; the others are judged, and the code is 1", (t) => {
    const directory = directoryOf(t);
    const [missing, empty, folder] = ["missing.csv", "empty.csv", "folder"].map((name) => join(directory, name));
    assert.ok(missing !== undefined && empty !== undefined && folder !== undefined);
    writeFileSync(empty, "");
    mkdirSync(folder);
    const { status, stdout } = analyze(missing, folder, empty, recorded);
    assert.equal(status, 1);
    const lines = stdout.split("\n");
    assert.deepEqual(lines.slice(0, 3), [
      `${missing}: it cannot be read: no such file or directory`,
      `${folder}: it cannot be read: illegal operation on a directory`,
      `${empty}: the file is empty`,
    ]);
    assert.equal(lines[3], `${recorded}: aging`);
    assert.equal(stdout.match(/regenerated after/g)?.length, 1);
  });

  it("analyze: as JSON each file has its line, a missing one with its problem", (t) => {
    const missing = join(directoryOf(t), "missing.csv");
    const mixed = analyze("--json", missing, recorded);
    assert.equal(mixed.status, 1);
    const [first, second] = mixed.stdout.split("\n").map((line): Record<string, unknown> => (line === "" ? {} : JSON.parse(line)));
    assert.deepEqual([first?.["verdict"], first?.["problems"]], ["insufficient", ["it cannot be read: no such file or directory"]]);
    assert.deepEqual([second?.["verdict"], second?.["problems"]], ["aging", []]);
  });

  it("analyze: - is standard input", () => {
    const { status, stdout } = spawnSync(process.execPath, [cli, "analyze", "--json", "-"], {
      encoding: "utf8",
      input: readFileSync(recorded, "utf8"),
    });
    assert.equal(status, 0);
    assert.deepEqual({ ...JSON.parse(stdout), file: "" }, { ...JSON.parse(analyze("--json", recorded).stdout), file: "" });
  });

  it("analyze: standard input that is not there yet, on a descriptor that does not block, is waited for", {
    timeout: 60_000,
  }, async (t) => {
    const child = spawn(process.execPath, [cli, "analyze", "--json", recorded, "-"], { stdio: ["pipe", "pipe", "inherit"] });
    t.after(() => child.kill());
    let out = "";
    // Its first line is there, and it has turned to its standard input.
    child.stdout.once("data", () => child.stdin.end(readFileSync(recorded, "utf8")));
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
    });
    await once(child, "close");
    const [first, second] = out.split("\n").map((line): Record<string, unknown> => (line === "" ? {} : JSON.parse(line)));
    assert.deepEqual({ ...second, file: recorded }, first);
  });

  it("analyze: a share of the life is a grid of its own for each trace, and a share that is none is refused", (t) => {
    const directory = directoryOf(t);
    const [short, long] = [60_000, 3_600_000].map((rowMs) => {
      const file = join(directory, `${rowMs}.csv`);
      writeFileSync(file, `timeMs,rssBytes\n${Array.from({ length: 401 }, (_, at) => `${at * rowMs},${1_000 + at}`).join("\n")}\n`);
      return file;
    });
    assert.ok(short !== undefined && long !== undefined);
    const { stdout } = analyze("--json", "--forecast-every", "1/200", short, long);
    const forecasts = stdout
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { forecasts: unknown[] }).forecasts.length); // as docs/aging-model.md says
    assert.deepEqual(forecasts, [201, 201]);
    const { status, stderr } = analyze("--forecast-every", "2/1", short);
    assert.notEqual(status, 0);
    assert.match(stderr, /Expected a time such as 10m, or a share of the life such as 1\/200/);
  });

  it("analyze: a grid is a time, a fraction or a percentage of the life; what is none of them, nothing or too much is refused", () => {
    assert.deepEqual(["10m", "1.5h", "1/200", "0.5%", "100%"].map(parseEvery), [
      { ms: 600_000 },
      { ms: 5_400_000 },
      { lifeRatio: 0.005 },
      { lifeRatio: 0.005 },
      { lifeRatio: 1 },
    ]);
    for (const refused of ["2/1", "101%", "0%", "0/5", "1/0", "0s", "1/", "-1/5", "200", "fast", ""])
      assert.throws(() => parseEvery(refused), refused);
  });

  it("analyze: a page that cannot be written is said to be so, and the code is 1", (t) => {
    const directory = directoryOf(t);
    const { status, stderr, stdout } = analyze("--html", join(directory, "nowhere", "page.html"), recorded);
    assert.equal(status, 1);
    assert.match(stderr, /page\.html cannot be written: no such file or directory\n$/);
    assert.match(stdout, /: aging\n/);
    assert.equal(analyze("--html", join(directory, "page.html"), recorded).status, 0);
    assert.match(readFileSync(join(directory, "page.html"), "utf8"), /regenerated, \d/);
  });
});

describe("analyze: the page's file", () => {
  it("analyze: a trace that is named as the page (--html *.csv) is not written over; a page is", (t) => {
    const directory = directoryOf(t);
    const [trace, page] = [join(directory, "a.csv"), join(directory, "page.html")];
    writeFileSync(trace, "timeMs,rssBytes\n1,2\n");
    const { status, stderr } = analyze("--html", trace, recorded);
    assert.equal(status, 1);
    assert.match(stderr, /a\.csv' is invalid\. It is there and is no page: nothing is written over it/);
    assert.equal(readFileSync(trace, "utf8"), "timeMs,rssBytes\n1,2\n");
    writeFileSync(page, "");
    for (const _ of [1, 2]) assert.equal(analyze("--html", page, trace).status, 0);
  });
});

describe("analyze: a reader that goes", () => {
  it("analyze: behind a reader that has gone nothing more is judged, and nothing is wrong", { timeout: 60_000 }, async (t) => {
    const endless = join(directoryOf(t), "endless");
    assert.equal(spawnSync("mkfifo", [endless]).status, 0);
    // Who opens it waits for ever.
    const child = spawn(process.execPath, [cli, "analyze", "--json", ...Array.from({ length: 200 }, () => recorded), endless]);
    t.after(() => child.kill());
    child.stdout.once("data", () => child.stdout.destroy());
    const errors: Buffer[] = [];
    child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
    const [code] = await once(child, "close");
    assert.deepEqual([code, Buffer.concat(errors).toString()], [0, ""]);
  });

  it("analyze: a full disk at its output is said, of its help too, and the code is 1", () => {
    for (const args of [["--json", recorded], ["--help"]]) {
      const full = openSync("/dev/full", "w");
      const { status, stderr } = spawnSync(process.execPath, [cli, "analyze", ...args], {
        encoding: "utf8",
        stdio: ["ignore", full, "pipe"],
      });
      closeSync(full);
      assert.deepEqual([status, stderr], [1, "coppice: standard output cannot be written: ENOSPC: no space left on device, write\n"]);
    }
  });
});

describe("analyze: limits", () => {
  const trace = "# limit nosuch=5\n# limit rssBytes=100\ntimeMs,requestsTotal,rssBytes,openFds\n1,1,2,3\n";

  it("trace: a limit of a column that is not there is a problem, from the file and from the command line, with the name that was meant", () => {
    assert.deepEqual(parseTrace(trace, { rss: 1 }).problems, [
      "there is no column for the limit of nosuch (columns: rssBytes, openFds)",
      "there is no column for the limit of rss; did you mean rssBytes? (columns: rssBytes, openFds)",
    ]);
    assert.deepEqual(parseTrace(trace.replace("# limit nosuch=5\n", ""), { openFds: 1 }).problems, []);
  });

  it("trace: a column that is not judged is said to be none where it has a limit, or where there is nothing else", () => {
    const header = "timeMs,cpuRatio,heapUsedBytes,heapAfterGcBytes";
    const load = "cpuRatio tells of the load, not of age, and is not judged";
    assert.deepEqual(parseTrace(`${header}\n1,.5,3,2\n`, {}).problems, []);
    assert.deepEqual(parseTrace(`${header}\n1,.5,3,2\n`, { cpuRatio: 1, heapUsedBytes: 9 }).problems, [
      load,
      "heapUsedBytes is not judged beside heapAfterGcBytes, which is its floor",
    ]);
    assert.deepEqual(parseTrace("timeMs,cpuRatio\n1,.5\n", {}).problems, [load]);
  });

  it("trace: a limit of the file that is no number above 0 is a problem", () => {
    const { problems, samples } = parseTrace(trace.replace("nosuch=5", "openFds=512M").replace("rssBytes=100", "rssBytes=-1"), {});
    assert.deepEqual(problems, [
      'line 1: the limit of openFds is no number above 0: "512M"',
      'line 2: the limit of rssBytes is no number above 0: "-1"',
    ]);
    assert.deepEqual(samples.at(0)?.limits, {});
  });

  it("trace: a series with labels is a column for the limit of its name", () => {
    const series = (instance: string) => ({ metric: { __name__: "rss", instance }, values: [[1, "5"]] });
    const body = JSON.stringify({ data: { result: [series("a"), series("b")] } });
    assert.deepEqual(parseTrace(body, { rss: 1, "rss{instance=b}": 1 }).problems, []);
    assert.match(parseTrace(body, { rs: 1 }).problems.join(), /did you mean rss\?/);
  });

  it("near name: parts, other letters and two slips are near; another name is not", () => {
    const known = ["heapAfterGcBytes", "rssBytes", "openFds"];
    assert.deepEqual(
      ["rss", "RSSBYTES", "openFsd", "heapAfterGCByte", "nosuch", "ab"].map((name) => nearName(name, known)),
      ["rssBytes", "rssBytes", "openFds", "heapAfterGcBytes", null, null],
    );
    assert.deepEqual(
      ["rssByte", "ss"].map((name) => nearName(name, ["b", "rssAnonBytes", "rssBytes", "sessions"])),
      ["rssBytes", null],
    );
    assert.equal(nearName("timeoutMs", ["killTimeoutMs", "stopTimeoutMs", "drainTimeoutMs"]), null, "two are as near");
  });

  it("trace: what is no text is said to be none, and is not shown", () => {
    assert.deepEqual(parseTrace("PK\u0003\0\0timeMs,rssBytes\n1,2\n", {}).problems, ["it is not UTF-8 text"]);
  });

  it("trace: cells separated by what separates none, and a header with nothing below it, are said to be so and no more", () => {
    assert.deepEqual(parseTrace("# limit rssBytes=5\ntimeMs|rssBytes\n1|2\n3|4\n", {}).problems, [
      "line 2: the header has no column timeMs; it has timeMs|rssBytes",
    ]);
    for (const header of ["timeMs,rssBytes", "timeMs;rssBytes", "timeMs\trssBytes"])
      assert.deepEqual(parseTrace(`${header}\n`, {}).problems, ["there are no rows below the header"]);
  });

  it("trace: times that look like seconds are named; those of a clock that began at 0 are not", () => {
    const rows = (startMs: number) => Array.from({ length: 60 }, (_, row) => `${startMs + row},1`).join("\n");
    assert.match(parseTrace(`timeMs,rssBytes\n${rows(1_700_000_000)}\n`, {}).problems.join(), /look like seconds/);
    assert.deepEqual(parseTrace(`timeMs,rssBytes\n${rows(0)}\n`, {}).problems, []);
    assert.deepEqual(parseTrace(`timeMs,rssBytes\n${rows(1_700_000_000_000)}\n`, {}).problems, []);
  });

  it("trace: Prometheus's own error is told, and a query that found nothing", () => {
    const error = { status: "error", errorType: "bad_data", error: "1:5: parse error" };
    assert.deepEqual(parseTrace(JSON.stringify(error), {}).problems, ["Prometheus answered with an error: 1:5: parse error"]);
    const empty = { status: "success", data: { resultType: "matrix", result: [] } };
    assert.deepEqual(parseTrace(JSON.stringify(empty), {}).problems, ["the range query found no series"]);
  });

  it("trace: times that look like micro- or nanoseconds are named too", () => {
    const rows = Array.from({ length: 60 }, (_, row) => `${1_700_000_000_000_000 + row * 1_000_000},1`).join("\n");
    assert.match(parseTrace(`timeMs,rssBytes\n${rows}\n`, {}).problems.join(), /look like micro- or nanoseconds/);
  });

  it("trace: a quoted name or cell may hold commas and quotes, and moves no other column", () => {
    const text = '"timeMs","queue, ""slow""",rssBytes\n1,2,3\n2,"4","5"\n3,"1,000",6\n';
    const { samples, problems } = parseTrace(text, {});
    assert.deepEqual(
      Array.from(samples, ({ indicators }) => indicators),
      [{ 'queue, "slow"': 2, rssBytes: 3 }, { 'queue, "slow"': 4, rssBytes: 5 }, { rssBytes: 6 }],
    );
    assert.deepEqual(problems, ['left out: 1 cell without a number, the first in line 4 (queue, "slow": "1,000")']);
  });

  it("trace: of two columns of one name the first is taken, and it is said", () => {
    const { samples, problems } = parseTrace("timeMs,rssBytes,rssBytes\n1,2,3\n2,,4\n", {});
    assert.deepEqual(
      Array.from(samples, ({ indicators }) => indicators),
      [{ rssBytes: 2 }, {}],
    );
    assert.deepEqual(problems, ["line 1: there is more than one column rssBytes; the first was taken"]);
  });

  it("trace: a point of Prometheus without a time or a value is none at 1970 or of 0", () => {
    const values = [
      [null, null],
      [1_700_000_000, "5"],
      [1_700_000_060, ""],
      [1_700_000_120, null],
      [1_700_000_180, 6],
    ];
    const histogram = { metric: { __name__: "sizes" }, histograms: [] };
    const result = [histogram, { metric: { __name__: "rssBytes" }, values }];
    const { samples, problems } = parseTrace(JSON.stringify({ status: "success", data: { resultType: "matrix", result } }), {});
    assert.deepEqual(
      Array.from(samples, ({ atMs, indicators }) => [atMs, indicators.rssBytes]),
      [
        [1_700_000_000_000, 5],
        [1_700_000_180_000, 6],
      ],
    );
    assert.deepEqual(problems, ["left out: 3 values without a number"]);
  });

  it("trace: one gap is a gap, two are gaps", () => {
    const gapped = (at: (row: number) => number) =>
      parseTrace(`timeMs,rssBytes\n${Array.from({ length: 60 }, (_, row) => `${at(row)},1`).join("\n")}\n`, {}).problems;
    assert.deepEqual(
      gapped((row) => row * 1_000 + (row > 30 ? 50_000 : 0)),
      ["1 gap without rows, the longest of 51 s"],
    );
    assert.deepEqual(
      gapped((row) => row * 1_000 + (row > 30 ? 50_000 : 0) + (row > 40 ? 90_000 : 0)),
      ["2 gaps without rows, the longest of 91 s"],
    );
  });
});

describe("analyze: the plot", () => {
  it("analyze: the moments of the trend and of the regeneration are marked where they were", () => {
    const { stdout } = analyze(recorded.replace("leak-closure", "leak-timer"));
    const axis = stdout.split("\n").find((line) => line.includes("└")) ?? "";
    assert.match(axis, /└─*t─*R─*$/);
    assert.match(stdout, /t trend held {3}R regeneration/);
    const rows = stdout.split("\n").filter((line) => line.includes("│"));
    assert.ok(rows.filter((row) => row[axis.indexOf("R")] === "┊").length > rows.length / 2, "a rule over the moment of the regeneration");
  });
});
