/**
 * SIGKILL of Coppice's processes and of nodes, at random moments of regenerations, under load: docs/failure-modes.md as
 * it is written there. Each kind may cost its clients only what its row of that table says.
 */
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { seededRandom } from "../../src/sim/random.ts";
import { TestCluster } from "../e2e/cluster.ts";
import { quantileMs, SessionLoad } from "../e2e/session-load.ts";
import { endAfterTest } from "../left-open.ts";
import { childrenOf, type Kind } from "./processes.ts";

const expressApp = fileURLToPath(new URL("../e2e/fixtures/express-app.cjs", import.meta.url));
const nodes = 3;
const clients = 20;
/** Between two kills at most; a regeneration takes about as long. */
const betweenMs = 1_500;

export interface KillOptions {
  readonly seed: number;
  readonly kinds: readonly Kind[];
  /** Of each kind. */
  readonly kills: number;
  readonly say?: (text: string) => void;
}

export interface KillOutcome {
  readonly requests: number;
  /** By kind: what failed after its kills, and was to be expected. */
  readonly expected: Readonly<Record<Kind, number>>;
  /** What no row of the table allows. */
  readonly unexpected: readonly string[];
  readonly lost: number;
  readonly stale: number;
  readonly doubled: number;
  readonly p999Ms: number;
  readonly longestMs: number;
  readonly regenerations: number;
  /** What stop left: exit code, files. */
  readonly stopped: { readonly code: number | null; readonly left: readonly string[] };
}

export async function killAtRandom({ seed, kinds, kills, say = () => {} }: KillOptions): Promise<KillOutcome> {
  const random = seededRandom(seed);
  const cluster = await TestCluster.start({
    script: expressApp,
    nodes,
    settings: { minReadyMs: 200, probationMs: 1_000, crashLoopRestarts: 10_000, restartBackoffMsMin: 100 },
  });
  const init = cluster.process.pid ?? 0;
  const load = new SessionLoad({ port: cluster.port, clients, thinkMs: 5 });
  let running = true;
  endAfterTest(() => (running = false));
  const regenerating = regenerateOnAndOn(cluster, () => running);
  const expected: Record<Kind, number> = { monitor: 0, forwarder: 0, replicator: 0, node: 0 };
  const unexpected: string[] = [];
  // Every kind as often, in an order of chance.
  const order = kinds.flatMap((kind) => Array.from({ length: kills }, () => ({ kind, at: random() }))).sort((a, b) => a.at - b.at);
  for (const [at, { kind }] of order.entries()) {
    await pause(random() * betweenMs);
    const alive = childrenOf(init).filter((child) => child.kind === kind);
    const victim = alive[Math.floor(random() * alive.length)];
    if (victim === undefined) throw new Error(`no ${kind} lives`);
    const before = load.result.failed.length;
    process.kill(victim.pid, "SIGKILL");
    await cluster.until(`all is there again after the kill of ${kind} ${victim.pid}`, () => isWhole(init, victim.pid));
    const { requests } = load.result;
    await cluster.until("the load goes on", () => load.result.requests > requests + 100);
    const failed = load.result.failed.slice(before);
    for (const what of failed) {
      if (mayCost[kind](what)) expected[kind] += 1;
      else unexpected.push(`after the kill of a ${kind}: ${what}`);
    }
    say(`${at + 1} of ${order.length}: ${kind} ${victim.pid} killed, ${failed.length} failed`);
  }
  running = false;
  const regenerations = await regenerating;
  await cluster.until("every node is ready", async () => (await cluster.status()).nodes.every(({ state }) => state === "ready"));
  const { requests, lost, stale, doubled, latenciesMs } = await load.end();
  const stopped = await cluster.stop();
  const [p999Ms, longestMs] = [quantileMs(latenciesMs, 0.999), quantileMs(latenciesMs, 1)];
  return { requests, expected, unexpected, lost, stale, doubled, p999Ms, longestMs, regenerations, stopped };
}

/** docs/failure-modes.md. A request that waits too long (`session-load.ts`) has failed, whatever was killed. */
const mayCost: Readonly<Record<Kind, (what: string) => boolean>> = {
  monitor: () => false,
  replicator: () => false,
  forwarder: (what) => /ECONNRESET|socket hang up|a connection was reset/.test(what),
  node: (what) => what.startsWith("POST: status 502"),
};

function isWhole(init: number, gone: number): boolean {
  const children = childrenOf(init);
  const count = (kind: Kind) => children.filter((child) => child.kind === kind).length;
  return (
    children.every(({ pid }) => pid !== gone) &&
    (["monitor", "forwarder", "replicator"] as const).every((kind) => count(kind) === 1) &&
    count("node") >= nodes
  );
}

/** Regenerations without end, so that most kills find one under way; resolves to how many were asked for. */
async function regenerateOnAndOn(cluster: TestCluster, running: () => boolean): Promise<number> {
  let count = 0;
  while (running()) {
    await cluster.command("regenerate", `web-${1 + (count % nodes)}`, "--wait", "--name", "t");
    count += 1;
  }
  return count;
}
