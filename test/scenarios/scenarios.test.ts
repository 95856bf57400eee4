/**
 * Scenarios of the lifecycle, as text. A file holds commands (`> `) and, below each, what followed: every
 * event with its time, and who serves. `UPDATE=1` writes the files anew, to be reviewed as a diff.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { changesOf } from "../../src/config/changes.ts";
import { defaultSettings } from "../../src/config/declared.ts";
import type { Trend } from "../../src/model/report.ts";
import type { Settings } from "../../src/model/settings.ts";
import { seededRandom } from "../../src/sim/random.ts";
import { SimCluster, simAt } from "../../src/sim/sim-cluster.ts";
import { simRelease, simSpec } from "../../src/sim/sim-spec.ts";

const directory = new URL(".", import.meta.url);

for (const name of readdirSync(directory).filter((file) => file.endsWith(".txt"))) {
  const text = readFileSync(new URL(name, directory), "utf8");
  test(`scenario: ${text.split("\n")[0]?.replace(/^# /, "")}`, () => {
    const played = play(text);
    if (process.env["UPDATE"] === "1") writeFileSync(new URL(name, directory), played);
    assert.equal(played, text, `${name} differs; UPDATE=1 npm run test:pure writes it anew`);
  });
}

function play(text: string): string {
  const lines: string[] = [];
  let cluster: SimCluster | null = null;
  for (const line of text.split("\n")) {
    if (line.startsWith("#")) lines.push(line);
    if (!line.startsWith("> ")) continue;
    lines.push("", line);
    const [command = "", ...args] = line.slice(2).split(" ");
    if (command === "cluster") cluster = begin(args, lines);
    else {
      assert.ok(cluster !== null, "a scenario begins with > cluster");
      perform(cluster, command, args);
    }
    lines.push(`  serving: ${cluster.serving().join(" ") || "nobody"}`);
    if (cluster.gaveUp.length > 0) lines.push(`  gave up: ${cluster.gaveUp.join(" ").split("\n")[0]}`);
  }
  return `${lines.join("\n")}\n`;
}

function begin(args: readonly string[], lines: string[]): SimCluster {
  const [nodes = "2", ...rest] = args;
  const pairs = rest.filter((one) => one.includes("=")).map((one) => one.split("="));
  const forwarders = Number(pairs.find(([key]) => key === "forwarders")?.[1] ?? 1);
  const settings = Object.fromEntries(
    pairs
      .filter(([key]) => key !== "forwarders" && key !== "new")
      .map(([key, value]) => [key, Number.isNaN(Number(value)) ? value : Number(value)]),
  );
  const cluster = new SimCluster({
    spec: simSpec(Number(nodes), settings as Partial<Settings>, forwarders), // keys as the scenario names them
    random: seededRandom(1),
    onEvent: (atMs, { text: said }) => lines.push(`  ${(atMs / 1_000).toFixed(3)} ${said}`),
  });
  const kind = pairs.find(([key]) => key === "new")?.[1];
  if (kind === "exit" || kind === "hang") cluster.faults.newInstances = kind;
  cluster.run(1_000);
  return cluster;
}

/** At the earliest. */
function exhaustedIn(lowMs: number): Trend {
  const slopePerHour = { low: 1, mid: 1, high: 1 };
  const exhaustionInMs = { low: lowMs, mid: 2 * lowMs, high: 4 * lowMs };
  return { indicator: "heapAfterGcBytes", floor: 1, limit: 2, slopePerHour, exhaustionInMs, exhaustionLikely: true, held: true };
}

