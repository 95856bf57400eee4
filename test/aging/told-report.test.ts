import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { AgingModel } from "../../src/aging/model.ts";
import type { AgingReport } from "../../src/model/report.ts";
import { mebibyte, samplesOf } from "./traces.ts";

describe("a report", () => {
  it("that was read keeps the model of its instance no longer: events hold reports for weeks", async () => {
    const reports: AgingReport[] = [];
    const model = readReport(reports);
    assert.notEqual(reports[0]?.reasons.length, 0);
    setFlagsFromString("--expose-gc");
    const collect: unknown = runInNewContext("gc");
    setFlagsFromString("--no-expose-gc");
    await nextTurn(); // until then it is kept for who made the reference
    if (typeof collect === "function") collect();
    assert.equal(model.deref(), undefined);
    assert.equal(reports[0]?.trends.length, 1);
  });
});

/** The model is in no scope of who calls. */
function readReport(reports: AgingReport[]): WeakRef<AgingModel> {
  const model = new AgingModel({ horizonMs: 1_800_000 });
  const day = { rows: 1_200, rowMs: 72_000, limit: 512 * mebibyte, noise: 3 * mebibyte };
  let lastMs = 0;
  for (const sample of samplesOf({ ...day, floor: (share) => (100 + 412 * share) * mebibyte })) {
    model.add(sample);
    lastMs = sample.atMs;
  }
  reports.push(model.report(lastMs));
  return new WeakRef(model);
}
