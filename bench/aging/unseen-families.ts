/**
 * Families that nothing was tuned on: they were written after the model's dictionary and are run only to be
 * reported. Shapes, row intervals, gaps and noise differ from those of families.ts on purpose.
 */
import type { Family } from "./families.ts";
import type { Random } from "./random.ts";

const clamp = (x: number) => Math.min(Math.max(x, 0), 1);
const rows = [250, 4_000] as const;

/** Growth by time alone. */
const byLife = (of: (random: Random) => (life: number) => number): Family["draw"] => {
  return (random) => {
    const shape = of(random);
    return ({ life }) => shape(life);
  };
};

const steps = (random: Random, from: number, to: number) => {
  const at = Array.from({ length: Math.round(random.between(from, to)) }, () => ({ life: random.next(), height: random.scaled(0.3, 3) }));
  const total = at.reduce((sum, { height }) => sum + height, 0);
  return (life: number) => at.reduce((sum, one) => (one.life <= life ? sum + one.height / total : sum), 0);
};

const aging: readonly Family[] = [
  { name: "square root", ages: true, draw: byLife(() => Math.sqrt) },
  {
    name: "modulated by a wave",
    ages: true,
    draw: byLife((random) => {
      const waves = random.between(1.5, 9);
      const depth = random.between(0.3, 0.95);
      const phase = random.between(0, 2 * Math.PI);
      return (life) => life + (depth * (Math.sin(2 * Math.PI * waves * life + phase) - Math.sin(phase))) / (2 * Math.PI * waves);
    }),
  },
  {
    name: "with pauses",
    ages: true,
    draw: (random) => {
      const pauses = Array.from({ length: Math.round(random.between(1, 5)) }, () => random.between(0, 0.85));
      const length = random.between(0.02, 0.1);
      return ({ before, life, step }) => before + (pauses.some((at) => life > at && life < at + length) ? 0 : step);
    },
  },
  {
    name: "saw-tooth of growing amplitude",
    ages: true,
    draw: byLife((random) => {
      const period = random.scaled(0.008, 0.05);
      const share = random.between(0.1, 0.4);
      return (life) => life * (1 - share) + share * life * ((life / period) % 1);
    }),
  },
  {
    name: "two leaks in sequence",
    ages: true,
    draw: byLife((random) => {
      const second = random.between(0.3, 0.7);
      const pace = random.scaled(1, 5);
      return (life) => life + pace * Math.max(life - second, 0) ** 1.3;
    }),
  },
  {
    name: "approaches a level above the limit",
    ages: true,
    draw: byLife((random) => {
      const scale = random.between(0.5, 1.5);
      return (life) => 1 - Math.exp(-life / scale);
    }),
  },
  {
    name: "leak after a cache has filled",
    ages: true,
    draw: (random) => {
      const cache = random.between(0.1, 0.4);
      const scale = random.scaled(0.02, 0.12);
      return ({ work, life }) => cache * (1 - Math.exp(-work / scale)) + (1 - cache) * life;
    },
  },
  {
    name: "leak with deploy steps",
    ages: true,
    draw: (random) => {
      const share = random.between(0.1, 0.3);
      const deploys = steps(random, 1, 4);
      return ({ life }) => (1 - share) * life + share * deploys(life);
    },
  },
  {
    name: "square of the requests",
    ages: true,
    daily: true,
    draw:
      () =>
      ({ work }: { work: number }) =>
        work ** 2,
  },
  { name: "heavy-tailed noise", ages: true, tails: true, draw: byLife(() => (life) => life) },
  {
    name: "cubic in the middle",
    ages: true,
    draw: byLife((random) => {
      const flat = random.between(0.3, 0.7);
      const line = random.between(0.2, 0.6);
      return (life) => line * life + (1 - line) * ((life - flat) ** 3 + flat ** 3);
    }),
  },
  {
    name: "few rows, weekly load",
    ages: true,
    daily: true,
    rows: [150, 400],
    hours: [100, 500],
    draw:
      () =>
      ({ work }: { work: number }) =>
        work,
  },
];

const alike: readonly Family[] = [
  {
    name: "wave that is no day",
    ages: false,
    draw: byLife((random) => {
      const waves = random.between(0.7, 6);
      const phase = random.between(0, 2 * Math.PI);
      return (life) => 0.6 + 0.4 * Math.sin(2 * Math.PI * waves * life + phase);
    }),
  },
  {
    name: "steps up and down",
    ages: false,
    draw: byLife((random) => {
      const levels = Array.from({ length: 12 }, () => ({ from: random.next(), level: random.between(0.3, 1) }));
      levels.sort((a, b) => a.from - b.from);
      return (life) => levels.findLast(({ from }) => from <= life)?.level ?? 0.5;
    }),
  },
  { name: "heavy-tailed noise, no trend", ages: false, tails: true, draw: byLife(() => () => 1) },
  {
    name: "fills in two stages",
    ages: false,
    draw: byLife((random) => {
      const second = random.between(0.3, 0.7);
      const scale = random.scaled(0.02, 0.1);
      const first = random.between(0.3, 0.7);
      return (life) => first * (1 - Math.exp(-life / scale)) + (1 - first) * (life > second ? 1 - Math.exp((second - life) / scale) : 0);
    }),
  },
  {
    name: "approaches its level slowly",
    ages: false,
    draw: byLife((random) => {
      const scale = random.between(0.15, 0.4);
      return (life) => 1 - Math.exp(-life / scale);
    }),
  },
  {
    name: "follows the load late",
    ages: false,
    daily: true,
    draw: (random) => {
      const memory = random.scaled(0.01, 0.1);
      let level = 1;
      return ({ load, step, life }) => {
        level = life === 0 ? load : level + ((load - level) * step) / memory;
        return clamp(0.3 + 0.35 * level);
      };
    },
  },
  {
    name: "saw-tooth of growing amplitude that stops",
    ages: false,
    draw: byLife((random) => {
      const period = random.scaled(0.008, 0.05);
      const until = random.between(0.2, 0.7);
      return (life) => 0.4 + 0.6 * Math.min(life / until, 1) * ((life / period) % 1);
    }),
  },
  {
    name: "deploy steps, up to four",
    ages: false,
    draw: (random) => {
      const deploys = steps(random, 2, 4);
      return ({ life }) => 0.5 + 0.5 * deploys(life);
    },
  },
];

export const unseenFamilies: readonly Family[] = [
  ...aging.map((family): Family => ({ rows, ...family, unseen: true })),
  ...alike.map((family): Family => ({ rows, ...family, unseen: true, settles: [0.35, 0.8] })),
];
