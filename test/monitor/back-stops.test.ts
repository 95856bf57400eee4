/** Maximum age and maximum requests: nobody exceeds them, and nodes that were started together do not go together. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Settings } from "../../src/model/settings.ts";
import { leftUntilTurn, wornOut } from "../../src/monitor/back-stops.ts";
import { Watermarks } from "../../src/monitor/watermarks.ts";
import { seededRandom } from "../../src/sim/random.ts";
import { SimCluster } from "../../src/sim/sim-cluster.ts";
import { simSpec } from "../../src/sim/sim-spec.ts";

const hourMs = 3_600_000;

test("back-stops: whoever goes when the turn has come, nobody ever has less than nothing left, and turns are an equal share apart", () => {
  const whole = 1_000;
  const left = fc.array(fc.integer({ min: 0, max: whole }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(left, (given) => {
      const apart = whole / given.length;
      // Where they may already be late, nothing can be asked of the first turns.
      fc.pre(leftUntilTurn(given, whole) >= 0);
      let nodes = [...given];
      for (let turn = 0; turn < 3 * given.length; turn += 1) {
        const wait = leftUntilTurn(nodes, whole);
        assert.ok(wait >= -1e-6 && (turn === 0 || wait >= apart - 1e-6), `turn ${turn} after ${wait}`);
        nodes = nodes.map((one) => one - wait);
        assert.ok(Math.min(...nodes) >= -1e-6);
        nodes[nodes.indexOf(Math.min(...nodes))] = whole;
      }
      const sorted = nodes.sort((a, b) => a - b);
      for (const [at, one] of sorted.entries()) assert.ok(Math.abs(one - (at + 1) * apart) < 1e-6, `evenly: ${sorted.join(" ")}`);
    }),
  );
});

/** Every simulated minute what the daemon does each second. */
function live(more: Partial<Settings>, nodes: number, untilMs: number, requestsPerHour: (node: string) => number) {
  const spec = simSpec(nodes, more);
  const turns: { readonly node: string; readonly atHours: number; readonly why: string }[] = [];
  const said: string[] = [];
  const cluster = new SimCluster({
    spec,
    random: seededRandom(1),
    onEvent: (atMs, { kind, node = "", facts, text }) => {
      said.push(text);
      if (kind === "regeneration-admitted") turns.push({ node, atHours: Math.round(atMs / hourMs), why: String(facts["why"]) });
    },
  });
  const requestsOf = (id: string) => {
    const record = cluster.state.instances.find((one) => one.id === id);
    return record === undefined ? null : Math.floor(((cluster.nowMs - record.availableSinceMs) / hourMs) * requestsPerHour(record.node));
  };
  for (let atMs = 60_000; atMs < untilMs; atMs += 60_000) {
    cluster.run(atMs);
    const found = wornOut({ ...cluster.state, nowMs: atMs }, spec.settings, requestsOf);
    if (found !== null) cluster.tell({ kind: "back-stop", ...found });
    for (const { availableSinceMs } of cluster.state.instances)
      if (spec.settings.maxAgeMs > 0 && spec.settings.mode === "automatic")
        assert.ok(atMs - availableSinceMs <= spec.settings.maxAgeMs + 120_000, `${(atMs - availableSinceMs) / hourMs} h`);
  }
  return { cluster, turns, said };
}

test("maximum age: three nodes started together go eight hours apart, from the first round on", () => {
  const { turns } = live({ maxAgeMs: 24 * hourMs }, 3, 60 * hourMs, () => 0);
  assert.deepEqual(
    turns.map(({ node, atHours }) => `${node} ${atHours}`),
    ["web-1 8", "web-2 16", "web-3 24", "web-1 32", "web-2 40", "web-3 48", "web-1 56"],
  );
  assert.equal(turns[0]?.why, "it is its turn: it has served for 8 h, and none is to serve for longer than 24 h (maxAgeMs)");
});

test("maximum requests: the one that serves most goes most often, and each before it has served as many", () => {
  const { turns } = live({ maxRequests: 10_000 }, 2, 30 * hourMs, (node) => (node === "web-1" ? 2_000 : 1_000));
  const served = turns.map(({ why }) => Number(/served (\d+) requests/.exec(why)?.[1]));
  assert.ok(
    served.every((requests) => requests <= 10_100),
    served.join(" "),
  );
  const of = (name: string) => turns.filter(({ node }) => node === name).length;
  assert.ok(of("web-1") > of("web-2") && of("web-2") > 0, turns.map(({ node }) => node).join(" "));
});

test("maximum age: none set, nobody goes; mode observe says it once and does nothing", () => {
  assert.deepEqual(live({}, 2, 10 * hourMs, () => 1_000).turns, []);
  const { cluster, turns, said } = live({ maxAgeMs: hourMs, mode: "observe" }, 1, 3 * hourMs, () => 0);
  assert.deepEqual(turns, []);
  assert.deepEqual(cluster.serving(), ["web-1.1"]);
  assert.deepEqual(
    said.filter((text) => /observe/.test(text)),
    ["web-1.1 would be regenerated now, since it is its turn (maxAgeMs) (mode observe)"],
  );
});

test("watermarks: one reading decides nothing, ten seconds above do, and a fall begins anew", () => {
  const marks = new Watermarks(["rssBytes:1048576", "openFds:100"]);
  const read = (second: number, rssBytes: number, openFds = 5) =>
    marks.add("web-1.1", { atMs: second * 1_000, indicators: { rssBytes, openFds } });
  assert.equal(read(0, 9e9), null);
  assert.equal(read(9, 9e9), null);
  assert.equal(read(10, 9e9), "rssBytes has stayed above its watermark of 1 MiB for 10 s");
  assert.equal(read(11, 1_048_576), null, "at it is not above it");
  assert.equal(read(12, 9e9), null);
  assert.equal(read(40, 5, 101), null);
  assert.equal(read(60, 5, 101), null, "two readings are few, however far apart");
  assert.match(read(61, 5, 101) ?? "", /openFds/);
  assert.equal(read(20, 5, 101), null, "the clock was set back: counted anew");
  assert.equal(read(25, 5, 101), null);
  assert.match(read(30, 5, 101) ?? "", /openFds/);
  marks.end("web-1.1");
  assert.equal(read(90, 5, 101), null);
  assert.equal(new Watermarks([]).add("web-1.1", { atMs: 1, indicators: { rssBytes: 1 } }), null);
});

test("watermarks: of two of one indicator, the one that is below says nothing of the one that is above", () => {
  for (const levels of [
    ["rssBytes:1048576", "rssBytes:9437184"],
    ["rssBytes:9437184", "rssBytes:1048576"],
  ]) {
    const marks = new Watermarks(levels);
    const said = [0, 5, 10].map((second) => marks.add("web-1.1", { atMs: second * 1_000, indicators: { rssBytes: 5e6 } }));
    assert.deepEqual(said, [null, null, "rssBytes has stayed above its watermark of 1 MiB for 10 s"]);
  }
});
