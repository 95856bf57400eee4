/**
 * A generator of labelled traces that shares nothing with generate.ts but the type, written without knowledge of it or of
 * the model: what a sceptic would ask. Start, life, sampling, noise, load, rounding, gaps, clock steps and restarts of
 * the counter are drawn alike for both classes. A look-alike's highest floor is drawn: half of them live at 85–95 % of the limit.
 */
import type { Row, Trace } from "./generate.ts";
import { agingShapes } from "./independent-aging.ts";
import { alikeShapes } from "./independent-alike.ts";
import type { Shape } from "./independent-shape.ts";
import { drawWorld, hourMs, type Moment, minuteMs, pick, poisson, type World, wander } from "./independent-world.ts";
import type { Random } from "./random.ts";

export interface IndependentFamily {
  readonly name: string;
  readonly ages: boolean;
  readonly trace: (seed: number) => Trace;
}

export const independentFamilies: readonly IndependentFamily[] = [
  ...agingShapes.map((shape, at) => ({ name: shape.name, ages: true, trace: (seed: number) => draw(shape, true, seed, at) })),
  ...alikeShapes.map((shape, at) => ({ name: shape.name, ages: false, trace: (seed: number) => draw(shape, false, seed, 500 + at) })),
];

/** A life that does not end in its time, or ends before there is anything to see, is drawn anew. */
const attemptsMax = 200;
const [rowsMin, lifeMsMin] = [120, 15 * minuteMs];

function draw(shape: Shape, ages: boolean, seed: number, at: number): Trace {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const world = drawWorld(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(1_000 * at + attempt + 1, 0x85ebca6b), shape.wishes ?? {});
    const trace = observe(world, shape, ages, seed);
    const last = trace.rows.at(-1)?.atMs ?? 0;
    if (ages === (trace.exhaustionMs !== null) && trace.rows.length >= rowsMin && last >= lifeMsMin) return trace;
  }
  throw new Error(`${shape.name}: no trace with seed ${seed}`);
}

function observe(world: World, shape: Shape, ages: boolean, seed: number): Trace {
  const { random, lifeMs, moments } = world;
  const indicator =
    shape.indicator ?? pick(random, ["heapAfterGcBytes", "heapAfterGcBytes", "heapUsedBytes", "rssBytes", "openFds", "jobsWaiting"]);
  const scale = scaleOf(indicator, random);
  const floors = drawFloors(world, shape, ages, indicator);
  const seen = readings(world, shape, indicator, floors);
  const counted = counter(world, shape);
  const clock = drawClock(random, lifeMs);
  const endShare = ages ? Number.POSITIVE_INFINITY : random.between(0.85, 1.03);
  const isMissing = drawGaps(random);
  const family = { name: shape.name, ages, independent: true };
  const rows: Row[] = [];
  for (const [at, moment] of moments.entries()) {
    const requestsTotal = counted(moment);
    if (moment.share > endShare) break;
    if (isMissing(moment.share)) continue;
    const atMs = Math.round(clock(moment));
    rows.push({ atMs, requestsTotal, value: scale.round((seen[at] ?? 0) * scale.limit) });
    if ((floors[at] ?? 0) < 1) continue;
    return { family, seed, indicator, rows, limit: scale.limit, onsetMs: world.onset * lifeMs, exhaustionMs: atMs };
  }
  return { family, seed, indicator, rows, limit: scale.limit, onsetMs: world.onset * lifeMs, exhaustionMs: null };
}

/** What is held, with its noise, as a share of the limit: teeth and outliers come on top of it. */
function drawFloors(world: World, shape: Shape, ages: boolean, indicator: string): number[] {
  const { random, moments, end, lifeMs } = world;
  const start = random.between(0.05, 0.6);
  const near = random.next() < 0.5;
  const settled = random.between(...(shape.settles ?? (near ? [0.85, 0.95] : [Math.min(start + 0.1, 0.65), 0.85])));
  const inLevel = random.next() < 0.5 ? random.scaled(0.005, 0.06) : 0;
  const noise = drawNoise(random, shape, lifeMs);
  const grow = shape.grow(world);
  const growth = moments.map(grow);
  const whole = ages ? (growth[end] ?? 1) / random.between(1, 1.08) : 1;
  const room = (ages ? 1 : settled) - start;
  let busy = 0;
  const levels = moments.map(({ rate, step }, at) => {
    busy = at === 0 ? rate : busy + (rate - busy) * (1 - Math.exp((-step * lifeMs) / (5 * minuteMs)));
    const level = start + (room * (growth[at] ?? 0)) / whole + inLevel * busy;
    return level + noise(step, level);
  });
  const kept = indicator === "rssBytes" && random.next() < 0.5 ? givenBackLazily(levels, moments, random) : levels;
  const floors = random.next() < 0.3 ? sampledAndHeld(kept, moments, random) : kept;
  const above = ages ? 0 : Math.max(0, floors.reduce((highest, floor) => Math.max(highest, floor), 0) - settled);
  return floors.map((floor) => Math.max(floor - above, 0.01));
}

