/** Shapes of the independent traces that only look as if they aged: a level between the start's (0) and the settled one (1). */
import { adding, clamp, cronShare, followed, type Shape } from "./independent-shape.ts";
import { held, type Moment, poisson, wander } from "./independent-world.ts";

const byShare =
  (level: (share: number) => number) =>
  ({ share }: Moment) =>
    level(share);

export const alikeShapes: readonly Shape[] = [
  { name: "nothing at all", grow: () => () => 1 },
  {
    name: "warms up",
    grow: ({ random }) => {
      const [fill, slow, weight] = [random.scaled(0.01, 0.08), random.scaled(0.05, 0.15), random.between(0.4, 1)];
      return ({ share }) => weight * (1 - Math.exp(-share / fill)) + (1 - weight) * (1 - Math.exp(-share / slow));
    },
  },
  {
    name: "a cache fills and stops",
    grow: ({ random, meanRate }) => {
      const [full, byWork] = [random.between(0.15, 0.75), random.next() < 0.5];
      const filled = adding(({ step, rate }) => (byWork ? (step * rate) / meanRate : step));
      return (moment) => clamp(filled(moment) / full);
    },
  },
  {
    name: "one cache after another",
    grow: ({ random }) => {
      const [first, from, second] = [random.between(0.05, 0.2), random.between(0.3, 0.6), random.between(0.08, 0.3)];
      return ({ share }) => 0.5 * clamp(share / first) + 0.5 * clamp((share - from) / second);
    },
  },
  {
    name: "a cache that settles slowly",
    grow: ({ random }) => {
      const fill = random.between(0.2, 0.4);
      return ({ share }) => 1 - Math.exp(-share / fill);
    },
  },
  { name: "the collector's teeth", indicator: "heapUsedBytes", teeth: [0.2, 0.6], settles: [0.2, 0.6], grow: () => () => 1 },
  { name: "day and night", wishes: { loads: ["waves"] }, grow: (world) => followed(world) },
  { name: "the week's peaks", wishes: { days: [5, 12.5], loads: ["office", "weekly"] }, grow: (world) => followed(world) },
  { name: "more load from now on", wishes: { loads: ["step"] }, grow: (world) => followed(world) },
  { name: "bursts of load", wishes: { loads: ["bursts"] }, grow: (world) => followed(world, world.random.scaled(0.005, 0.06)) },
  {
    name: "one surge that goes away",
    grow: ({ random }) => {
      const [peak, rise, fall] = [random.between(0.25, 0.85), random.between(0.03, 0.2), random.between(0.02, 0.12)];
      return ({ share }) => (share < peak ? clamp(1 - (peak - share) / rise) : Math.exp(-(share - peak) / fall));
    },
  },
  { name: "noise with a memory", noise: [0.02, 0.05], memory: [0.02, 0.12], grow: () => () => 1 },
  {
    name: "wanders and comes back",
    grow: ({ random }) => {
      const [level, size] = [wander(random, random.between(0.1, 0.3)), random.between(0.15, 0.3)];
      return ({ step }) => clamp(0.5 + size * level(step));
    },
  },
  {
    name: "the load generator restarts",
    wishes: { loads: ["restarts"] },
    grow: (world) => followed(world, world.random.scaled(0.01, 0.06)),
  },
  {
    name: "memory kept, up to a plateau",
    grow: ({ random }) => {
      const demand = wander(random, random.between(0.01, 0.08));
      let highest = 0;
      return ({ step }) => {
        highest = Math.max(highest, demand(step));
        return clamp(highest / 2.6);
      };
    },
  },
  {
    name: "a pool grows by stairs",
    grow: ({ random }) => {
      const [times, size] = [random.between(8, 25), random.between(0.1, 0.35)];
      let level = 0;
      return ({ step }) => {
        level += (1 - level) * (1 - (1 - size) ** poisson(random, times * step));
        return level;
      };
    },
  },
  {
    name: "fills and is emptied",
    grow: ({ random }) => {
      const [times, left] = [random.between(4, 30), random.between(0, 0.3)];
      let phase = random.next();
      return ({ step }) => {
        phase += step * times * random.between(0.5, 1.5);
        if (phase > 1) phase = left * random.next();
        return phase;
      };
    },
  },
  {
    name: "a job that gives back",
    grow: (world) => {
      const { random } = world;
      const [period, length, phase] = [cronShare(world, random.between(6, 50)), random.between(0.1, 0.5), random.next()];
      return ({ share }) => {
        const within = (share / period + phase) % 1;
        return within < length ? within / length : Math.exp(-(within - length) / 0.1);
      };
    },
  },
  { name: "another level by release", grow: ({ random }) => byShare(held(random, random.between(1.5, 5), () => random.next())) },
];
