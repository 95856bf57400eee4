/** Windows and forbidden times over simulated weeks: leaks are cut before a time in which they may not be, and as late as that allows. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WeekCalendar } from "../../src/model/calendar.ts";
import type { InstanceId } from "../../src/model/node.ts";
import { type AgingReport, earliestEndInMs } from "../../src/model/report.ts";
import type { Settings } from "../../src/model/settings.ts";
import { wornOut } from "../../src/monitor/back-stops.ts";
import { endsInClosing } from "../../src/monitor/closing.ts";
import { seededRandom } from "../../src/sim/random.ts";
import { SimCluster } from "../../src/sim/sim-cluster.ts";
import { simSpec } from "../../src/sim/sim-spec.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayHours = 24;

interface World {
  readonly settings: Partial<Settings>;
  readonly days: number;
  /** What an instance of a node lives. */
  readonly lifeHours: (node: string) => number;
  /** So early is known what comes: hours before the end. */
  readonly knownHours?: number;
}

/** Every simulated minute what the daemon does each second; the simulation begins on a Monday at 0. Forecasts are right within a tenth. */
function live({ settings, days, lifeHours, knownHours = Number.POSITIVE_INFINITY }: World) {
  const spec = simSpec(3, settings);
  const calendar = new WeekCalendar(spec.settings);
  const turns: { readonly node: string; readonly hour: number; readonly lived: number; readonly left: number; readonly why: string }[] = [];
  const clock = (atMs: number) => ({
    day: (1 + Math.floor(atMs / (dayHours * hourMs))) % 7,
    minute: Math.floor(atMs / minuteMs) % (24 * 60),
  });
  const cluster: SimCluster = new SimCluster({
    spec,
    random: seededRandom(1),
    onEvent: (atMs, { kind, node = "", facts }) => {
      if (kind !== "regeneration-admitted") return;
      const record = cluster.state.instances.find((one) => one.node === node && one.availability === "available");
      const lived = (atMs - (record?.availableSinceMs ?? 0)) / hourMs;
      const hour = (atMs / hourMs) % dayHours;
      turns.push({ node, hour, lived, left: lifeHours(node) - lived, why: String(facts["why"]) });
    },
  });
  const endInMs = (instance: InstanceId): number => {
    const record = cluster.state.instances.find(({ id }) => id === instance);
    if (record === undefined) return Number.POSITIVE_INFINITY;
    const leftMs = lifeHours(record.node) * hourMs - (cluster.nowMs - record.availableSinceMs);
    return leftMs > knownHours * hourMs ? Number.POSITIVE_INFINITY : 0.9 * leftMs;
  };
  for (let atMs = minuteMs; atMs < days * dayHours * hourMs; atMs += minuteMs) {
    cluster.run(atMs);
    const now = calendar.at(clock(atMs));
    if (now !== cluster.state.calendar) cluster.tell({ kind: "calendar", calendar: now });
    for (const instance of cluster.serving())
      if (endInMs(instance) < spec.settings.horizonMs) cluster.tell({ kind: "aging", instance, report: aging(endInMs(instance)) });
    const found = endsInClosing({ ...cluster.state, nowMs: atMs }, spec.settings, calendar.closing(clock(atMs)), endInMs);
    if (found !== null) cluster.tell({ kind: "back-stop", ...found });
    const worn = wornOut({ ...cluster.state, nowMs: atMs }, spec.settings, () => null);
    if (worn !== null) cluster.tell({ kind: "back-stop", ...worn });
    for (const { id, availability } of cluster.state.instances)
      if (availability === "available") assert.ok(endInMs(id) > 0, `${id} died in hour ${(atMs / hourMs) % dayHours}`);
  }
  return turns;
}

function aging(lowMs: number): AgingReport {
  const slopePerHour = { low: 1, mid: 1, high: 1 };
  const exhaustionInMs = { low: lowMs, mid: lowMs / 0.9, high: lowMs / 0.8 };
  const trend = {
    indicator: "heapAfterGcBytes" as const,
    floor: 9,
    limit: 10,
    slopePerHour,
    exhaustionInMs,
    exhaustionLikely: true,
    held: true,
  };
  return { atMs: 0, verdict: "aging", trends: [trend], confidenceRatio: 0.999, reasons: ["the heap grows"], against: [] };
}

test("windows: leaks of two to four days are cut in the last window that they reach, and nowhere else", () => {
  const lives: Readonly<Record<string, number>> = { "web-1": 50, "web-2": 70, "web-3": 90 };
  const turns = live({ settings: { maintenanceWindows: ["02:00-05:00"] }, days: 21, lifeHours: (node) => lives[node] ?? 0 });
  assert.ok(turns.length > 15, String(turns.length));
  for (const { node, hour, left, why } of turns) {
    assert.ok(hour > 4.5 && hour < 5, `${node} at ${hour.toFixed(2)}: late in the window`);
    assert.ok(0.9 * left < 24, `${node} had ${left} h left: it would have lived until the next`);
    assert.match(why, /^it may not live until regenerations may begin again \(in 2[12].*\): its end may come in/);
  }
});