function drawNoise(random: Random, shape: Shape, lifeMs: number): (step: number, level: number) => number {
  const [from, to] = shape.noise ?? [0.0005, 0.02];
  const size = random.scaled(from, to);
  const usual = random.scaled(0.2 * minuteMs, Math.min(2 * hourMs, lifeMs / 20)) / lifeMs;
  const slow = wander(random, shape.memory === undefined ? usual : random.between(...shape.memory));
  const remembered = shape.memory === undefined ? pick(random, [0, 0.5, 0.9, 1]) : 1;
  const [isRelative, isSkewed] = [random.next() < 0.3, random.next() < 0.25];
  return (step, level) => {
    const white = random.normal();
    const both = remembered * slow(step) + Math.sqrt(1 - remembered * remembered) * (isSkewed ? Math.abs(white) * 1.6 - 0.8 : white);
    return size * both * (isRelative ? level : 1);
  };
}

function givenBackLazily(levels: readonly number[], moments: readonly Moment[], random: Random): number[] {
  const lag = random.scaled(0.005, 0.05);
  let resident = 0;
  return levels.map((level, at) => {
    resident = level > resident ? level : resident + (level - resident) * (1 - Math.exp(-(moments[at]?.step ?? 0) / lag));
    return resident;
  });
}

/** The floor is known at major collections only, and these are rare. */
function sampledAndHeld(levels: readonly number[], moments: readonly Moment[], random: Random): number[] {
  const every = random.scaled(0.001, 0.02);
  let [level, due] = [0, 0];
  return levels.map((fresh, at) => {
    const share = moments[at]?.share ?? 0;
    if (share < due) return level;
    due = share + every * random.between(0.5, 1.5);
    level = fresh;
    return level;
  });
}

/** What is read: teeth that come faster and lower as the floor nears the limit, now and then an outlier, never one that meets the limit. */
function readings({ random, moments }: World, shape: Shape, indicator: string, floors: readonly number[]): number[] {
  const height = indicator === "heapUsedBytes" ? random.scaled(...(shape.teeth ?? [0.02, 0.25])) : 0;
  const period = random.scaled(0.0008, 0.03);
  const outliers = random.next() < 0.3 ? random.scaled(0.0005, 0.004) : 0;
  let phase = random.next();
  return floors.map((floor, at) => {
    const room = Math.max(0.985 - floor, 0);
    const tooth = Math.min(height, room);
    const collections = (moments[at]?.step ?? 0) / (period * Math.max(tooth / Math.max(height, 1e-9), 0.02));
    phase = (phase + collections * (0.3 + 0.7 * (moments[at]?.rate ?? 1))) % 1;
    const outlier = random.next() < outliers ? Math.min(random.between(0.03, 0.25), room * random.between(0.5, 1)) : 0;
    return floor + Math.max(tooth * phase, outlier);
  });
}

function scaleOf(indicator: string, random: Random): { limit: number; round: (value: number) => number } {
  if (indicator === "openFds") return { limit: pick(random, [1_024, 4_096, 65_536]), round: Math.floor };
  if (indicator === "jobsWaiting") {
    return { limit: Math.round(random.scaled(200, 100_000)), round: random.next() < 0.5 ? Math.floor : (value) => value };
  }
  const page = pick(random, [1, 4_096, 4_096, 1_048_576, 8_388_608]);
  return { limit: 1_048_576 * 2 ** Math.floor(random.between(8, 14)), round: (value) => page * Math.floor(value / page) };
}

/** Work done so far: sometimes unknown, sometimes counted anew from a restart on. */
function counter({ random, lifeMs, restarts }: World, { wishes }: Shape): (moment: Moment) => number {
  const rateMax = random.next() < 0.85 || wishes?.loads !== undefined ? random.scaled(2, 2_000) : 0;
  const isRestarted = random.next() < 0.2 || wishes?.loads?.includes("restarts") === true;
  let [total, begun] = [0, 0];
  return ({ share, step, rate }) => {
    const due = isRestarted ? restarts.filter((at) => at < share).length : 0;
    if (due > begun) [total, begun] = [0, due];
    total += poisson(random, (rateMax * rate * step * lifeMs) / 1_000);
    return total;
  };
}

function drawClock(random: Random, lifeMs: number): (moment: Moment) => number {
  if (random.next() > 0.12) return ({ atMs }) => atMs;
  const [at, stepMs] = [random.between(0.1, 0.9), random.between(-0.3, 1) * Math.min(5 * minuteMs, 0.01 * lifeMs)];
  return ({ atMs, share }) => (share > at ? atMs + stepMs : atMs);
}

/** Readings that fail now and then, and whole gaps; none in the last tenth, where nobody could be in time. */
function drawGaps(random: Random): (share: number) => boolean {
  const failing = random.next() < 0.4 ? random.scaled(0.002, 0.05) : 0;
  const gaps = random.next() < 0.35 ? Array.from({ length: Math.ceil(random.between(0, 4)) }, () => random.between(0.05, 0.84)) : [];
  const lengths = gaps.map(() => random.between(0.005, 0.06));
  return (share) => (random.next() < failing && share > 0) || gaps.some((from, at) => share > from && share < from + (lengths[at] ?? 0));
}
