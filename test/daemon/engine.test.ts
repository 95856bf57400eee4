/** What the engine keeps while the disk takes nothing. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Engine } from "../../src/daemon/engine.ts";
import { Journal } from "../../src/daemon/journal.ts";
import type { MonitorState } from "../../src/monitor/state.ts";
import { simSpec } from "../../src/sim/sim-spec.ts";

test("engine: what is said again while it stands does not wait for a disk that takes nothing; all else does", async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-engine-"));
  const path = join(directory, "later", "journal.jsonl");
  const engine = new Engine(new Journal<MonitorState>(path), () => {});
  engine.accept({ kind: "cluster-started", spec: simSpec(1) });
  for (let tick = 0; tick < 100; tick += 1) {
    engine.accept({ kind: "calendar", calendar: "outside" });
    engine.accept({ kind: "load", othersAreFull: true });
    engine.accept({ kind: "instance-stuck", instance: "web-1.1", silentMs: 30_000 });
  }
  engine.accept({ kind: "resume", nodes: "all" });
  assert.equal(engine.state.spec, null);
  mkdirSync(join(directory, "later"));
  engine.accept({ kind: "affinity-cookie", name: "sid" });
  while (engine.state.learnedCookies.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  const kinds = lines.map((line) => (JSON.parse(line) as { input: { kind: string } }).input.kind); // the journal's own
  engine.stop();
  // Its own clock may ring as soon as it has begun.
  assert.deepEqual(
    kinds.filter((kind) => kind !== "woken"),
    ["cluster-started", "resume", "affinity-cookie"],
  );
  rmSync(directory, { recursive: true });
});
