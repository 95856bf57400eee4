/**
 * The tests' own load: keep-alive clients with a session each, one third of their requests POSTs that
 * append to it. Each client knows exactly what its session must hold and checks every answer against it.
 *
 * A POST without an answer may have been executed or not: its item is indeterminate until a read shows it, and
 * never counted as lost or doubled.
 *
 * Failed: a socket error (of an idle connection too), an unexpected status, a wrong body, more than 5 s (on a slow
 * machine as long as it takes for a hundred starts of a process, 30 s at most: who is waited for may have to be started).
 * Stale: a read that misses a write acknowledged before the read began. Doubled: an item seen twice.
 */
import { spawnSync } from "node:child_process";
import { Agent, request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { endAfterTest } from "../left-open.ts";

const answerMsMax = Math.min(Math.max(5_000, 100 * longestStartMs(6)), 30_000);

export interface LoadResult {
  requests: number;
  posts: number;
  failed: string[];
  /** When each of the failed ended. */
  failedAtMs: number[];
  stale: number;
  doubled: number;
  lost: number;
  latenciesMs: { atMs: number; ms: number }[];
}

export interface LoadOptions {
  readonly port: number;
  readonly clients: number;
  readonly thinkMs?: number;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly cookie: string | null;
}

interface Wrong {
  readonly kind: "lost" | "stale" | "doubled" | "other";
  readonly what: string;
}

/** What one session must hold, in order: every acknowledged item, and any of the indeterminate ones, once. */
class Account {
  #known: number[] = [];
  readonly #maybe = new Set<number>();

  indeterminate(item: number | null): void {
    if (item !== null) this.#maybe.add(item);
  }

  appended(item: number, count: number): Wrong | null {
    const least = this.#known.length + 1;
    this.#known.push(item);
    if (count >= least && count <= least + this.#maybe.size) return null;
    return { kind: "other", what: `POST answered count ${count}, expected ${least} and at most ${this.#maybe.size} more` };
  }

  read(items: readonly number[]): Wrong | null {
    const what = `GET answered ${items.length} items, expected ${this.#known.length} and at most ${this.#maybe.size} more`;
    if (items.length === 0 && this.#known.length > 0) return { kind: "lost", what };
    if (this.#known.some((item) => !items.includes(item))) return { kind: "stale", what };
    if (new Set(items).size < items.length) return { kind: "doubled", what };
    const isOurs = (item: number) => this.#known.includes(item) || this.#maybe.has(item);
    if (!items.every((item, at) => isOurs(item) && (at === 0 || item > (items[at - 1] ?? 0)))) return { kind: "other", what };
    // What was seen once must be seen from now on.
    for (const item of items) this.#maybe.delete(item);
    this.#known = [...items];
    return null;
  }
}

export class SessionLoad {
  readonly result: LoadResult = { requests: 0, posts: 0, failed: [], failedAtMs: [], stale: 0, doubled: 0, lost: 0, latenciesMs: [] };
  readonly #options: LoadOptions;
  readonly #agents: Agent[] = [];
  readonly #clients: Promise<void>[];
  readonly #ended: () => void;
  #running = true;
  #destroyed = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#ended = endAfterTest(() => this.destroy());
    this.#clients = Array.from({ length: options.clients }, (_, index) => this.#client(index));
  }

  /** Lets every client finish its request, then read its session a last time. */
  async end(): Promise<LoadResult> {
    this.#running = false;
    await Promise.all(this.#clients);
    this.#ended();
    return this.result;
  }

  /** Waits for no answer. */
  async destroy(): Promise<void> {
    this.#running = false;
    this.#destroyed = true;
    for (const agent of this.#agents) agent.destroy();
    await Promise.all(this.#clients);
  }

  async #client(index: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    this.#agents.push(agent);
    const account = new Account();
    let cookie: string | null = null;
    let next = 1;
    for (let turn = index; this.#running; turn += 1) {
      if (turn % 3 === 0 || cookie === null) {
        const answer = await this.#send(agent, "POST", cookie, JSON.stringify({ item: next }));
        // Without a cookie the session itself was never known to this client.
        if (answer === null) account.indeterminate(cookie === null ? null : next);
        else {
          cookie = answer.cookie ?? cookie;
          this.#judge(account.appended(next, (JSON.parse(answer.body) as { count: number }).count)); // what the fixture answers
        }
        next += 1;
      } else await this.#read(agent, cookie, account);
      if (this.#options.thinkMs !== undefined) await pause(this.#options.thinkMs);
    }
    if (cookie !== null && !this.#destroyed) await this.#read(agent, cookie, account);
    agent.destroy();
  }

  async #read(agent: Agent, cookie: string | null, account: Account): Promise<void> {
    const answer = await this.#send(agent, "GET", cookie, null);
    if (answer !== null) this.#judge(account.read((JSON.parse(answer.body) as { items: number[] }).items)); // as above
  }

  #judge(wrong: Wrong | null): void {
    if (wrong === null) return;
    this.#fail(wrong.what);
    if (wrong.kind !== "other") this.result[wrong.kind] += 1;
  }

  #fail(what: string): void {
    this.result.failed.push(what);
    this.result.failedAtMs.push(Date.now());
  }

  #send(agent: Agent, method: string, cookie: string | null, body: string | null): Promise<Answer | null> {
    const startedMs = performance.now();
    const fail = (what: string) => {
      this.#fail(`${method}: ${what}`);
      return null;
    };
    this.result.requests += 1;
    if (method === "POST") this.result.posts += 1;
    return new Promise((resolve) => {
      const call = request(
        {
          host: "127.0.0.1",
          port: this.#options.port,
          path: "/items",
          method,
          agent,
          headers: {
            ...(cookie === null ? {} : { cookie }),
            ...(body === null ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
          },
        },
        (answer) => {
          let text = "";
          answer.setEncoding("utf8");
          answer.on("data", (chunk: string) => {
            text += chunk;
          });
          answer.on("error", (error) => resolve(fail(`answer broken: ${error.message}`)));
          answer.on("end", () => {
            const ms = performance.now() - startedMs;
            this.result.latenciesMs.push({ atMs: Date.now(), ms });
            if (answer.statusCode !== 200) resolve(fail(`status ${answer.statusCode}: ${text.slice(0, 200)}`));
            else if (ms > answerMsMax) resolve(fail(`took ${Math.round(ms)} ms`));
            else resolve({ status: 200, body: text, cookie: answer.headers["set-cookie"]?.[0]?.split(";")[0] ?? null });
          });
        },
      );
      call.on("socket", (socket) => {
        if (socket.listenerCount("close", this.#onClose) === 0) socket.on("close", this.#onClose);
      });
      call.on("error", (error) => resolve(fail(error.message)));
      call.end(body ?? undefined);
    });
  }

  /** A connection that ended in an error while nobody used it is a failure too. */
  readonly #onClose = (hadError: boolean): void => {
    if (hadError && this.#running) this.#fail("a connection was reset");
  };
}

function longestStartMs(starts: number): number {
  const startMs = () => {
    const beginMs = performance.now();
    spawnSync(process.execPath, ["-e", "0"]);
    return performance.now() - beginMs;
  };
  return Math.max(...Array.from({ length: starts }, startMs));
}

/** The q-quantile, by the nearest rank; milliseconds. */
export function quantileMs(latencies: readonly { readonly ms: number }[], q: number): number {
  const sorted = latencies.map(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}
