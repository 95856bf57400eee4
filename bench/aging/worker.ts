/** Judges one family at a time, for document.ts: several of these share the cores. */
import { baselines } from "./baselines.ts";
import { calmFamilies } from "./calm-families.ts";
import { families } from "./families.ts";
import { generate, type Trace } from "./generate.ts";
import { independentFamilies } from "./independent.ts";
import { judgeByModel, leads } from "./judge.ts";
import { outcomeOf } from "./outcome.ts";
import { unseenFamilies } from "./unseen-families.ts";

export interface Task {
  readonly judge: string;
  readonly family: string;
  readonly seed: number;
  readonly traces: number;
}

const tracesOf = new Map<string, (seed: number) => Trace>([
  ...[...families, ...unseenFamilies, ...calmFamilies].map((family) => [family.name, (seed: number) => generate(family, seed)] as const),
  ...independentFamilies.map(({ name, trace }) => [name, trace] as const),
]);

process.on("message", ({ judge: name, family: familyName, seed, traces }: Task) => {
  const trace = tracesOf.get(familyName);
  const lead = leads.get(name);
  const judge = name === "Coppice" || lead !== undefined ? (one: Trace) => judgeByModel(one, lead) : baselines[name];
  if (trace === undefined || judge === undefined) throw new Error(`unknown: ${name}, ${familyName}`);
  process.send?.(Array.from({ length: traces }, (_, at) => outcomeOf(judge(trace(seed + at)))));
});