test("windows: a leak of ten hours is cut at the last moment outside of them too", () => {
  const turns = live({ settings: { maintenanceWindows: ["02:00-05:00"] }, days: 5, lifeHours: () => 10 });
  assert.ok(turns.some(({ hour }) => hour > 2 && hour < 5));
  assert.ok(turns.some(({ hour, why }) => hour > 5 && /last moment before its end, though it is outside/.test(why)));
});

test("forbidden times: what would end in them goes just before, and only that", () => {
  const turns = live({ settings: { forbiddenTimes: ["09:00-17:00"] }, days: 14, lifeHours: () => 31 });
  assert.ok(turns.length >= 24, String(turns.length));
  for (const { hour, left } of turns) {
    assert.ok(hour < 9 || hour > 17, `at ${hour}`);
    assert.ok(left < 1 || hour > 8.5, `at ${hour.toFixed(2)} with ${left} h left`);
  }
});

test("forbidden times between windows: what is found too late for its window goes outside of it, before they begin", () => {
  const settings = { maintenanceWindows: ["02:00-05:00"], forbiddenTimes: ["09:00-17:00"] };
  const turns = live({ settings, days: 14, lifeHours: () => 36, knownHours: 9 });
  assert.ok(turns.length >= 18, String(turns.length));
  const early = turns.filter(({ hour, left }) => hour > 8.5 && hour < 9 && left > 1);
  assert.ok(early.length > 0);
  for (const { why } of early) assert.match(why, /; at the last moment, though it is outside of the maintenanceWindows$/);
  for (const { hour } of turns) assert.ok(hour < 9 || hour > 17, `at ${hour}`);
});

test("forbidden times: where regenerations are fast and follow each other at once, all nodes go before too", () => {
  const turns = live({ settings: { forbiddenTimes: ["09:00-17:00"], minRegenerationIntervalMs: 0 }, days: 2, lifeHours: () => 12 });
  const first = turns.filter(({ hour }) => hour > 8.9 && hour < 9).slice(0, 3);
  assert.deepEqual(first.map(({ node }) => node).sort(), ["web-1", "web-2", "web-3"]);
});

test("windows and a maximum age: who would exceed it before the next window goes in this one", () => {
  const settings = { maintenanceWindows: ["02:00-05:00"], maxAgeMs: dayHours * hourMs };
  const turns = live({ settings, days: 7, lifeHours: () => Number.POSITIVE_INFINITY });
  assert.equal(turns.length, 3 * 7, turns.map(({ node, hour }) => `${node} ${hour.toFixed(1)}`).join(" "));
  for (const { hour, lived } of turns) assert.ok(hour > 4.5 && hour < 5 && lived <= dayHours, `at ${hour} after ${lived}`);
  assert.match(turns.at(-1)?.why ?? "", /: it may serve for .+ more \(maxAgeMs\)$/);
});

test("windows longer than a maximum age: nobody exceeds it inside of them, though all come to it together", () => {
  const turns = live({
    settings: { maintenanceWindows: ["00:00-24:00"], maxAgeMs: 3 * hourMs },
    days: 1,
    lifeHours: () => Number.POSITIVE_INFINITY,
  });
  assert.equal(turns.length, 3 * 7, turns.map(({ node, hour }) => `${node} ${hour.toFixed(1)}`).join(" "));
  const lookHours = 1 / 60; // a minute, where the daemon looks each second
  for (const { node, hour, lived } of turns) assert.ok(lived > 2.9 && lived <= 3 + lookHours, `${node} at ${hour} after ${lived}`);
});

test("forbidden times longer than any life: each node goes once before them, so late as that is, and not again and again", () => {
  const settings = { forbiddenTimes: ["09:00-17:00"], maxAgeMs: 6 * hourMs };
  const turns = live({ settings, days: 2, lifeHours: () => Number.POSITIVE_INFINITY }).filter(({ hour }) => hour > 8.5 && hour < 9);
  assert.equal(turns.length, 6);
  assert.deepEqual(new Set(turns.slice(0, 3).map(({ node }) => node)).size, 3);
  for (const { why } of turns) assert.match(why, /^it may not live until regenerations may begin again/);
});

test("a calendar that does not close, and trends that nothing holds, put nobody to its turn", () => {
  assert.equal(
    endsInClosing(new SimCluster({ spec: simSpec(1), random: seededRandom(1) }).state, simSpec(1).settings, null, () => 0),
    null,
  );
  const turns = live({ settings: { maintenanceWindows: ["02:00-05:00"] }, days: 3, lifeHours: () => Number.POSITIVE_INFINITY });
  assert.deepEqual(turns, []);
  const report = aging(5);
  const [trend] = report.trends;
  assert.equal(earliestEndInMs(report), 5);
  assert.equal(
    earliestEndInMs({
      trends:
        trend === undefined
          ? []
          : [
              { ...trend, held: false },
              { ...trend, exhaustionInMs: null },
            ],
    }),
    Number.POSITIVE_INFINITY,
  );
});
