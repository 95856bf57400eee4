/** Deploys, there and back, many times under load: nothing fails, and no client sees the old release again once all nodes have moved. */
import { rmSync } from "node:fs";
import { Agent, get } from "node:http";
import { TestCluster } from "../e2e/cluster.ts";
import { Releases } from "../e2e/releases.ts";
import { SessionLoad } from "../e2e/session-load.ts";
import { endAfterTest } from "../left-open.ts";

const nodes = 3;
const watchers = 6;

export interface ReloadOutcome {
  readonly reloads: number;
  readonly requests: number;
  readonly failed: readonly string[];
  readonly lost: number;
  readonly stale: number;
  readonly doubled: number;
  /** Answers of a release that all nodes had left. */
  readonly wentBack: number;
  readonly watched: number;
  readonly durationMs: number;
  /** A release that does not start, deployed at the end: the command's exit code, and who answers after it. */
  readonly brokenCode: number | null;
  readonly afterBroken: readonly string[];
  readonly stopped: { readonly code: number | null; readonly left: readonly string[] };
}

export async function reloadOnAndOn(reloads: number, say: (text: string) => void = () => {}): Promise<ReloadOutcome> {
  const releases = new Releases();
  for (const name of ["a", "b"]) releases.add(name);
  releases.add("broken", 'throw new Error("no database");');
  releases.point("a");
  const cluster = await TestCluster.start({ script: releases.script, nodes, settings: { releaseWatchMs: 300, minReadyMs: 200 } });
  const load = new SessionLoad({ port: cluster.port, clients: 20, thinkMs: 5 });
  const watch = new ReleaseWatch(cluster.port);
  const startedMs = performance.now();
  for (let at = 0; at < reloads; at += 1) {
    const release = at % 2 === 0 ? "b" : "a";
    releases.point(release);
    watch.goingTo(release);
    const { code, stdout } = await cluster.command("reload", "--wait", "--name", "t");
    if (code !== 0) throw new Error(`reload ${at + 1} failed: ${stdout}`);
    watch.allAreOn(release);
    say(`${at + 1} of ${reloads}: all nodes are on ${release}; ${load.result.failed.length} failed so far`);
  }
  const durationMs = performance.now() - startedMs;
  releases.point("broken");
  const { code: brokenCode } = await cluster.command("reload", "--wait", "--name", "t");
  const { requests, failed, lost, stale, doubled } = await load.end();
  const { wentBack, watched, failed: unanswered } = await watch.end();
  const afterBroken = [...new Set(await Promise.all(Array.from({ length: 30 }, async () => (await ask(cluster.port, undefined)).release)))];
  const stopped = await cluster.stop();
  rmSync(releases.directory, { recursive: true });
  const all = [...failed, ...unanswered];
  return { reloads, requests, failed: all, lost, stale, doubled, wentBack, watched, durationMs, brokenCode, afterBroken, stopped };
}

interface Seen {
  readonly node: string;
  readonly release: string;
}

/** Clients without a session, who see all nodes. */
class ReleaseWatch {
  readonly #port: number;
  readonly #clients: Promise<void>[];
  readonly #seenOn = new Set<string>();
  readonly #failed: string[] = [];
  #target: string | null = null;
  /** All nodes have been seen on the target, or the command said so: nobody may answer as another release. */
  #complete = false;
  #running = true;
  #wentBack = 0;
  #watched = 0;

  constructor(port: number) {
    this.#port = port;
    endAfterTest(() => (this.#running = false));
    this.#clients = Array.from({ length: watchers }, () => this.#client());
  }

  goingTo(release: string): void {
    this.#target = release;
    this.#complete = false;
    this.#seenOn.clear();
  }

  allAreOn(release: string): void {
    if (this.#target === release) this.#complete = true;
  }

  async end(): Promise<{ wentBack: number; watched: number; failed: string[] }> {
    this.#running = false;
    await Promise.all(this.#clients);
    return { wentBack: this.#wentBack, watched: this.#watched, failed: this.#failed };
  }

  async #client(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (this.#running) {
      // What was complete before the request began must hold for its answer.
      const [complete, target] = [this.#complete, this.#target];
      try {
        const { node, release } = await ask(this.#port, agent);
        this.#watched += 1;
        if (complete && target === this.#target && release !== target) this.#wentBack += 1;
        if (target === this.#target && release === target) this.#seenOn.add(node);
        if (this.#seenOn.size === nodes) this.#complete = true;
      } catch (error) {
        this.#failed.push(`watcher: ${String(error)}`);
      }
    }
    agent.destroy();
  }
}

function ask(port: number, agent: Agent | undefined): Promise<Seen> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path: "/seen", ...(agent === undefined ? {} : { agent }) }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("error", reject);
      answer.on("end", () => {
        if (answer.statusCode === 200)
          resolve(JSON.parse(text) as Seen); // what the fixture answers
        else reject(new Error(`status ${answer.statusCode}`));
      });
    }).on("error", reject);
  });
}
