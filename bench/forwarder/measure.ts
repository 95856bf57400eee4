/** One window of load on one proxy, and a whole scenario: proxies in turn (A B A B), so that a noisy minute hits all alike. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { atEnd } from "../ending.ts";
import type { Running, Site } from "./contenders.ts";
import { cpuNs, putFirst, rssBytes } from "./machine.ts";
import type { Scenario } from "./scenarios.ts";

export interface Window {
  readonly requestsPerSecond: number;
  /** CPU of the proxy's process for each request, microseconds. */
  readonly cpuUs: number;
  readonly errors: number;
  /** Microseconds; null where the generator does not tell. */
  readonly p50: number | null;
  readonly p99: number | null;
  readonly rssBytes: number;
}

export interface Measured {
  readonly scenario: Scenario;
  /** By the proxy's name, a window each round; null: it cannot do this. */
  readonly windows: ReadonlyMap<string, readonly Window[]>;
}

export interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly loadCore: number;
  /** The compiled load generator. */
  readonly load: string;
  readonly say: (text: string) => void;
}

/** Before the first window: what compiles itself as it runs (V8, in its first second) has done so by then. */
const warmUpSeconds = 3;

interface Counted {
  readonly requests: number;
  readonly seconds: number;
  readonly errors: number;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly cpuNs: number;
}

export async function measure(scenario: Scenario, site: Site, options: Options): Promise<Measured> {
  const running: { name: string; proxy: Running }[] = [];
  for (const { name, start } of scenario.proxies) running.push({ name, proxy: await start(site) });
  const windows = new Map<string, Window[]>(running.map(({ name }) => [name, []]));
  if (scenario.undisturbed) for (const { proxy } of running) putFirst(proxy.pid);
  for (const { proxy } of running) await measureOnce(scenario, proxy, { ...options, seconds: warmUpSeconds });
  for (let round = 0; round < options.rounds; round += 1) {
    for (const { name, proxy } of round % 2 === 0 ? running : running.toReversed()) {
      const window = await measureOnce(scenario, proxy, options);
      windows.get(name)?.push(window);
      options.say(
        `${scenario.name} ${round + 1}/${options.rounds} ${name}: ${Math.round(window.requestsPerSecond)}/s, ${window.cpuUs.toFixed(1)} µs CPU${window.errors > 0 ? `, ${window.errors} errors` : ""}`,
      );
    }
  }
  for (const { proxy } of running) await proxy.stop();
  return { scenario, windows };
}

async function measureOnce(scenario: Scenario, proxy: Running, options: Options): Promise<Window> {
  const counted = scenario.by === "load" ? await byLoad(scenario, proxy, options) : byTool(scenario, proxy, options);
  return {
    requestsPerSecond: counted.requests / counted.seconds,
    cpuUs: counted.cpuNs / 1_000 / Math.max(1, counted.requests),
    errors: counted.errors,
    p50: counted.p50,
    p99: counted.p99,
    rssBytes: rssBytes(proxy.pid),
  };
}

/** It says when its connections stand: CPU counts from there. */
async function byLoad({ load: args, undisturbed }: Scenario, { port, pid }: Running, options: Options): Promise<Counted> {
  const { load, loadCore, seconds } = options;
  const command = ["taskset", "-c", String(loadCore), load, "--port", String(port), "--seconds", String(seconds), ...args];
  const [program = "", ...rest] = undisturbed ? ["chrt", "--fifo", "1", ...command] : command;
  const child = spawn(program, rest, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = atEnd(() => child.kill("SIGKILL"));
  let text = "";
  let beganNs = 0;
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    if (text === "") beganNs = cpuNs(pid);
    text += chunk;
  });
  const [code] = await once(child, "close");
  ended();
  if (code !== 0) throw new Error(`the load generator ended with ${code}`);
  const usedNs = cpuNs(pid) - beganNs;
  const told = JSON.parse(text.slice(text.indexOf("{"))) as Record<"requests" | "seconds" | "errors" | "badStatus" | "p50" | "p99", number>;
  return { ...told, errors: told.errors + told.badStatus, cpuNs: usedNs };
}

function byTool({ by, load }: Scenario, { port, pid }: Running, { loadCore, seconds }: Options): Counted {
  const beganNs = cpuNs(pid);
  const url = `https://127.0.0.1:${port}/200`;
  const time = by === "wrk" ? [`-d${seconds}s`, "--latency"] : ["-D", String(seconds)];
  const text = execFileSync("taskset", ["-c", String(loadCore), by, ...load, ...time, url], { encoding: "utf8" });
  const number = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? 0);
  const requests = by === "wrk" ? number(/(\d+) requests in/) : number(/requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded/);
  const errors = by === "wrk" ? number(/Non-2xx or 3xx responses: (\d+)/) : number(/succeeded, (\d+) failed/);
  return { requests, seconds, errors, p50: null, p99: null, cpuNs: cpuNs(pid) - beganNs };
}
