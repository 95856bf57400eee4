/**
 * What goes on around a leak, for the independent traces: how long the process lives, when it is read, and the load it
 * has. Drawn alike for those that age and those that only look so. Times of a life are shares of it: 1 is its nominal end.
 */
import { Random } from "./random.ts";

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

export interface Moment {
  readonly atMs: number;
  /** Share of the nominal life; goes on beyond 1. */
  readonly share: number;
  /** Share of the nominal life since the moment before. */
  readonly step: number;
  /** Requests a second, relative to the busiest usual hour. */
  readonly rate: number;
  /** Monday 0:00 is 0; 1.5 is Tuesday noon. */
  readonly weekday: number;
}

export interface World {
  readonly random: Random;
  readonly lifeMs: number;
  readonly onset: number;
  readonly moments: readonly Moment[];
  /** The first moment at or after the nominal end of life. */
  readonly end: number;
  readonly meanRate: number;
  /** Shares of life at which the load generator began anew. */
  readonly restarts: readonly number[];
}

export type Load = "constant" | "daily" | "office" | "weekly" | "waves" | "stairs" | "bursts" | "step" | "restarts";

export interface WorldWishes {
  readonly loads?: readonly Load[];
  readonly days?: readonly [number, number];
  readonly onset?: boolean;
}

const usualLoads: readonly Load[] = ["constant", "constant", "daily", "office", "weekly", "waves", "stairs", "bursts"];
const [lifeMsMin, lifeMsMax] = [22 * minuteMs, 12.5 * dayMs];
/** A life may last this much longer than its nominal length before the trace is drawn anew. */
const beyond = 1.12;

export function drawWorld(seed: number, { loads = usualLoads, days, onset }: WorldWishes): World {
  const random = new Random(seed);
  const lifeMs = days === undefined ? random.scaled(lifeMsMin, lifeMsMax) : random.scaled(days[0] * dayMs, days[1] * dayMs);
  const stepMs = random.scaled(Math.max(1_000, lifeMs / 3_500), Math.max(Math.min(5 * minuteMs, lifeMs / 160), lifeMs / 3_500));
  const startDay = random.between(0, 7);
  const restarts = Array.from({ length: 1 + Math.floor(random.between(1, 5)) }, () => random.between(0.1, 0.9)).sort((a, b) => a - b);
  const load = drawLoad(pick(random, loads), random, lifeMs, restarts);
  const jitter = wander(random, random.scaled(0.5 * minuteMs, hourMs) / lifeMs);
  const jitterSize = random.scaled(0.01, 0.2);
  const moments: Moment[] = [];
  for (let atMs = 0, beforeMs = 0; atMs < beyond * lifeMs; atMs += stepMs * random.between(0.97, 1.03)) {
    const [share, step] = [atMs / lifeMs, (atMs - beforeMs) / lifeMs];
    const weekday = (startDay + atMs / dayMs) % 7;
    moments.push({ atMs, share, step, weekday, rate: load(share, weekday) * Math.exp(jitterSize * jitter(step)) });
    beforeMs = atMs;
  }
  const end = moments.findIndex(({ share }) => share >= 1);
  const meanRate = moments.reduce((sum, { rate }) => sum + rate, 0) / moments.length;
  return { random, lifeMs, onset: onset === true ? random.between(0.2, 0.65) : 0, moments, end, meanRate, restarts };
}

type LoadAt = (share: number, weekday: number) => number;

function drawLoad(kind: Load, random: Random, lifeMs: number, restarts: readonly number[]): LoadAt {
  const night = random.between(0.08, 0.5);
  const peak = random.between(0.5, 0.8);
  const weekend = random.between(0.2, 0.7);
  const day = (phase: number) => night + (1 - night) * (0.5 + 0.5 * Math.cos(2 * Math.PI * (phase - peak))) ** 1.5;
  const waves = lifeMs > 3 * dayMs ? lifeMs / dayMs : random.between(6, 14);
  const lifts: Record<Load, () => LoadAt> = {
    constant: () => () => 1,
    daily: () => (_, weekday) => day(weekday % 1),
    weekly: () => (_, weekday) => day(weekday % 1) * (weekday >= 5 ? weekend : 1),
    office: () => (_, weekday) => night / 2 + (isOffice(weekday) ? 1 - night / 2 : 0),
    waves: () => (share) => day((share * waves) % 1),
    stairs: () => held(random, random.between(5, 15), () => random.between(0.15, 1)),
    bursts: () => switched(random, random.between(10, 25), random.between(0.01, 0.04), night),
    step: () => stepped(random.between(0.2, 0.8), random.between(0.3, 0.6)),
    restarts: () => paused(restarts, random.between(0.005, 0.03)),
  };
  return lifts[kind]();
}

export const isOffice = (weekday: number) => weekday < 5 && weekday % 1 > 0.33 && weekday % 1 < 0.75;

const stepped =
  (at: number, before: number): LoadAt =>
  (share) =>
    share < at ? before : 1;

const paused =
  (restarts: readonly number[], length: number): LoadAt =>
  (share) =>
    restarts.some((at) => share < at && share > at - length) ? 0 : 1;

/** A level that is kept for a while and then drawn anew. */
export function held(random: Random, changes: number, draw: () => number): (share: number) => number {
  let [level, until] = [draw(), 0];
  return (share) => {
    while (share > until) {
      level = draw();
      until += exponential(random) / changes;
    }
    return level;
  };
}

/** Calm, and times of 1 between; `times` of them in a life, each of about `length`. */
export function switched(random: Random, times: number, length: number, calm: number): (share: number) => number {
  let [from, to] = [exponential(random) / times, 0];
  to = from + exponential(random) * length;
  return (share) => {
    while (share > to) {
      from = to + exponential(random) / times;
      to = from + (0.3 + 0.7 * exponential(random)) * length;
    }
    return share >= from ? 1 : calm;
  };
}

/** An Ornstein–Uhlenbeck process of unit variance that forgets within `memory`, to be asked in order. */
export function wander(random: Random, memory: number): (step: number) => number {
  let value = random.normal();
  return (step) => {
    const kept = Math.exp(-step / memory);
    value = kept * value + Math.sqrt(1 - kept * kept) * random.normal();
    return value;
  };
}

export const exponential = (random: Random) => -Math.log(1 - random.next());

export function poisson(random: Random, expected: number): number {
  if (expected > 30) return Math.max(0, Math.round(expected + Math.sqrt(expected) * random.normal()));
  let count = 0;
  for (let room = exponential(random); room < expected; room += exponential(random)) count++;
  return count;
}

export function pick<T>(random: Random, choices: readonly T[]): T {
  const choice = choices[Math.floor(random.next() * choices.length)];
  if (choice === undefined) throw new Error("nothing to choose from");
  return choice;
}
