/**
 * Recordings from the field that do not age, as far as anyone knows: `node bench/aging/field.ts FOLDER [--windows 6] [--room 1.2] [--seed 7]`.
 * FOLDER holds tables that `coppice analyze` reads, with one value, such as those of the Numenta Anomaly Benchmark (load, latency and network
 * of real machines; its anomalies are no aging). Of each, pieces of 200 to 1,500 rows are judged as lives of their own, with a limit above the
 * highest reading of the piece.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { replay } from "../../src/aging/replay.ts";
import { parseTrace } from "../../src/cli/trace-file.ts";
import { horizonMs } from "./judge.ts";
import { Random } from "./random.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { windows: { type: "string", default: "6" }, room: { type: "string", default: "1.2" }, seed: { type: "string", default: "7" } },
});
const [folder] = positionals;
if (folder === undefined) throw new Error("a folder of recordings is needed: node bench/aging/field.ts FOLDER");
const random = new Random(Number(values.seed));
let lives = 0;
let decided = 0;
let attention = 0;
for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" }).toSorted()) {
  if (!path.endsWith(".csv")) continue;
  const rows = Array.from(parseTrace(readFileSync(join(folder, path), "utf8"), {}).samples, ({ atMs, indicators }) => ({
    atMs,
    indicators,
  }));
  for (let window = 0; window < Number(values.windows); window += 1) {
    const length = Math.min(Math.round(random.between(200, 1_500)), rows.length);
    const from = Math.floor(random.between(0, rows.length - length));
    const piece = rows.slice(from, from + length);
    const [indicator] = Object.keys(piece[0]?.indicators ?? {});
    const highest = Math.max(...piece.map(({ indicators }) => indicators[indicator ?? ""] ?? 0));
    if (indicator === undefined || highest <= 0) continue;
    const limits = { [indicator]: highest * Number(values.room) };
    const { agingAtMs, attentionMs } = replay(
      piece.map((row) => ({ ...row, limits })),
      { horizonMs, forecastEveryMs: null },
    );
    lives += 1;
    if (agingAtMs !== null) decided += 1;
    const share = attentionMs / Math.max((piece.at(-1)?.atMs ?? 0) - (piece[0]?.atMs ?? 0), 1);
    attention += share;
    if (agingAtMs !== null || share > 0.1)
      process.stdout.write(
        `${path} from row ${from}, ${length} rows: ${agingAtMs === null ? "" : "regenerated, "}attention ${(100 * share).toFixed(1)} %\n`,
      );
  }
}
process.stdout.write(
  `${lives} lives, ${decided} regenerated, in attention ${((100 * attention) / Math.max(lives, 1)).toFixed(2)} % of the time\n`,
);
