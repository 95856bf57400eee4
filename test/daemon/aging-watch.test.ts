/** What the models are given of the traffic: of all forwarders together, whichever spoke last. The instance watched is this process. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AgingWatch, type AgingWatchOptions } from "../../src/daemon/aging-watch.ts";
import type { UpstreamTraffic } from "../../src/model/routes.ts";

const instance = "web-1.1";

function watchOf(rssLimitBytes: () => number | null = () => null, told: Partial<AgingWatchOptions> = {}): AgingWatch {
  const watch = new AgingWatch({
    regenerationMs: () => 0,
    settings: () => ({ horizonMs: 60_000, sampleIntervalMs: 1_000 }),
    rssLimitBytes,
    releaseOf: () => "1",
    onSample: () => {},
    onAging: () => {},
    onHealthy: () => {},
    ...told,
  });
  watch.begin(instance, process.pid, true);
  return watch;
}

function counted(requestsTotal: number, latencyMs?: number): UpstreamTraffic {
  const latencies = latencyMs === undefined ? {} : { latencyP50Ms: latencyMs / 2, latencyP99Ms: latencyMs };
  return { id: instance, total: 0, unsafe: 0, requestsTotal, serverErrorsTotal: 1, resentTotal: 0, failedTotal: 0, ...latencies };
}

test("two forwarders: a node's requests are counted of both, and the count never goes back, not even with a new forwarder", () => {
  const watch = watchOf();
  watch.tick(1_000);
  assert.equal(watch.latest(instance)?.requestsTotal, undefined, "nobody has counted yet");
  const told = [
    ["forwarder-1", 50],
    ["forwarder-2", 40],
    ["forwarder-1", 51],
    ["forwarder-2", 45],
  ] as const;
  const seen = told.map(([forwarder, requestsTotal], at) => {
    watch.forwarderCounted(forwarder, counted(requestsTotal));
    watch.tick(10_000 * at + 10_000);
    return watch.latest(instance)?.requestsTotal;
  });
  assert.deepEqual(seen, [50, 90, 91, 96]);
  watch.forwarderGone("forwarder-2");
  watch.forwarderCounted("forwarder-2", counted(3));
  watch.tick(60_000);
  assert.equal(watch.latest(instance)?.requestsTotal, 99);
  assert.equal(watch.traffic(instance)?.counts.serverErrorsTotal, 3);
});

test("two forwarders: a node's latency is the higher one, of the last second, of those that are there", () => {
  const watch = watchOf();
  const p99 = () => {
    watch.tick(10_000);
    return watch.latest(instance)?.indicators.latencyP99Ms;
  };
  watch.forwarderCounted("forwarder-1", counted(1, 8));
  watch.forwarderCounted("forwarder-2", counted(1, 20));
  assert.equal(p99(), 20);
  watch.forwarderCounted("forwarder-1", counted(2, 9));
  assert.equal(p99(), 20);
  watch.forwarderGone("forwarder-2");
  assert.equal(p99(), 9);
  watch.forwarderCounted("forwarder-1", counted(2));
  assert.equal(p99(), undefined);
});

test("a probe that is silent for a while: its count stands, and is not mixed with the forwarders'", () => {
  const watch = watchOf();
  watch.probeSample(instance, { atMs: 1_000, requestsTotal: 900, indicators: {}, limits: {} });
  watch.forwarderCounted("forwarder-1", counted(10));
  watch.tick(60_000);
  assert.equal(watch.latest(instance)?.atMs, 60_000);
  assert.equal(watch.latest(instance)?.requestsTotal, 900);
});

test("scaled: what a node may have resident is its share now, not the one at the cluster's start", () => {
  let share = 300;
  const watch = watchOf(() => share);
  watch.tick(10_000);
  assert.equal(watch.latest(instance)?.limits.rssBytes, 300);
  share = 900;
  watch.tick(20_000);
  assert.equal(watch.latest(instance)?.limits.rssBytes, 900);
});

test("a heap that V8 ended below its limit: the next of the release goes by where that was, and who was stopped teaches nothing", () => {
  const mebibyte = 1024 * 1024;
  const limitAfter = (floorMiB: number, exit: { code: number | null; signal: string | null }) => {
    const watch = watchOf();
    const probe = (floor: number, second: number) =>
      watch.probeSample(instance, {
        atMs: 1_000 * second,
        requestsTotal: 100 * second,
        heapAfterGcAtMs: 1_000 * second,
        indicators: { heapAfterGcBytes: floor * mebibyte },
        limits: { heapAfterGcBytes: 96 * mebibyte },
      });
    const live = (floor: (second: number) => number) => {
      watch.begin(instance, process.pid, true);
      for (let second = 1; second <= 60; second += 1) probe(floor(second), second);
      return watch.report(instance)?.trends.find(({ indicator }) => indicator === "heapAfterGcBytes")?.limit;
    };
    assert.equal(
      live((second) => 20 + ((floorMiB - 20) * second) / 60),
      96 * mebibyte,
    );
    watch.end(instance, exit);
    return (live((second) => 20 + second / 10) ?? Number.NaN) / mebibyte;
  };
  assert.equal(limitAfter(78, { code: null, signal: "SIGABRT" }), 78);
  assert.equal(limitAfter(78, { code: 134, signal: null }), 78);
  assert.equal(limitAfter(40, { code: null, signal: "SIGABRT" }), 96);
  assert.equal(limitAfter(78, { code: null, signal: "SIGTERM" }), 96);
  assert.equal(limitAfter(78, { code: 1, signal: null }), 96);
});

test("one that was found aging and then settled: that it is healthy is said once, and of one that never was aging never", () => {
  const mebibyte = 1024 * 1024;
  for (const [top, said] of [
    [80, ["aging", "healthy"]],
    [30, []],
  ] as const) {
    const turns: string[] = [];
    const tell = (what: string) => () => {
      if (turns.at(-1) !== what || what === "healthy") turns.push(what);
    };
    const watch = watchOf(() => null, { onAging: tell("aging"), onHealthy: tell("healthy") });
    for (let second = 1; second <= 900; second += 1) {
      const floor = 20 + (top - 20) * Math.min(second / 60, 1) + 0.2 * Math.sin(second);
      watch.probeSample(instance, {
        atMs: 1_000 * second,
        heapAfterGcAtMs: 1_000 * second,
        indicators: { heapAfterGcBytes: floor * mebibyte },
        limits: { heapAfterGcBytes: 96 * mebibyte },
      });
    }
    assert.deepEqual(turns, said, `${top} MiB`);
  }
});

test("another horizon is there for instances that live already: a leak is found when it would have been, had it always been so", () => {
  const foundAtS = (firstMs: number, laterMs: number) => {
    let horizonMs = firstMs;
    let found: number | null = null;
    let second = 0;
    const onAging = () => (found ??= second);
    const watch = watchOf(() => null, { settings: () => ({ horizonMs, sampleIntervalMs: 1_000 }), onAging });
    for (; second <= 10_800; second += 10) {
      if (second === 9_000) horizonMs = laterMs;
      const noise = 2e5 * ((second * 7_919) % 13);
      const indicators = { heapAfterGcBytes: 4e8 + 5.55e4 * second + noise };
      watch.probeSample(instance, {
        atMs: 1_000 * (second + 1),
        requestsTotal: 10 * second,
        indicators,
        limits: { heapAfterGcBytes: 1e9 },
      });
    }
    return found ?? Number.POSITIVE_INFINITY;
  };
  const hourMs = 3_600_000;
  assert.equal(foundAtS(1_000, hourMs), foundAtS(hourMs, hourMs));
  assert.ok(foundAtS(1_000, hourMs) + 300 < foundAtS(1_000, 1_000), "and the horizon matters here");
});
