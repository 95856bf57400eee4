/** What a shape of the independent traces is, and what several are made of. Each is asked moment by moment, in order. */
import { dayMs, hourMs, type Moment, minuteMs, type World, type WorldWishes } from "./independent-world.ts";

export interface Shape {
  readonly name: string;
  readonly wishes?: WorldWishes;
  readonly indicator?: string;
  /** Noise as a share of the limit, from and to, and its memory as a share of life. */
  readonly noise?: readonly [number, number];
  readonly memory?: readonly [number, number];
  /** Height of the collector's teeth as a share of the limit. */
  readonly teeth?: readonly [number, number];
  /** Where a look-alike's highest floor is, as a share of the limit. */
  readonly settles?: readonly [number, number];
  readonly grow: (world: World) => (moment: Moment) => number;
}

export function adding(increment: (moment: Moment) => number): (moment: Moment) => number {
  let total = 0;
  return (moment) => {
    total += increment(moment);
    return total;
  };
}

/** Follows the load with a lag, as memory in use does. */
export function followed({ random }: World, lag = random.scaled(0.002, 0.03)): (moment: Moment) => number {
  let level = 0;
  return ({ rate, step, share }) => {
    level = share === 0 ? rate : level + (rate - level) * (1 - Math.exp(-step / lag));
    return level;
  };
}

export const clamp = (x: number) => Math.min(Math.max(x, 0), 1);

/** What cron knows: the period that comes some dozens of times in a life. */
export function cronShare({ lifeMs }: World, times: number): number {
  const periods = [minuteMs, 5 * minuteMs, 15 * minuteMs, hourMs, 6 * hourMs, dayMs];
  return (periods.find((ms) => lifeMs / ms < times) ?? dayMs) / lifeMs;
}
