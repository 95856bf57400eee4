/**
 * Families of traces. Each draws its growth as a share of the room between base and limit, a function of the
 * share of life and of the load; the generator adds what both classes have alike: noise, load, gaps, restarts
 * of the load, lazy collections. Families marked `unseen` had shapes without a clock of the model when they were first judged.
 */
import type { Random } from "./random.ts";

/** The state of the world at one row. */
export interface Moment {
  /** Share of the trace, 0..1. */
  readonly life: number;
  /** Share of the trace's requests, 0..1. */
  readonly work: number;
  /** Request rate relative to the mean. */
  readonly load: number;
  /** What the last row's growth was. */
  readonly before: number;
  /** Length of a row, share of the trace. */
  readonly step: number;
}

export interface Family {
  readonly name: string;
  readonly ages: boolean;
  readonly unseen?: boolean;
  /** With little noise. */
  readonly calm?: boolean;
  /** Noise of the level as a share of the limit, from and to. */
  readonly noise?: readonly [number, number];
  readonly daily?: boolean;
  /** Now and then a row lies far from where it should. */
  readonly tails?: boolean;
  /** Rows of the whole trace and hours, from and to. */
  readonly rows?: readonly [number, number];
  readonly hours?: readonly [number, number];
  readonly counts?: boolean;
  /** Above it: the settled level, as a share of the limit (look-alikes). */
  readonly settles?: readonly [number, number];
  /** Growth 0..1 of the room (aging: 1 at the end), or of the way to the settled level. */
  readonly draw: (random: Random) => (moment: Moment) => number;
  /** Onset as a share of life; 0 unless the growth says otherwise. */
  readonly onset?: readonly [number, number];
  /** It grows with a load that may be long in coming: the onset is where it first grew. */
  readonly waits?: boolean;
}

const clamp = (x: number) => Math.min(Math.max(x, 0), 1);

const aging: readonly Family[] = [
  {
    name: "linear",
    ages: true,
    draw:
      () =>
      ({ life }) =>
        life,
  },
  {
    name: "accelerating",
    ages: true,
    draw: (random) => {
      const power = random.between(1.6, 3.2);
      const rate = random.between(2, 4.5);
      return random.next() < 0.5 ? ({ life }) => life ** power : ({ life }) => Math.expm1(rate * life) / Math.expm1(rate);
    },
  },
  {
    name: "slow and noisy",
    ages: true,
    noise: [0.03, 0.06],
    draw:
      () =>
      ({ life }) =>
        life,
  },
  {
    name: "stepwise",
    ages: true,
    draw: (random) => {
      const steps = Math.round(random.between(12, 50));
      const at = Array.from({ length: steps }, () => random.next()).sort((a, b) => a - b);
      const heights = at.map(() => random.scaled(0.4, 2.5));
      const total = heights.reduce((sum, height) => sum + height, 0);
      return ({ life }) => at.reduce((sum, time, which) => (time <= life ? sum + (heights[which] ?? 0) / total : sum), 0);
    },
  },
  {
    name: "per request",
    ages: true,
    daily: true,
    draw:
      () =>
      ({ work }) =>
        work,
  },
  {
    name: "descriptors",
    ages: true,
    counts: true,
    daily: true,
    draw:
      () =>
      ({ work }) =>
        work,
  },
  {
    name: "begins midway",
    ages: true,
    onset: [0.15, 0.6],
    draw:
      () =>
      ({ life }) =>
        life,
  },
  {
    name: "under load",
    ages: true,
    daily: true,
    waits: true,
    draw: (random) => {
      const threshold = random.between(0.9, 1.3);
      return ({ before, load, step }) => before + Math.max(load - threshold, 0) * step;
    },
  },
  {
    name: "slope changes",
    ages: true,
    unseen: true,
    draw: (random) => {
      const knots = [random.between(0.2, 0.5), random.between(0.5, 0.8)];
      const slopes = [random.scaled(0.3, 2), random.scaled(0.3, 2), random.scaled(0.3, 2)];
      return ({ before, life, step }) => before + step * (slopes[life < (knots[0] ?? 0) ? 0 : life < (knots[1] ?? 0) ? 1 : 2] ?? 1);
    },
  },
  {
    name: "decelerating",
    ages: true,
    unseen: true,
    draw: (random) => {
      const power = random.between(0.55, 0.85);
      return ({ life }) => life ** power;
    },
  },
  {
    name: "logistic",
    ages: true,
    unseen: true,
    draw: (random) => {
      const middle = random.between(0.5, 0.9);
      const rate = random.between(3, 7);
      const raw = (x: number) => 1 / (1 + Math.exp(-rate * (x - middle)));
      return ({ life }) => (raw(life) - raw(0)) / (raw(1) - raw(0));
    },
  },
];

