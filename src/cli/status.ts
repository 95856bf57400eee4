/** `coppice status`: the nodes at one glance, or all of it as JSON. */
import { adminRoutes, type ClusterStatus, type NodeStatus } from "../model/admin.ts";
import { describeMemory } from "../model/memory.ts";
import { callAdmin } from "./admin-client.ts";
import { duration, quantity, said, table } from "./format.ts";
import { findCluster } from "./home.ts";
import type { Register } from "./main.ts";

export const registerStatus: Register = (program) => {
  program
    .command("status")
    .summary("the nodes: state, age, what is in flight, what the aging model says")
    .description("Shows the nodes of a running cluster: state, age, what is in flight, and what the aging model says.")
    .option("--name <name>", "the cluster's name; not needed if only one runs")
    .option("--json", "everything, as JSON")
    .action(async (options: { name?: string; json?: true }) => {
      const { paths } = findCluster(options.name);
      const status = await callAdmin<ClusterStatus>(paths, adminRoutes.status);
      process.stdout.write(
        options.json === true ? `${JSON.stringify(status, null, 2)}\n` : describeStatus(status, Date.now(), process.stdout.columns),
      );
    });
};

/** These go, in this order, where a terminal is too narrow for all. */
const columnsLeftOut = ["PID", "GEN", "REQUESTS", "RSS", "IN FLIGHT", "P99", "HEAP", "AGE"];

/**
 * For people. Of a monitor that an older Coppice started, too: what that does not tell is not there.
 * @param columns of the terminal; 0: of one that nobody has told its size.
 */
export function describeStatus(status: ClusterStatus, nowMs: number, columns = Number.POSITIVE_INFINITY): string {
  const where = status.listeners.map(({ address, port }) => `${address ?? "*"}:${port}`).join(", ");
  const rows = status.nodes.map((node) => rowOf(node, nowMs));
  const lines = [
    `${status.name}: ${where === "" ? "not listening yet" : `listening on ${where}`}`,
    "",
    ...tableWithin(columns || Number.POSITIVE_INFINITY, [
      ["NODE", "GEN", "STATE", "PID", "AGE", "IN FLIGHT", "REQUESTS", "P99", "HEAP", "RSS", "AGING"],
      ...rows,
    ]),
    "",
    `regenerations: ${status.regenerations.succeeded} succeeded, ${status.regenerations.failed} failed; sessions: ${status.replicator.sessions ?? "?"}`,
  ];
  if (status.forwarders.length !== 1) lines.push(`forwarders: ${status.forwarders.map(describeForwarder).join(", ") || "none"}`);
  if (status.memory !== null) lines.push(describeMemory(status.memory, status.nodes.length));
  const held = heldBy(status);
  if (held !== null) lines.push(`automatic regenerations: ${held}`);
  if (status.halted !== null) lines.push(`automatic regenerations are halted: ${status.halted}`);
  for (const node of status.nodes) {
    if (node.reason !== null) lines.push(`${node.name}: ${said(node.reason)}`);
    if (node.waits != null) lines.push(`${node.name} is to be regenerated, and waits: ${node.waits}`);
    if (node.quarantine != null) lines.push(`${node.name} is in quarantine: ${node.quarantine}`);
    if (node.report?.verdict === "aging" || node.report?.verdict === "attention")
      lines.push(`${node.name}: ${node.report.reasons.join("; ")}`);
  }
  const advice = status.notices.filter(({ level }) => level === "advice");
  if (advice.length > 0)
    lines.push("", "to mend in the application (docs/start-up-check.md):", ...advice.map(({ code, text }) => `  ${code}: ${said(text)}`));
  return `${lines.join("\n")}\n`;
}

function tableWithin(columns: number, rows: readonly (readonly string[])[]): string[] {
  let shown = rows;
  for (const name of columnsLeftOut) {
    const lines = table(shown);
    if (lines.every((line) => line.length <= columns)) return lines;
    const at = shown[0]?.indexOf(name) ?? -1;
    shown = shown.map((row) => row.filter((_, column) => column !== at));
  }
  return table(shown);
}

/** What holds back those of all nodes; null where nothing does. */
function heldBy({ mode, calendar }: Partial<ClusterStatus>): string | null {
  if (mode === "observe") return "none; events and status say what would be (mode observe)";
  if (calendar === "forbidden") return "none at this time (forbiddenTimes)";
  if (mode === "supervised") return "when they are told: coppice regenerate NODE (mode supervised)";
  return calendar === "outside" ? "only just before a node's end, until the next of the maintenanceWindows" : null;
}

function describeForwarder({ id, pid, connections, parked, stalledTotal }: ClusterStatus["forwarders"][number]): string {
  const stalled = stalledTotal > 0 ? `, ${stalledTotal} closed because their clients took no answer` : "";
  return `${id} (pid ${pid}, ${connections} connections${stalled}${parked > 0 ? `, ${parked} requests parked` : ""})`;
}

function rowOf(node: NodeStatus, nowMs: number): string[] {
  return [
    node.name,
    String(node.generation),
    node.phase === null ? node.state : `${node.state} (${node.phase})`,
    String(node.pid ?? "-"),
    node.startedAtMs === null ? "-" : duration(Math.max(nowMs - node.startedAtMs, 0)),
    String(node.inFlight),
    String(node.requestsTotal),
    latency(node.latencyP99Ms),
    quantity("heapUsedBytes", node.indicators["heapUsedBytes"]),
    quantity("rssBytes", node.indicators["rssBytes"]),
    node.report?.verdict ?? "-",
  ];
}

/** Of the last second. */
function latency(ms: number | null): string {
  return ms === null ? "-" : ms < 10 ? `${ms.toFixed(1)} ms` : duration(ms);
}
