/**
 * What the model costs: CPU time of an indicator-second, over the first day at a sample a second, and memory of an
 * indicator. `node bench/aging/cost.ts`. CPU time, not the clock's: the machine may be shared.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { AgingModel } from "../../src/aging/model.ts";
import { PeerGroup } from "../../src/aging/peers.ts";
import { Random } from "./random.ts";

export interface Cost {
  readonly microseconds: number;
  /** With the readings between two evaluations. */
  readonly evaluationMs: number;
  readonly stateBytes: number;
}

const daySeconds = 86_400;
const indicators = ["rssBytes", "openFds", "queueLength", "activeHandles"];
/** Many and young: the blocks are full after some minutes. */
const instancesBefore = 80;
const instances = 240;
const secondsForMemory = 400;

export function measureCost(): Cost {
  const stateBytes = measureState();
  const before = process.cpuUsage();
  const evaluations = run(new AgingModel({ horizonMs: 1_800_000 }), daySeconds);
  const { user, system } = process.cpuUsage(before);
  return {
    microseconds: (user + system) / (daySeconds * indicators.length),
    evaluationMs: (user + system) / 1_000 / Math.max(evaluations, 1),
    stateBytes,
  };
}

/** One indicator of four leaks. @returns how often some indicator was evaluated: its level changes with that. */
function run(model: AgingModel, seconds: number): number {
  const random = new Random(7);
  const seen = new Set<string>();
  for (let second = 0; second < seconds; second += 1) {
    const share = second / daySeconds;
    const sample = Object.fromEntries(
      indicators.map((name, at) => [name, 1_000 * (1 + 0.05 * random.normal() + (at === 0 ? 2.9 * share : 0))]),
    );
    model.add({ atMs: second * 1_000, requestsTotal: second * 20, indicators: sample, limits: { rssBytes: 4_000, openFds: 4_000 } });
    const { trends } = model.report(second * 1_000);
    for (const { indicator, floor } of trends) seen.add(`${indicator} ${floor}`);
  }
  return seen.size;
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
      run(model, secondsForMemory);
      models.push(model);
    }
    return bytes();
  };
  // Compiled code is no state: it is there after the first ones.
  const before = add(instancesBefore);
  return Math.round((add(instances) - before) / (instances * indicators.length));
}

if (import.meta.main) {
  const { microseconds, evaluationMs, stateBytes } = measureCost();
  process.stdout.write(
    `${microseconds.toFixed(2)} µs an indicator-second, ${evaluationMs.toFixed(2)} ms an evaluation, ${stateBytes} bytes an indicator\n`,
  );
}
