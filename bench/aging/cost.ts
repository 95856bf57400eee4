/**
 * What the model costs: CPU time of an indicator-second, over the first day at a sample a second, and memory of an
 * indicator. `node bench/aging/cost.ts`. CPU time, not the clock's, and the same day in several processes: the machine may be shared.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { AgingModel } from "../../src/aging/model.ts";
import { PeerGroup } from "../../src/aging/peers.ts";
import type { Sample } from "../../src/model/sample.ts";
import { Random } from "./random.ts";

export interface Cost {
  readonly microseconds: number;
  /** The same of the next instance that the process watches: the first one's has the compiling in it. */
  readonly nextMicroseconds: number;
  /** With the readings between two evaluations. */
  readonly evaluationMs: number;
  readonly stateBytes: number;
}

const daySeconds = 86_400;
const sliceSeconds = 600;
const processes = 7;
const indicators = ["rssBytes", "openFds", "queueLength", "activeHandles"];
/** Many and young: the blocks are full after some minutes. */
const instancesBefore = 80;
const instances = 240;
const secondsForMemory = 400;

/** What one process needed for each slice of the day: of its first instance, then of its second. */
interface Day {
  readonly microseconds: readonly number[];
  readonly nextMicroseconds: readonly number[];
}

const toldBy = {
  "--day": (): Day => ({ microseconds: measureDay(), nextMicroseconds: measureDay() }),
  "--evaluations": countEvaluations,
  "--state": measureState,
};

/**
 * Of each slice the least that one of the processes needed, each of which compiled the code anew: a virtual machine counts as its own what
 * its host gave to others, and never too little.
 */
export function measureCost(): Cost {
  const days = Array.from({ length: processes }, () => inOwnProcess("--day"));
  const microseconds = sumOfLeast(days.map((day) => day.microseconds));
  return {
    microseconds: microseconds / (daySeconds * indicators.length),
    nextMicroseconds: sumOfLeast(days.map((day) => day.nextMicroseconds)) / (daySeconds * indicators.length),
    evaluationMs: microseconds / 1_000 / Math.max(inOwnProcess("--evaluations"), 1),
    stateBytes: inOwnProcess("--state"),
  };
}

function inOwnProcess<K extends keyof typeof toldBy>(what: K): ReturnType<(typeof toldBy)[K]> {
  return JSON.parse(execFileSync(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), what], { encoding: "utf8" }));
}

function sumOfLeast(days: readonly (readonly number[])[]): number {
  const least = days[0]?.map((_, slice) => Math.min(...days.map((slices) => slices[slice] ?? Number.NaN))) ?? [];
  return least.reduce((sum, one) => sum + one, 0);
}

/** The samples of a slice are drawn before its time is taken: what random numbers cost is not the model's. */
function measureDay(): number[] {
  const model = new AgingModel({ horizonMs: 1_800_000 });
  const random = new Random(7);
  const microseconds: number[] = [];
  for (let second = 0; second < daySeconds; second += sliceSeconds) {
    const samples = drawSamples(random, second, sliceSeconds);
    const before = process.cpuUsage();
    run(model, samples);
    const { user, system } = process.cpuUsage(before);
    microseconds.push(user + system);
  }
  return microseconds;
}

/** One indicator of four leaks. */
function drawSamples(random: Random, from: number, count: number): Sample[] {
  return Array.from({ length: count }, (_, at) => {
    const second = from + at;
    const share = second / daySeconds;
    const values = indicators.map((name, which) => [name, 1_000 * (1 + 0.05 * random.normal() + (which === 0 ? 2.9 * share : 0))]);
    return {
      atMs: second * 1_000,
      requestsTotal: second * 20,
      indicators: Object.fromEntries(values),
      limits: { rssBytes: 4_000, openFds: 4_000 },
    };
  });
}

/** As the monitor does: a verdict with each sample; trends and sentences are made when somebody reads them. */
function run(model: AgingModel, samples: readonly Sample[]): void {
  for (const sample of samples) {
    model.add(sample);
    model.report(sample.atMs);
  }
}

/** An indicator's level changes with each evaluation. */
function countEvaluations(): number {
  const model = new AgingModel({ horizonMs: 1_800_000 });
  const floors = new Map<string, number>();
  let evaluations = 0;
  for (const sample of drawSamples(new Random(7), 0, daySeconds)) {
    model.add(sample);
    for (const { indicator, floor } of model.report(sample.atMs).trends) {
      if (floors.get(indicator) !== floor) evaluations += 1;
      floors.set(indicator, floor);
    }
  }
  return evaluations;
}

function measureState(): number {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  const bytes = () => {
    for (let time = 0; time < 4; time += 1) if (typeof collect === "function") collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const group = new PeerGroup();
  const models: AgingModel[] = [];
  const add = (instances: number) => {
    for (let at = 0; at < instances; at += 1) {
      const model = new AgingModel({ horizonMs: 1_800_000, peers: group.join() });
      run(model, drawSamples(new Random(7), 0, secondsForMemory));
      models.push(model);
    }
    return bytes();
  };
  // Compiled code is no state: it is there after the first ones.
  const before = add(instancesBefore);
  return Math.round((add(instances) - before) / (instances * indicators.length));
}

if (import.meta.main) {
  const [, , what] = process.argv;
  if (what === "--day" || what === "--evaluations" || what === "--state") process.stdout.write(JSON.stringify(toldBy[what]()));
  else {
    const { microseconds, nextMicroseconds, evaluationMs, stateBytes } = measureCost();
    process.stdout.write(
      `${microseconds.toFixed(2)} µs an indicator-second, of the next instance ${nextMicroseconds.toFixed(2)}, ${evaluationMs.toFixed(2)} ms an evaluation, ${stateBytes} bytes an indicator\n`,
    );
  }
}
