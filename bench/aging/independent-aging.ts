/** Shapes of the independent traces that age, as servers show them: growth, relative to what it is at the nominal end of life. */
import { adding, cronShare, type Shape } from "./independent-shape.ts";
import { exponential, held, isOffice, type Load, poisson, switched, wander } from "./independent-world.ts";

const uneven: readonly Load[] = ["daily", "office", "weekly", "waves", "stairs", "bursts"];
const recurring: readonly Load[] = ["waves", "stairs", "bursts"];

export const agingShapes: readonly Shape[] = [
  { name: "steady", grow: () => adding(({ step }) => step) },
  {
    name: "ever faster",
    grow: ({ random }) => {
      const [power, rise, isPower] = [random.between(1.6, 4), random.between(2, 5), random.next() < 0.5];
      return ({ share }) => (isPower ? share ** power : Math.expm1(rise * share));
    },
  },
  { name: "slow under noise", noise: [0.025, 0.05], grow: () => adding(({ step }) => step) },
  { name: "by request", wishes: { loads: uneven }, grow: () => adding(({ step, rate }) => step * rate) },
  {
    name: "descriptors left open",
    indicator: "openFds",
    grow: ({ random }) => {
      const events = random.scaled(60, 2_000);
      return adding(({ step, rate }) => poisson(random, events * step * rate));
    },
  },
  {
    name: "from midway on",
    wishes: { onset: true },
    grow: ({ random, onset }) => {
      const power = random.next() < 0.7 ? 1 : random.between(1, 2);
      return ({ share }) => Math.max(share - onset, 0) ** power;
    },
  },
  {
    name: "only when busy",
    wishes: { loads: recurring },
    grow: ({ random }) => {
      const threshold = random.between(0.5, 0.75);
      return adding(({ step, rate }) => step * Math.max(rate - threshold, 0));
    },
  },
  {
    name: "by jumps",
    grow: ({ random }) => {
      const jumps = random.scaled(10, 60);
      return adding(({ step }) => poisson(random, jumps * step) * (0.3 + exponential(random)));
    },
  },
  {
    name: "clients that reconnect",
    grow: ({ random }) => {
      const [storms, share] = [random.between(8, 30), random.between(0.2, 0.6)];
      return adding(
        ({ step, rate }) => (1 - share) * step * rate + (share / storms) * poisson(random, storms * step) * exponential(random),
      );
    },
  },
  {
    name: "by user seen first",
    grow: ({ random }) => {
      const [power, work] = [random.between(0.45, 0.8), adding(({ step, rate }) => step * rate)];
      return (moment) => work(moment) ** power;
    },
  },
  {
    name: "by errors in bursts",
    grow: ({ random }) => {
      const failing = switched(random, random.between(10, 40), random.scaled(0.005, 0.025), 0.02);
      const severity = held(random, 30, () => exponential(random) + 0.2);
      return adding(({ step, share }) => step * failing(share) * severity(share));
    },
  },
  {
    name: "another pace after a deploy",
    grow: ({ random }) => {
      const deploys = Array.from({ length: Math.floor(random.between(1, 4)) }, () => random.between(0.15, 0.85));
      const paces = [1, ...deploys.map(() => (random.next() < 0.6 ? random.scaled(1.5, 5) : random.scaled(0.2, 0.7)))];
      return adding(({ step, share }) => step * (paces[deploys.filter((at) => at < share).length] ?? 1));
    },
  },
  {
    name: "compaction frees a part",
    grow: ({ random }) => {
      const [times, freed] = [random.between(4, 16), random.between(0.2, 0.6)];
      let [total, kept] = [0, 0];
      return ({ step }) => {
        total += step;
        if (poisson(random, times * step) === 0) return total;
        total -= freed * (total - kept);
        kept = total;
        return total;
      };
    },
  },
  {
    name: "fragmentation",
    grow: ({ random }) => {
      const [demand, weight, power] = [wander(random, random.between(0.01, 0.05)), random.between(0.05, 0.25), random.between(0.6, 0.85)];
      let highest = 0;
      return ({ step, share }) => {
        highest = Math.max(highest, demand(step));
        return weight * highest + share ** power;
      };
    },
  },
  {
    name: "a cache and a leak",
    grow: ({ random }) => {
      const [weight, fill] = [random.between(0.2, 0.6), random.scaled(0.04, 0.25)];
      return ({ share }) => weight * (1 - Math.exp(-share / fill)) + (1 - weight) * share;
    },
  },
  {
    name: "by a cron job",
    grow: (world) => {
      const period = cronShare(world, world.random.between(30, 100));
      const phase = world.random.next();
      let runs = 0;
      return adding(({ share }) => {
        const due = Math.floor(share / period + phase);
        const left = (due - runs) * world.random.between(0.5, 1.5);
        runs = due;
        return left;
      });
    },
  },
  {
    name: "on weekdays",
    wishes: { days: [5, 12.5], loads: ["office", "weekly"] },
    grow: ({ random }) => {
      const night = random.between(0, 0.5);
      return adding(({ step, weekday }) => (weekday >= 5 ? 0 : step * (isOffice(weekday) ? 1 : night)));
    },
  },
  {
    name: "hidden by what shrinks",
    grow: ({ random }) => {
      const [pool, life, power] = [random.between(0.2, 0.6), random.between(0.1, 0.4), random.between(1, 1.8)];
      return ({ share }) => pool * Math.exp(-share / life) + share ** power;
    },
  },
  {
    name: "a spiral at the end",
    grow: ({ random }) => {
      const pole = random.between(1.15, 1.5);
      return ({ share }) => share / (pole - share);
    },
  },
  {
    name: "a backlog never worked off",
    indicator: "jobsWaiting",
    wishes: { loads: ["daily", "weekly", ...recurring] },
    grow: ({ random, meanRate }) => {
      const capacity = meanRate * random.between(0.6, 0.92);
      let total = 0;
      return ({ step, rate }) => {
        total = Math.max(total + step * (rate - capacity), 0);
        return total;
      };
    },
  },
  {
    name: "at a pace that wanders",
    grow: ({ random }) => {
      const [pace, size] = [wander(random, random.between(0.03, 0.15)), random.between(0.5, 1.3)];
      return adding(({ step }) => step * Math.exp(size * pace(step)));
    },
  },
  {
    name: "with a long rest",
    grow: ({ random }) => {
      const [from, to] = [random.between(0.2, 0.45), random.between(0.55, 0.8)];
      return adding(({ step, share }) => (share > from && share < to ? 0 : step));
    },
  },
];
