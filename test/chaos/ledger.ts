/**
 * What clients were told against what was executed: the server writes each POST into a file of its own, while
 * its nodes are regenerated over and over, or killed. Answered is executed, and nothing is executed twice.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TestCluster } from "../e2e/cluster.ts";
import { type Failure, LedgerLoad } from "./ledger-load.ts";
import { childrenOf } from "./processes.ts";

const ledgerApp = fileURLToPath(new URL("../e2e/fixtures/ledger-app.mjs", import.meta.url));
const nodes = 3;
/** For what is left of the requests when all kills are done. */
const loadMsMax = 1_800_000;

export interface LedgerOptions {
  /** It goes on until so many were answered ... */
  readonly requests: number;
  /** ... and so many regenerations done, */
  readonly regenerations: number;
  /** and so many nodes killed, at the same time. */
  readonly kills: number;
  readonly clients?: number;
  readonly say?: (text: string) => void;
}

export interface LedgerOutcome {
  readonly requests: number;
  readonly posts: number;
  readonly regenerations: number;
  /** Cordons that found nothing in process: they would prove nothing. */
  readonly emptyCordons: number;
  readonly kills: number;
  readonly failures: readonly Failure[];
  /** In the ledger more than once. */
  readonly twice: readonly string[];
  /** Answered, and not in the ledger. */
  readonly missing: readonly string[];
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly longestMs: number;
  readonly stopped: { readonly code: number | null; readonly left: readonly string[] };
}

export async function keepLedger({ requests, regenerations, kills, clients = 64, say = () => {} }: LedgerOptions): Promise<LedgerOutcome> {
  const directory = mkdtempSync(join(tmpdir(), "coppice-ledger-"));
  const file = join(directory, "ledger");
  const cluster = await TestCluster.start({
    script: ledgerApp,
    nodes,
    env: { LEDGER: file },
    settings: { minReadyMs: 50, probationMs: 1_000, restartBackoffMsMin: 100, crashLoopRestarts: 10_000 },
  });
  const startedMs = performance.now();
  const load = new LedgerLoad(cluster.port, clients);
  let regenerated = 0;
  let killed = 0;
  while (load.requests < requests || regenerated < regenerations || killed < kills) {
    if (killed < kills) {
      killed += await killOne(cluster);
      const before = load.requests;
      await cluster.until("the load goes on", () => load.requests > before + 500);
    }
    if (regenerated < regenerations || kills === 0) {
      const outcome = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
      if (outcome.code === 0) regenerated += nodes;
      else say(outcome.stdout);
    } else if (killed === kills) await cluster.until("all requests were answered", () => load.requests >= requests, loadMsMax);
    say(`${load.requests} requests, ${regenerated} regenerations, ${killed} kills, ${load.failures.length} failed`);
  }
  await load.end();
  const seconds = (performance.now() - startedMs) / 1_000;
  const cordons = (await cluster.events()).filter(({ kind }) => kind === "cordoned");
  const stopped = await cluster.stop();
  const outcome = { ...judge(load, file), kills: killed, regenerations: regenerated, seconds, stopped };
  rmSync(directory, { recursive: true });
  return { ...outcome, emptyCordons: cordons.filter(({ facts }) => (facts["inFlight"] as { total: number }).total === 0).length };
}

function judge(load: LedgerLoad, file: string): Omit<LedgerOutcome, "kills" | "regenerations" | "seconds" | "stopped" | "emptyCordons"> {
  const counts = new Map<string, number>();
  for (const id of readFileSync(file, "utf8").split("\n")) if (id !== "") counts.set(id, (counts.get(id) ?? 0) + 1);
  const sorted = Float64Array.from(load.latenciesMs).sort();
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
  return {
    requests: load.requests,
    posts: load.answeredIds.length,
    failures: load.failures,
    twice: [...counts].filter(([, count]) => count > 1).map(([id]) => id),
    missing: load.answeredIds.filter((id) => !counts.has(id)),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    longestMs: at(1),
  };
}

/** SIGKILL of a node that serves; resolves when all nodes are ready again. */
async function killOne(cluster: TestCluster): Promise<1> {
  const serving = childrenOf(cluster.process.pid ?? 0).filter(({ kind }) => kind === "node");
  const victim = serving[0];
  if (victim === undefined) throw new Error("no node lives");
  process.kill(victim.pid, "SIGKILL");
  await cluster.until("every node is ready", async () => {
    const { nodes: states } = await cluster.status();
    return states.every(({ state, pid }) => state === "ready" && pid !== victim.pid);
  });
  return 1;
}
