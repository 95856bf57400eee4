/** Judges one family at a time, for document.ts: several of these share the cores. */
import { baselines } from "./baselines.ts";
import { families } from "./families.ts";
import { generate } from "./generate.ts";
import { judgeByModel } from "./judge.ts";
import { outcomeOf } from "./outcome.ts";
import { unseenFamilies } from "./unseen-families.ts";

export interface Task {
  readonly judge: string;
  readonly family: string;
  readonly seed: number;
  readonly traces: number;
}

process.on("message", ({ judge: name, family: familyName, seed, traces }: Task) => {
  const family = [...families, ...unseenFamilies].find((one) => one.name === familyName);
  const judge = name === "Coppice" ? judgeByModel : baselines[name];
  if (family === undefined || judge === undefined) throw new Error(`unknown: ${name}, ${familyName}`);
  process.send?.(Array.from({ length: traces }, (_, at) => outcomeOf(judge(generate(family, seed + at)))));
});
