/**
 * The mixture: every shape of growth under the plain noise, then the best shapes under every noise, and growth
 * whose slope wanders; weighed by likelihood and prior (Bayesian model averaging; Hoeting et al. 1999). A
 * component tells where its mean goes and how unsure it is of that; what it means is left to forecast.ts.
 */
import { ClockColumns } from "./clock-columns.ts";
import { columnOf } from "./columns.ts";
import type { Candidate, Component } from "./component.ts";
import { type GrowthShape, growthShapes, stepShapes } from "./growth-shapes.ts";
import { noiseKernels } from "./noise-kernel.ts";
import { Regressions } from "./regressions.ts";
import { sharing, tryShapes } from "./scale-search.ts";
import type { ScaledLife } from "./scaled-life.ts";
import { wander } from "./slope-walk.ts";
import { stairsOf } from "./stairs.ts";

const shapesKept = 8;
/**
 * Shapes are never exactly true, and the posterior is surer of the least wrong one than its forecasts deserve. For
 * forecasts the likelihood is taken to this power (safe Bayes; Grünwald & van Ommen 2017); 1 would be the posterior itself.
 */
const temper = 0.4;
/** Overload is looked at from this share of the work on. */
const overloadMin = 0.005;
/** What is lighter than this share of the heaviest, in the forecast, is left out. */
const logWeightMin = Math.log(0.02);
const byTimeAlone = ({ needsWork }: GrowthShape) => !needsWork;
const timeShapes = {
  single: growthShapes.single.filter(byTimeAlone),
  scales: growthShapes.scales.filter((scale) => scale.every(byTimeAlone)),
};
const [plain, ...otherNoises] = noiseKernels;

/** Normalised weights, the heaviest first. */
export function mixtureOf(life: ScaledLife): Component[] {
  if (plain === undefined) return [];
  const { single: known, scales } = life.usesWork ? growthShapes : timeShapes;
  const single = known.filter((shape) => hasRun(shape, life) && !(life.stepTakesBack && stepShapes.includes(shape)));
  const columns = new ClockColumns(life);
  const underPlain = new Regressions(life, columns, plain);
  const tried = tryShapes(single, scales, (shape) => underPlain.fit(shape)).sort((a, b) => heaviest(a.candidate, b.candidate));
  const first = tried.map(({ candidate }) => candidate);
  // No server holds less the more it has to do: what falls with the load is something else.
  if (life.usesLoad && loadEffectOf(first[0]) < 0) return mixtureOf({ ...life, usesLoad: false });
  if (life.mayUseLoad && first[0] !== undefined && isExplainedByLoad(first[0].shape, life, columns)) {
    return mixtureOf({ ...life, usesLoad: true, mayUseLoad: false });
  }
  const kept = tried.slice(0, shapesKept);
  for (const ends of [false, true]) {
    const must = tried.find(({ candidate }) => candidate.shape.ends === ends);
    if (must !== undefined && !kept.includes(must)) kept.push(must);
  }
  const all = [...first];
  for (const kernel of otherNoises) {
    const regressions = new Regressions(life, columns, kernel);
    for (const { candidate, share } of kept) all.push(sharing(regressions.fit(candidate.shape), share));
  }
  for (const shape of single) {
    if (shape.name === "in time" || shape.name === "with the requests") all.push(...wander(life, columns, shape));
  }
  all.push(...stairsOf(life));
  const highest = all.reduce((max, candidate) => Math.max(max, tempered(candidate)), Number.NEGATIVE_INFINITY);
  const heavy = all.filter((candidate) => tempered(candidate) - highest > logWeightMin).sort(heaviest);
  const weights = sharesOf(heavy, tempered);
  const probabilities = sharesOf(heavy, ({ logWeight }) => logWeight);
  return heavy.map((candidate, at) => candidate.component({ weight: weights[at] ?? 0, probability: probabilities[at] ?? 0 }));
}

function tempered({ logWeight, logOdds = 0 }: Candidate): number {
  return temper * (logWeight - logOdds) + logOdds;
}

/** By their logarithms, of all together. */
function sharesOf(candidates: readonly Candidate[], logOf: (candidate: Candidate) => number): Float64Array {
  const logs = columnOf(candidates, logOf);
  const highest = logs.reduce((max, log) => Math.max(max, log), Number.NEGATIVE_INFINITY);
  const relative = columnOf(logs, (log) => Math.exp(log - highest));
  const total = relative.reduce((sum, share) => sum + share, 0);
  return columnOf(relative, (share) => share / total);
}

/** A clock that stands still explains nothing, and would be charged for nothing. */
function hasRun({ overload: which }: GrowthShape, { overload, work }: ScaledLife): boolean {
  return which === undefined || (overload[which] ?? 0) > overloadMin * work;
}

/** A load that varies little is believed to move the level where that explains more than the freedom of one slope costs. */
function isExplainedByLoad(shape: GrowthShape, life: ScaledLife, columns: ClockColumns): boolean {
  if (plain === undefined) return false;
  const without = new Regressions(life, columns, plain).fit(shape);
  return new Regressions({ ...life, usesLoad: true }, columns, plain).fit(shape).logWeight > without.logWeight;
}

function loadEffectOf(candidate: Candidate | undefined): number {
  return candidate?.component({ weight: 1, probability: 1 }).loadEffect ?? 0;
}

function heaviest(a: Candidate, b: Candidate): number {
  return b.logWeight - a.logWeight;
}