const alike: readonly Family[] = [
  { name: "white noise", ages: false, draw: () => () => 1 },
  { name: "correlated noise", ages: false, noise: [0.02, 0.06], draw: () => () => 1 },
  {
    name: "daily load",
    ages: false,
    daily: true,
    draw:
      () =>
      ({ load }) =>
        clamp(0.4 + 0.3 * load),
  },
  {
    name: "warm-up",
    ages: false,
    draw: (random) => {
      const scale = random.scaled(0.003, 0.05);
      return ({ life }) => 1 - Math.exp(-life / scale);
    },
  },
  {
    name: "cache that fills",
    ages: false,
    draw: (random) => {
      const scale = random.scaled(0.03, 0.25);
      return ({ work }) => 1 - Math.exp(-work / scale);
    },
  },
  {
    name: "cache that fills and stops",
    ages: false,
    draw: (random) => {
      const full = random.scaled(0.05, 0.5);
      return ({ work }) => Math.min(work / full, 1);
    },
  },
  {
    name: "load step",
    ages: false,
    draw: (random) => {
      const at = random.between(0.1, 0.9);
      const low = random.between(0.2, 0.8);
      return ({ life }) => (life > at ? 1 : low);
    },
  },
  {
    name: "deploy steps",
    ages: false,
    draw: (random) => {
      const at = [random.next(), random.next(), random.next()];
      return ({ life }) => 0.7 + 0.1 * at.filter((time) => time < life).length;
    },
  },
  {
    name: "burst",
    ages: false,
    draw: (random) => {
      const at = random.between(0.2, 0.8);
      const width = random.scaled(0.01, 0.15);
      return ({ life }) => 0.4 + 0.6 * clamp(1 - Math.abs(life - at) / width);
    },
  },
  {
    name: "saw-tooth",
    ages: false,
    draw: (random) => {
      const period = random.scaled(0.005, 0.06);
      return ({ life }) => 0.3 + 0.7 * ((life / period) % 1);
    },
  },
  {
    name: "buffer pool",
    ages: false,
    daily: true,
    draw:
      () =>
      ({ before, load }) =>
        Math.max(before, clamp(load / 2.2)),
  },
  {
    name: "nightly batch",
    ages: false,
    draw: (random) => {
      const phase = random.next();
      const nights = Math.round(random.between(2, 8));
      return ({ life }) => ((life * nights + phase) % 1 < 0.1 ? 1 : 0.5);
    },
  },
  {
    name: "settles slowly",
    ages: false,
    draw: (random) => {
      const scale = random.scaled(0.02, 0.3);
      return ({ life }) => Math.log1p(life / scale) / Math.log1p(1 / scale);
    },
  },
];

export const families: readonly Family[] = [
  ...aging,
  ...alike.map((family): Family => ({ ...family, settles: [0.35, 0.8] })),
  ...alike
    .filter(({ name }) => ["white noise", "warm-up", "cache that fills", "daily load", "cache that fills and stops"].includes(name))
    .map((family): Family => ({ ...family, name: `${family.name}, above 85 %`, noise: [0.003, 0.01], settles: [0.87, 0.93] })),
];
