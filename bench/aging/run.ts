/**
 * The aging benchmark: `node bench/aging/run.ts [--traces 30] [--seed 1] [--family linear] [--independent] [--verbose]`.
 * Prints a table by family; `bench/aging/document.ts` writes docs/aging-benchmark.md from the same numbers.
 */
import { parseArgs } from "node:util";
import { calmFamilies } from "./calm-families.ts";
import { families } from "./families.ts";
import { generate } from "./generate.ts";
import { independentFamilies } from "./independent.ts";
import { judgeByModel } from "./judge.ts";
import { outcomeOf } from "./outcome.ts";
import { score } from "./score.ts";
import { unseenFamilies } from "./unseen-families.ts";

const { values } = parseArgs({
  options: {
    traces: { type: "string", default: "30" },
    seed: { type: "string", default: "1" },
    family: { type: "string" },
    independent: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});
const percent = (x: number) => (Number.isNaN(x) ? "-" : (100 * x).toFixed(1)).padStart(6);

process.stdout.write(`${"family".padEnd(40)} inTime  waste usedP5 issued errP50 errP90  cover  width heldTm heldP50 heldP95 decided\n`);
const earlier = [...families, ...unseenFamilies, ...calmFamilies].map((family) => ({
  ...family,
  trace: (seed: number) => generate(family, seed),
}));
for (const family of values.independent ? independentFamilies : [...earlier, ...independentFamilies]) {
  if (values.family !== undefined && !family.name.includes(values.family)) continue;
  const judged = Array.from({ length: Number(values.traces) }, (_, at) => judgeByModel(family.trace(Number(values.seed) + at)));
  const s = score(judged.map(outcomeOf));
  const cells = family.ages
    ? [
        s.inTime,
        s.wasteMean,
        s.lifeUsedP5,
        s.issued,
        s.errorMedian,
        s.errorP90,
        s.coverage,
        s.width,
        Number.NaN,
        s.heldAtMedian,
        s.heldAtP95,
      ]
    : [...Array.from({ length: 8 }, () => Number.NaN), s.heldShare, Number.NaN, Number.NaN];
  process.stdout.write(`${family.name.padEnd(40)}${cells.map(percent).join(" ")}  ${s.decided}/${s.traces}\n`);
  if (!values.verbose) continue;
  for (const { trace, decidedAtMs, heldAtMs } of judged) {
    const end = trace.exhaustionMs ?? trace.rows.at(-1)?.atMs ?? 0;
    const share = (ms: number | null) => (ms === null ? "never" : (ms / end).toFixed(3));
    process.stdout.write(`  seed ${trace.seed} hours ${(end / 3.6e6).toFixed(1)} held ${share(heldAtMs)} decided ${share(decidedAtMs)}\n`);
  }
}
