/** What `coppice status` says of a monitor that an older Coppice started: the package may be newer than the cluster that runs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeStatus } from "../../src/cli/status.ts";
import type { ClusterStatus } from "../../src/model/admin.ts";

/** As version 0.1.0 first told it: without `waits` and `quarantine`. */
const node = {
  name: "web-1",
  generation: 1,
  release: "1",
  state: "ready",
  phase: null,
  instance: "web-1.1",
  pid: 100,
  startedAtMs: 0,
  restarts: 0,
  reason: null,
  inFlight: 0,
  requestsTotal: 0,
  serverErrorsTotal: 0,
  resentTotal: 0,
  failedTotal: 0,
  latencyP50Ms: null,
  latencyP99Ms: null,
  report: null,
  indicators: {},
};
const status = {
  name: "t",
  forwarders: [{ id: "forwarder-1", pid: 1, parked: 0, connections: 0, stalledTotal: 0 }],
  replicator: { pid: 2, sessions: 0, conflictsTotal: 0 },
  listeners: [{ address: null, port: 3000 }],
  memory: null,
  halted: null,
  regenerations: { succeeded: 0, failed: 0 },
  notices: [],
};

test("status: what an older monitor does not tell is not made up", () => {
  const old = { ...status, nodes: [node] } as unknown as ClusterStatus; // an older one's
  assert.doesNotMatch(describeStatus(old, 1_000), /undefined|waits|quarantine|automatic/);
  const asked = { ...status, nodes: [{ ...node, waits: "its turn", quarantine: "it helps too little" }] } as unknown as ClusterStatus; // what is shown of one
  assert.match(
    describeStatus(asked, 1_000),
    /^web-1 is to be regenerated, and waits: its turn\nweb-1 is in quarantine: it helps too little$/m,
  );
});

test("status: what holds back automatic regenerations of all nodes is said, and nothing where nothing does", () => {
  const said = (more: Partial<ClusterStatus>) => {
    const shown = { ...status, nodes: [node], mode: "automatic", calendar: "open", ...more } as unknown as ClusterStatus; // what is shown of one
    return /^automatic regenerations: (.*)$/m.exec(describeStatus(shown, 1_000))?.[1];
  };
  assert.equal(said({}), undefined);
  assert.equal(said({ mode: "observe" }), "none; events and status say what would be (mode observe)");
  assert.equal(said({ mode: "supervised" }), "when they are told: coppice regenerate NODE (mode supervised)");
  assert.equal(said({ mode: "supervised", calendar: "forbidden" }), "none at this time (forbiddenTimes)");
  assert.equal(said({ calendar: "outside" }), "only just before a node's end, until the next of the maintenanceWindows");
});

test("status: what an application said moves no cursor, and no line of it looks like one of ours", () => {
  const reason = "it ended with code 1 (Error: \u001b]0;title\u0007\u009b2J\tno\nweb-2: all is well)";
  const notices = [{ level: "advice", code: "only-one", text: "a node cannot start (\r\u001b[1A): look" }];
  const shown = { ...status, nodes: [{ ...node, state: "failed", reason }], notices } as unknown as ClusterStatus; // what is shown of one
  const lines = describeStatus(shown, 1_000).split("\n");
  assert.ok(lines.includes("web-1: it ended with code 1 (Error: \uFFFD]0;title\uFFFD\uFFFD2J no"));
  assert.ok(lines.includes("    web-2: all is well)"));
  assert.ok(lines.includes("  only-one: a node cannot start (\uFFFD\uFFFD[1A): look"));
});

test("status: in a narrow terminal columns are left out, so that no row is broken; name, state and verdict stay", () => {
  const shown = { ...status, nodes: [{ ...node, phase: "probation", startedAtMs: 0 }] } as unknown as ClusterStatus; // what is shown of one
  const headerOf = (columns?: number) => describeStatus(shown, 1_000, columns).split("\n")[2] ?? "";
  const rowsOf = (columns: number) => describeStatus(shown, 1_000, columns).split("\n").slice(2, 4);
  assert.match(headerOf(), /GEN.*PID.*IN FLIGHT/);
  assert.doesNotMatch(headerOf(80), /PID/);
  assert.match(headerOf(80), /^NODE .*IN FLIGHT .*P99 .*RSS .*AGING$/);
  assert.match(headerOf(40), /^NODE +STATE .*AGING$/);
  assert.equal(headerOf(0), headerOf()); // a terminal that nobody has told its size
  for (const columns of [80, 40]) for (const row of rowsOf(columns)) assert.ok(row.length <= columns, row);
});

test("status: a clock that was set back makes nobody younger than just born", () => {
  const shown = { ...status, nodes: [{ ...node, startedAtMs: 3_600_000 }] } as unknown as ClusterStatus; // what is shown of one
  assert.match(describeStatus(shown, 1_000), /^web-1 +1 +ready +100 +0 ms /m);
});
