/**
 * What the noise alone leaves of the errors: a forecast that knows the whole course in advance (level, limit, growth, every
 * hour's load and step) and of the noise how large it is, but not how it stands now: what such a forecast errs by is the noise's, but
 * for the little that its last half hour tells of the next.
 */
import type { Family } from "./families.ts";
import { generate } from "./generate.ts";
import { type Judged, lives } from "./judge.ts";

export const knownCourse = "the course known";

/** Ends of the same course under other noise. */
const draws = 25;

export function judgeByKnownCourse(family: Family, seed: number): Judged {
  const trace = generate(family, seed);
  const endMs = trace.exhaustionMs ?? 0;
  const ends = Array.from({ length: draws }, (_, at) => generate(family, seed, at + 1, 0).exhaustionMs ?? Number.POSITIVE_INFINITY);
  ends.sort((a, b) => (a === b ? 0 : a - b));
  const forecasts = lives.map((life) => {
    const later = ends.filter((end) => end > life * endMs);
    const at = (share: number) => (later[Math.floor(share * later.length)] ?? Number.POSITIVE_INFINITY) - life * endMs;
    return { life, trueMs: endMs - life * endMs, said: later.length === 0 ? null : { low: at(0.05), mid: at(0.5), high: at(0.95) } };
  });
  return { trace, decidedAtMs: null, heldAtMs: null, heldMs: 0, forecasts };
}
