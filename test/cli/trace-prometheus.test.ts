/** Counters, and series of one name, in the answer of a Prometheus range query. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { analyzeFile, jsonOf } from "../../src/cli/analyze.ts";
import { describeAnalysis } from "../../src/cli/analyze-text.ts";
import { parseTrace, readTraces } from "../../src/cli/trace-file.ts";

describe("trace: Prometheus's answer", () => {
  const series = (name: string, values: readonly (number | null)[], labels: Readonly<Record<string, string>> = {}) => ({
    metric: { __name__: name, ...labels },
    values: values.flatMap((value, at) => (value === null ? [] : [[at * 15, `${value}`]])),
  });
  const answer = (...result: readonly unknown[]) => JSON.stringify({ status: "success", data: { resultType: "matrix", result } });

  it("trace: a counter in Prometheus's answer is no indicator; the requests, of all routes, are the work done", () => {
    const text = answer(
      series("process_resident_memory_bytes", [5, 4, 5, 4]),
      series("process_cpu_seconds_total", [1, 2, 0.1, 0.2]),
      series("nodejs_active_handles_total", [7, 8, 9, 10]),
      series("http_requests_total", [10, 20, 1, 5], { route: "/" }),
      series("http_requests_total", [null, 3, null, 2], { route: "/late" }),
    );
    const { samples, problems } = parseTrace(text, {});
    assert.deepEqual(
      Array.from(samples, ({ requestsTotal, indicators }) => [requestsTotal, Object.keys(indicators)]),
      [10, 23, 1, 7].map((requests) => [requests, ["process_resident_memory_bytes", "nodejs_active_handles_total"]]),
    );
    assert.deepEqual(problems, [
      "http_requests_total was taken for the work done (requestsTotal)",
      "not judged, since it only counts: process_cpu_seconds_total (a limit for a counter has it judged as a gauge)",
      "nodejs_active_handles_total looks like a counter and was taken for a gauge, where more is worse; the work done is requestsTotal",
    ]);
  });

  it("trace: what a process may have of descriptors, and a container of memory, is its limit, unless one was given or there is none", () => {
    const of = (instance: string, max: number) => [
      series("process_open_fds", [5, 6], { instance }),
      series("process_max_fds", [max, max], { instance }),
    ];
    const memory = ["a", "b"].flatMap((container) => [
      series("container_memory_working_set_bytes", [7, 8], { instance: "x", container }),
      series("container_spec_memory_limit_bytes", [container === "a" ? 90 : 0, 90], { instance: "x", container }),
    ]);
    const text = answer(...of("x", 1_024), ...of("y", 512), ...memory);
    const seen = (limits: Readonly<Record<string, number>>) =>
      readTraces([text], limits).map(({ samples }) => [
        Object.keys(samples.at(0)?.indicators ?? {}),
        samples.at(0)?.limits.process_open_fds,
      ]);
    const [first] = readTraces([text], {});
    const memoryOfA = "container_memory_working_set_bytes{container=a}";
    const memoryOfB = "container_memory_working_set_bytes{container=b}";
    assert.deepEqual(seen({}), [
      [["process_open_fds", memoryOfA, memoryOfB, "container_spec_memory_limit_bytes"], 1_024],
      [["process_open_fds"], 512],
    ]);
    assert.deepEqual([first?.samples.at(0)?.limits[memoryOfA], first?.samples.at(0)?.limits[memoryOfB]], [90, undefined]);
    assert.deepEqual(first?.problems, [
      "process_max_fds was taken for the limit of process_open_fds",
      "container_spec_memory_limit_bytes was taken for the limit of container_memory_working_set_bytes",
    ]);
    assert.deepEqual(
      seen({ process_open_fds: 9 }).map(([, limit]) => limit),
      [9, 9],
    );
  });

  it("trace: a counter with a limit is judged", () => {
    const { samples } = parseTrace(answer(series("errors_total", [1, 2, 3])), { errors_total: 100 });
    assert.deepEqual(
      Array.from(samples, ({ indicators }) => indicators),
      [1, 2, 3].map((value) => ({ errors_total: value })),
    );
  });

  it("trace: a level that is called a total, and goes down by less than half, is a gauge", () => {
    const { samples } = parseTrace(answer(series("sessions_total", [4, 5, 4, 6])), {});
    assert.deepEqual(samples.at(3)?.indicators, { sessions_total: 6 });
  });

  it("trace: series of one name go by the labels in which they differ, whichever of them has those", () => {
    const ofGroup = { job: "web", group: "a" };
    const text = answer(
      series("rss", [1], { job: "web", zone: "a" }),
      series("rss", [2], { job: "web", zone: "b" }),
      series("fds", [3], ofGroup),
      series("heap", [4], ofGroup),
      series("heap", [5], { job: "web" }),
    );
    assert.deepEqual(parseTrace(text, {}).samples.at(0)?.indicators, {
      "rss{zone=a}": 1,
      "rss{zone=b}": 2,
      fds: 3,
      "heap{group=a}": 4,
      heap: 5,
    });
  });

  it("trace: of several instances each is a trace of its own, with its own names, work, start and limits", () => {
    const text = answer(
      series("heapAfterGcBytes", [5, 4, 5], { instance: "a" }),
      series("heapAfterGcBytes", [null, 7, 8], { instance: "b" }),
      series("http_requests_total", [10, 20, 30], { instance: "a", route: "/" }),
      series("http_requests_total", [1, 2, 3], { instance: "a", route: "/b" }),
      series("process_start_time_seconds", [2, 2, 30], { instance: "b" }),
      series("errors_total", [1, 2, 3], { instance: "b" }),
    );
    const traces = readTraces([text], { heapAfterGcBytes: 100, "heapAfterGcBytes{instance=b}": 50, errors_total: 9 });
    const rows = traces.map(({ instance, samples }) => [
      instance,
      ...Array.from(samples, ({ atMs, indicators, requestsTotal, startedAtMs, limits }) => ({
        ...{ atMs, ...indicators },
        ...{ work: requestsTotal, startedAtMs, limit: limits.heapAfterGcBytes },
      })),
    ]);
    assert.deepEqual(rows, [
      [
        "a",
        { atMs: 0, heapAfterGcBytes: 5, work: 11, startedAtMs: undefined, limit: 100 },
        { atMs: 15_000, heapAfterGcBytes: 4, work: 22, startedAtMs: undefined, limit: 100 },
        { atMs: 30_000, heapAfterGcBytes: 5, work: 33, startedAtMs: undefined, limit: 100 },
      ],
      [
        "b",
        { atMs: 0, errors_total: 1, work: undefined, startedAtMs: 2_000, limit: 50 },
        { atMs: 15_000, heapAfterGcBytes: 7, errors_total: 2, work: undefined, startedAtMs: 2_000, limit: 50 },
        { atMs: 30_000, heapAfterGcBytes: 8, errors_total: 3, work: undefined, startedAtMs: 30_000, limit: 50 },
      ],
    ]);
    assert.deepEqual(
      traces.map(({ problems }) => problems.join()),
      [
        "http_requests_total was taken for the work done (requestsTotal)",
        "errors_total looks like a counter and was taken for a gauge, where more is worse; the work done is requestsTotal",
      ],
    );
  });

  it("trace: a pod is one process, whoever was asked about it; what names no process beside several is a trace of its own", () => {
    const pod = { namespace: "shop", pod: "web-0" };
    const text = answer(
      series("container_memory_working_set_bytes", [1], { ...pod, instance: "node:10250" }),
      series("nodejs_heap_size_used_bytes", [2], { ...pod, instance: "10.0.0.5:9464" }),
      series("nodejs_heap_size_used_bytes", [3], { namespace: "shop", pod: "web-1", instance: "10.0.0.6:9464" }),
      series("queue_length", [4]),
    );
    assert.deepEqual(
      readTraces([text], {}).map(({ instance, samples }) => [instance, samples.at(0)?.indicators]),
      [
        ["shop/web-0", { container_memory_working_set_bytes: 1, nodejs_heap_size_used_bytes: 2 }],
        ["shop/web-1", { nodejs_heap_size_used_bytes: 3 }],
        [null, { queue_length: 4 }],
      ],
    );
  });

  it("analyze: of several instances one ages: the file's line is that one's, and names it", (t) => {
    const heap = (slope: number) => Array.from({ length: 700 }, (_, at) => 100e6 + slope * at + ((at * 7919) % 1_000) * 1e3);
    const text = answer(series("rss", heap(0), { instance: "a" }), series("rss", heap(14e4), { instance: "b" }));
    const file = join(mkdtempSync(join(tmpdir(), "coppice-analyze-")), "answer.json");
    t.after(() => rmSync(dirname(file), { recursive: true }));
    writeFileSync(file, text);
    const analyses = [...analyzeFile(file, { limit: { rss: 200e6 }, horizon: 1_800_000 })];
    const { verdict, instance, indicator, agingAtMs, instances = [] } = jsonOf(analyses);
    assert.deepEqual([verdict, instance, indicator], ["aging", "b", "rss"]);
    assert.ok(agingAtMs !== null);
    assert.deepEqual(
      instances.map((one) => [one.instance, one.verdict, one.agingAtMs]),
      [
        ["a", "healthy", null],
        ["b", "aging", agingAtMs],
      ],
    );
    assert.match(analyses.map((one) => describeAnalysis(one)).join(""), /answer\.json, a: healthy\n[\s\S]*answer\.json, b: aging\n/);
  });
});