function perform(cluster: SimCluster, command: string, args: readonly string[]): void {
  const [first = "", second = ""] = args;
  switch (command) {
    case "run":
      cluster.run(cluster.nowMs + Number(first));
      break;
    case "regenerate":
      cluster.tell({ kind: "regenerate", request: `request-${cluster.nowMs}`, nodes: first === "all" ? "all" : args });
      cluster.run(cluster.nowMs + 1);
      break;
    case "resume":
      cluster.tell({ kind: "resume", nodes: args.length === 0 ? "all" : args });
      cluster.run(cluster.nowMs + 1);
      break;
    case "scale":
      cluster.tell({ kind: "scale", request: `request-${cluster.nowMs}`, nodes: Number(first) });
      cluster.run(cluster.nowMs + 1);
      break;
    case "reload":
      cluster.tell({ kind: "reload", request: `request-${cluster.nowMs}`, release: simRelease(first) });
      cluster.run(cluster.nowMs + 1);
      break;
    case "worse":
      cluster.tell({ kind: "release-worse", instance: first, reason: `${first} is worse` });
      cluster.run(cluster.nowMs + 1);
      break;
    case "aging":
      cluster.tell({
        kind: "aging",
        instance: first,
        report: {
          atMs: cluster.nowMs,
          verdict: "aging",
          indicator: "heapAfterGcBytes",
          trends: second === "" ? [] : [exhaustedIn(Number(second))],
          confidenceRatio: 0.999,
          reasons: ["the heap grows"],
          against: [],
        },
      });
      cluster.run(cluster.nowMs + 1);
      break;
    case "healthy":
      cluster.tell({ kind: "not-aging", instance: first });
      cluster.run(cluster.nowMs + 1);
      break;
    case "back-stop":
      cluster.tell({ kind: "back-stop", instance: first, by: second as "watermark", why: "as the operator set it" }); // or another, as the scenario says
      cluster.run(cluster.nowMs + 1);
      break;
    case "calendar":
      cluster.tell({ kind: "calendar", calendar: first as "open" }); // as above
      cluster.run(cluster.nowMs + 1);
      break;
    case "load":
      cluster.tell({ kind: "load", othersAreFull: first === "high" });
      cluster.run(cluster.nowMs + 1);
      break;
    case "set": {
      const given = Object.fromEntries(args.map((pair) => pair.split("=")));
      cluster.tell({ kind: "settings", changes: changesOf(cluster.state.spec?.settings ?? defaultSettings, given) });
      cluster.run(cluster.nowMs + 1);
      break;
    }
    case "link":
      cluster.tell({ kind: "instance-link", instance: first, up: second === "up" });
      cluster.run(cluster.nowMs + 1);
      break;
    case "keeps-checkpoint":
      cluster.tell({ kind: "instance-keeps-checkpoint", instance: first });
      cluster.run(cluster.nowMs + 1);
      break;
    case "stuck":
      cluster.tell({ kind: "instance-stuck", instance: first, silentMs: 30_000 });
      cluster.run(cluster.nowMs + 1);
      break;
    case "kill":
      cluster.kill(first);
      cluster.run(cluster.nowMs + 1);
      break;
    case "listens":
      cluster.tell({
        kind: "instance-listening",
        instance: first,
        at: { ...simAt, port: Number(second) || simAt.port },
        socketPath: `/${first}-${second}`,
      });
      cluster.run(cluster.nowMs + 1);
      break;
    case "closes":
      cluster.tell({ kind: "instance-listener-closed", instance: first, at: simAt });
      cluster.run(cluster.nowMs + 1);
      break;
    case "monitor":
      if (first === "dies") cluster.killMonitor();
      else cluster.restartMonitor();
      cluster.run(cluster.nowMs + 1);
      break;
    case "host-sleeps":
      cluster.sleepHost(Number(first));
      break;
    case "new-instances":
      cluster.faults.newInstances = first as "listen"; // or exit, or hang: as the scenario says
      break;
    case "forwarder":
      cluster.linkForwarder(first, second === "joins");
      cluster.run(cluster.nowMs + 1);
      break;
    case "silent":
      cluster.faults.silentForwarders = [...args];
      break;
    case "deaf":
      cluster.faults.deafInstances = first === "on";
      break;
    case "replicator":
      cluster.faults.replicatorAway = first === "away";
      break;
    default:
      assert.fail(`no scenario command ${command} ${second}`);
  }
}
