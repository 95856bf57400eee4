/** `npm run sim -- --seed N [--kills]`: one simulated run, told as a story. */
import { parseArgs } from "node:util";
import { simulate } from "./simulate.ts";

const { values } = parseArgs({ options: { seed: { type: "string", default: "1" }, kills: { type: "boolean", default: false } } });
simulate(Number(values.seed), { kills: values.kills, say: (text) => process.stdout.write(`${text}\n`) });
