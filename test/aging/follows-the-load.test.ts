/** What rises because the load does: a gauge that follows it is no leak, in its first hours too. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AgingModel } from "../../src/aging/model.ts";
import { minuteMs, normals } from "./traces.ts";

/** Three hours of a morning, a row each half minute, the load up by `rises`; the limit is a twentieth above the last readings. */
function lifeOf({ rises, leaks, seed }: { rises: number; leaks: number; seed: number }): number | null {
  const normal = normals(seed);
  const model = new AgingModel({ horizonMs: 30 * minuteMs });
  const rows = 360;
  const limit = 1_050 * (1 + rises + leaks);
  let requestsTotal = 0;
  for (let at = 0; at < rows; at += 1) {
    const load = (1 + (rises * at) / rows) * (1 + 0.03 * Math.sin(at / 7) + 0.02 * normal());
    requestsTotal += Math.round(600 * load);
    const openFds = Math.round(1_000 * (load + (leaks * at) / rows) + 3 * normal());
    model.add({ atMs: 1_000_000 + at * (minuteMs / 2), requestsTotal, indicators: { openFds }, limits: { openFds: limit } });
    if (model.report(1_000_000 + at * (minuteMs / 2)).verdict === "aging") return at / rows;
  }
  return null;
}

describe("what follows the load", () => {
  it("aging model: open connections that rise with the load by a quarter within hours are not regenerated", () => {
    for (const seed of [1, 2]) assert.equal(lifeOf({ rises: 0.25, leaks: 0, seed }), null, `seed ${seed}`);
  });

  it("aging model: a leak beside the same load is", () => {
    for (const seed of [1, 2]) assert.ok(lifeOf({ rises: 0.25, leaks: 2, seed }) !== null, `seed ${seed}`);
  });
});
