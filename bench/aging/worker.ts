/** Judges one family at a time, for document.ts: several of these share the cores. */
import { baselines } from "./baselines.ts";
import { calmFamilies } from "./calm-families.ts";
import { type Family, families } from "./families.ts";
import { generate, type Trace } from "./generate.ts";
import { independentFamilies } from "./independent.ts";
import { type Judged, judgeAfter, judgeByModel, leads, secondLives } from "./judge.ts";
import { judgeByKnownCourse, knownCourse } from "./known-course.ts";
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

/** Of two lives of one release the second, as if it were the first, and after the first. */
function secondLife(judge: string, family: Family, seed: number): Judged {
  const trace = generate(family, seed, 2);
  return judge === "after another" ? judgeAfter(generate(family, seed, 1), trace) : judgeByModel(trace);
}

process.on("message", ({ judge: name, family: familyName, seed, traces }: Task) => {
  const trace = tracesOf.get(familyName);
  const lead = leads.get(name);
  const judge = name === "Coppice" || lead !== undefined ? (one: Trace) => judgeByModel(one, lead) : baselines[name];
  const family = [...families, ...unseenFamilies].find((one) => one.name === familyName);
  const judged = (at: number) => {
    if (family !== undefined && name === knownCourse) return judgeByKnownCourse(family, at);
    if (family !== undefined && (secondLives as readonly string[]).includes(name)) return secondLife(name, family, at);
    return trace === undefined ? undefined : judge?.(trace(at));
  };
  process.send?.(
    Array.from({ length: traces }, (_, at) => {
      const one = judged(seed + at);
      if (one === undefined) throw new Error(`unknown: ${name}, ${familyName}`);
      return outcomeOf(one);
    }),
  );
});
