/**
 * A long life, shortened: every node regenerated again and again under load, as in days, while Coppice's own
 * processes are watched from outside. Whoever keeps others young must not age.
 */
import { fileURLToPath } from "node:url";
import { TestCluster } from "../e2e/cluster.ts";
import { SessionLoad } from "../e2e/session-load.ts";
import { childrenOf, measure } from "./processes.ts";

const expressApp = fileURLToPath(new URL("../e2e/fixtures/express-app.cjs", import.meta.url));
const nodes = 3;

export interface Reading {
  readonly round: number;
  readonly processes: number;
  readonly rssBytes: Readonly<Record<string, number>>;
  readonly openFds: Readonly<Record<string, number>>;
}

export interface SoakOutcome {
  readonly readings: readonly Reading[];
  readonly requests: number;
  readonly failed: readonly string[];
  readonly lost: number;
  readonly stale: number;
  readonly doubled: number;
  readonly stopped: { readonly code: number | null; readonly left: readonly string[] };
}

/** Each round regenerates every node once. */
export async function soak(rounds: number, say: (text: string) => void = () => {}): Promise<SoakOutcome> {
  const cluster = await TestCluster.start({ script: expressApp, nodes, settings: { minReadyMs: 0, probationMs: 1_000 } });
  const init = cluster.process.pid ?? 0;
  const load = new SessionLoad({ port: cluster.port, clients: 12, thinkMs: 10 });
  const readings: Reading[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const { code, stdout } = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
    if (code !== 0) throw new Error(`round ${round}: ${stdout}`);
    const reading = read(init, round);
    readings.push(reading);
    say(line(reading));
  }
  const { requests, failed, lost, stale, doubled } = await load.end();
  return { readings, requests, failed, lost, stale, doubled, stopped: await cluster.stop() };
}

function read(init: number, round: number): Reading {
  const children = childrenOf(init);
  const own = [{ pid: init, kind: "init" }, ...children.filter(({ kind }) => kind !== "node")];
  const measured = own.flatMap(({ pid, kind }) => {
    const one = measure(pid);
    return one === null ? [] : [{ kind, ...one }];
  });
  return {
    round,
    processes: children.length,
    rssBytes: Object.fromEntries(measured.map(({ kind, rssBytes }) => [kind, rssBytes])),
    openFds: Object.fromEntries(measured.map(({ kind, openFds }) => [kind, openFds])),
  };
}

function line({ round, processes, rssBytes, openFds }: Reading): string {
  const own = Object.keys(rssBytes).map((kind) => `${kind} ${((rssBytes[kind] ?? 0) / 2 ** 20).toFixed(1)} MiB ${openFds[kind]} fds`);
  return `round ${round}: ${processes} processes; ${own.join(", ")}`;
}

/** The middle of a process's readings in the part of its life from `from` to `to`, both 0..1. */
export function median(readings: readonly Reading[], of: "rssBytes" | "openFds", kind: string, from: number, to: number): number {
  const part = readings.slice(Math.floor(from * readings.length), Math.ceil(to * readings.length));
  const sorted = part.map((reading) => reading[of][kind] ?? Number.NaN).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
