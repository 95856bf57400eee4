/** Counters, and series of one name, in the answer of a Prometheus range query. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseTrace } from "../../src/cli/trace-file.ts";

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

  it("trace: a counter with a limit is judged; the requests of several instances are nobody's work", () => {
    const text = answer(
      series("errors_total", [1, 2, 3]),
      series("http_requests_total", [1, 2, 3], { instance: "a" }),
      series("http_requests_total", [1, 2, 3], { instance: "b" }),
    );
    const { samples, problems } = parseTrace(text, { errors_total: 100 });
    assert.deepEqual(
      Array.from(samples, ({ requestsTotal, indicators }) => [requestsTotal, indicators]),
      [1, 2, 3].map((value) => [undefined, { errors_total: value }]),
    );
    assert.match(problems.join(), /only counts: http_requests_total/);
  });

  it("trace: a level that is called a total, and goes down by less than half, is a gauge", () => {
    const { samples } = parseTrace(answer(series("sessions_total", [4, 5, 4, 6])), {});
    assert.deepEqual(samples.at(3)?.indicators, { sessions_total: 6 });
  });

  it("trace: series of one name go by the labels in which they differ, whichever of them has those", () => {
    const ofGroup = { job: "web", group: "a" };
    const text = answer(
      series("rss", [1], { job: "web", instance: "a" }),
      series("rss", [2], { job: "web", instance: "b" }),
      series("fds", [3], ofGroup),
      series("heap", [4], ofGroup),
      series("heap", [5], { job: "web" }),
    );
    assert.deepEqual(parseTrace(text, {}).samples.at(0)?.indicators, {
      "rss{instance=a}": 1,
      "rss{instance=b}": 2,
      fds: 3,
      "heap{group=a}": 4,
      heap: 5,
    });
  });
});
