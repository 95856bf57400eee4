/**
 * All shapes of growth under one kind of noise; those of one law as close together as the data can tell them apart. A scale's
 * coarse shapes are tried first, then its likelihood is followed to its top by halves: on a clean curve an exponent that
 * is off by a tenth is off by as much in the time that is left. Each shape then stands for what lies nearer to it than to its neighbours.
 */
import type { Candidate } from "./component.ts";
import { type GrowthShape, partsBetween } from "./growth-shapes.ts";

/** A scale whose heaviest shape is lighter than the heaviest of all by more than this is not looked at more closely. */
const logWeightFar = 150;

/** Coarse shapes whose likelihoods differ by less say all that there is to say. */
const logWeightFlat = 1;

export interface Tried {
  readonly candidate: Candidate;
  /** Of the prior of a coarse shape. */
  readonly share: number;
}

export function tryShapes(
  single: readonly GrowthShape[],
  scales: readonly (readonly GrowthShape[])[],
  fit: (shape: GrowthShape) => Candidate,
): Tried[] {
  const alone = single.map((shape) => ({ candidate: fit(shape), share: 1 }));
  const along = scales.map((scale) => scale.map((shape, at) => (at % partsBetween === 0 ? fit(shape) : null)));
  const tops = along.map((tried) => weightAt(tried, topOf(tried)));
  const highest = alone.reduce((most, { candidate }) => Math.max(most, candidate.logWeight), Math.max(...tops));
  for (const [which, tried] of along.entries()) {
    if ((tops[which] ?? 0) > highest - logWeightFar) climb(tried, scales[which] ?? [], fit);
  }
  return [...alone, ...along.flatMap(shared)];
}

/** Its prior weighs by its share. */
export function sharing(candidate: Candidate, share: number): Candidate {
  const { shape, logWeight } = candidate;
  return share === 1 ? candidate : { shape, logWeight: logWeight + Math.log(share), component: (weights) => candidate.component(weights) };
}

type Places = (Candidate | null)[];

function climb(tried: Places, scale: readonly GrowthShape[], fit: (shape: GrowthShape) => Candidate): void {
  const coarse = topOf(tried);
  const beside = [coarse - partsBetween, coarse + partsBetween].filter((at) => at >= 0 && at < tried.length);
  if (beside.every((at) => weightAt(tried, at) > weightAt(tried, coarse) - logWeightFlat)) return;
  for (let step = partsBetween / 2; step >= 1; step /= 2) {
    const top = topOf(tried);
    for (const at of [top - step, top + step]) {
      const shape = scale[at];
      if (shape !== undefined) tried[at] ??= fit(shape);
    }
  }
}

function shared(tried: Places): Tried[] {
  const places = [...tried.keys()].filter((at) => tried[at] !== null);
  return places.flatMap((at, which) => {
    const candidate = tried[at];
    const width = (places[which + 1] ?? at + partsBetween) - (places[which - 1] ?? at - partsBetween);
    const share = width / (2 * partsBetween);
    return candidate == null ? [] : [{ candidate: sharing(candidate, share), share }];
  });
}

function topOf(tried: Places): number {
  return tried.reduce((top, _, at) => (weightAt(tried, at) > weightAt(tried, top) ? at : top), 0);
}

function weightAt(tried: Places, at: number): number {
  return tried[at]?.logWeight ?? Number.NEGATIVE_INFINITY;
}
