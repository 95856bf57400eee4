/** One life with more room: who is given it, and that it tells a cache that settles from a leak without anybody dying of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AgingModel } from "../../src/aging/model.ts";
import { PeerGroup } from "../../src/aging/peers.ts";
import { heapLimit, instanceShare, type MemoryBudget, residentLimit, shareOut, youngBytesMax } from "../../src/model/memory.ts";
import type { AgingReport } from "../../src/model/report.ts";
import { moreRoomBytes } from "../../src/monitor/more-room.ts";
import { seededRandom } from "../../src/sim/random.ts";
import { SimCluster } from "../../src/sim/sim-cluster.ts";
import { simRelease, simSpec } from "../../src/sim/sim-spec.ts";
import { mebibyte, minuteMs, samplesOf } from "../aging/traces.ts";

const gibibyte = 1024 * mebibyte;

function report(limit: number, indicator = "heapAfterGcBytes", level = 0.9): AgingReport {
  const slopePerHour = { low: 1, mid: 1, high: 1 };
  const trend = { indicator, floor: level * limit, limit, slopePerHour, exhaustionInMs: null, exhaustionLikely: true, held: true };
  return { atMs: 0, verdict: "aging", indicator, trends: [trend], confidenceRatio: 1, reasons: ["the heap grows"], against: [] };
}

function clusterOf(memory: MemoryBudget | null, nodes = 2): SimCluster {
  const spec = {
    ...simSpec(nodes, { minRegenerationIntervalMs: 0 }),
    memory,
    regenerate: memory?.surge === 0 ? ("in-place" as const) : ("replace" as const),
  };
  const cluster = new SimCluster({ spec, random: seededRandom(1) });
  cluster.run(600_000);
  return cluster;
}

/** A life of each node in turn, as often; the limits of the instances that came. */
function regenerate(cluster: SimCluster, times: number, aging: AgingReport): (number | null)[] {
  return Array.from({ length: times }, (_, at) => {
    const { name, instance } = cluster.state.nodes[at % cluster.state.nodes.length] ?? assert.fail();
    cluster.tell({ kind: "aging", instance: instance ?? assert.fail(), report: aging });
    cluster.run(cluster.nowMs + 600_000);
    const now = cluster.state.nodes.find((node) => node.name === name)?.instance;
    assert.notEqual(now, instance);
    return cluster.instances.get(now ?? "")?.heapLimitBytes ?? null;
  });
}

const memory = shareOut(4 * gibibyte, { nodes: 2, forwarders: 1, regenerate: "auto" });
const usual = heapLimit(memory, 2);
/** As V8 has it: in whole MiB, with the young generation. */
const told = (heap: number) => Math.floor(heap / mebibyte) * mebibyte + youngBytesMax(heap);

test("more room: after three lives that met the memory they were given, one instance has a fifth more, once a release", () => {
  const cluster = clusterOf(memory);
  const roomy = usual + moreRoomBytes(memory, 2);
  assert.ok(Math.abs(roomy - 1.2 * usual) < 2);
  assert.deepEqual(regenerate(cluster, 6, report(told(usual))), [usual, usual, roomy, usual, usual, usual]);
  // Resident memory is told its share.
  cluster.tell({ kind: "reload", request: "deploy", release: simRelease("2") });
  cluster.run(cluster.nowMs + 600_000);
  assert.deepEqual(regenerate(cluster, 4, report(residentLimit(memory, 2), "rssBytes")), [usual, usual, roomy, usual]);
  // That of a server that is not Node is the share itself.
  cluster.tell({ kind: "reload", request: "next", release: simRelease("3") });
  cluster.run(cluster.nowMs + 600_000);
  assert.deepEqual(regenerate(cluster, 3, report(instanceShare(memory, 2), "rssBytes")), [usual, usual, roomy]);
});

test("more room: not for another indicator, what fills in minutes, a limit of the server's own, one below which a life ended, nor where there is no room", () => {
  const never = (cluster: SimCluster, aging: AgingReport, heap: number | null) =>
    assert.deepEqual(
      regenerate(cluster, 5, aging),
      Array.from({ length: 5 }, () => heap),
    );
  never(clusterOf(memory), report(told(usual), "rssBytes"), usual);
  never(clusterOf(memory), report(told(usual), "heapAfterGcBytes", 0.75), usual);
  never(clusterOf(memory), report(256 * mebibyte), usual);
  never(clusterOf(memory), report(0.8 * usual), usual);
  never(clusterOf(null), report(usual), null);
  const one = shareOut(gibibyte, { nodes: 1, forwarders: 1, regenerate: "auto" });
  assert.ok(moreRoomBytes(one, 1) > one.reserveBytes);
  never(clusterOf(one, 1), report(told(heapLimit(one, 1))), heapLimit(one, 1));
  const inPlace = shareOut(4 * gibibyte, { nodes: 2, forwarders: 1, regenerate: "in-place" });
  never(clusterOf(inPlace), report(told(heapLimit(inPlace, 2))), heapLimit(inPlace, 2));
});

/** A day at most, until it is decided or meets its limit: shares of the usual limit by the hour. */
function live(group: PeerGroup, floor: (hours: number) => number, { seed, room = 1 }: { seed: number; room?: number }) {
  const limit = 512 * mebibyte;
  const member = group.join();
  const model = new AgingModel({ horizonMs: 30 * minuteMs, peers: member });
  const shape = { rows: 1_440, rowMs: minuteMs, noise: 0.005 * limit, seed, floor: (share: number) => floor(24 * share) * limit };
  let end: "decided" | "died" | "lived" = "lived";
  for (const sample of samplesOf({ ...shape, limit: room * limit })) {
    model.add(sample);
    if ((sample.indicators.heapAfterGcBytes ?? 0) >= room * limit) end = "died";
    else if (model.report(sample.atMs).verdict === "aging") end = "decided";
    if (end !== "lived") break;
  }
  group.leave(member);
  return end;
}

test("more room: a cache that settles at nine tenths is decided in each life, lives with more room, and its peers are let live then", () => {
  for (const fillHours of [0.75, 1.5, 2.9]) {
    const fills = (hours: number) => 0.15 + 0.75 * Math.min(hours / fillHours, 1);
    const group = new PeerGroup();
    const lives = (...seeds: number[]) => seeds.map((seed) => live(group, fills, { seed }));
    assert.deepEqual(lives(1, 2, 3), ["decided", "decided", "decided"], `${fillHours} h`);
    assert.equal(live(group, fills, { seed: 4, room: 1.2 }), "lived");
    assert.deepEqual(lives(5, 6), ["lived", "lived"]);
  }
});

test("more room: a leak is decided before its end with more room as without, and after it", () => {
  for (const endHours of [1, 3, 12]) {
    const leaks = (hours: number) => 0.15 + (0.85 * hours) / endHours;
    const group = new PeerGroup();
    const ends = [1, 1, 1, 1.2, 1, 1].map((room, seed) => live(group, leaks, { seed: seed + 1, room }));
    assert.deepEqual(
      ends,
      Array.from({ length: 6 }, () => "decided"),
      `${endHours} h`,
    );
  }
});
