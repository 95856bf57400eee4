/**
 * A real cluster for a test: `coppice run` in a process of its own, with a private COPPICE_HOME. The test
 * waits for what it needs with a deadline; the directory is kept if the test fails.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { callAdmin, openAdmin } from "../../src/cli/admin-client.ts";
import { clusterPaths } from "../../src/init/home.ts";
import { adminRoutes, type ClusterStatus } from "../../src/model/admin.ts";
import type { ClusterPaths } from "../../src/model/birth.ts";
import type { ClusterEvent } from "../../src/model/events.ts";
import { endAfterTest } from "../left-open.ts";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const bin = join(root, "bin/coppice.js");

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ClusterOptions {
  readonly script: string;
  /** Of the command, where `script` is one. */
  readonly rest?: readonly string[];
  readonly cwd?: string;
  readonly nodes?: number;
  readonly args?: readonly string[];
  readonly settings?: Readonly<Record<string, string | number>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Of an earlier cluster, to start in its place. */
  readonly home?: string;
  readonly port?: number;
  /** Runs it as process 1 of a container's like: see `Container`. */
  readonly container?: Container;
  /** `bin/coppice.js` of an installed package; else this repository's. */
  readonly launcher?: string;
}

/** A process and a mount namespace of its own, made by root: what a container is to its processes. */
export interface Container {
  /** A shell script that makes the place ready and ends in `exec "$@"`. */
  readonly setUp: string;
  /** Where this repository is in there. */
  readonly root: string;
}

/** What stopping may take by its settings, and some more for a busy machine. */
const orderlyMsMax = 20_000;

const namespaces = ["--pid", "--fork", "--mount-proc", "--kill-child"];

export class TestCluster {
  readonly home: string;
  readonly process: ChildProcess;
  readonly port: number;
  /** It has ended, and all of its output is in `output`. */
  readonly exited: Promise<number | null>;
  readonly #container: Container | null;
  readonly #launcher: string;
  output = "";

  private constructor(port: number, options: ClusterOptions) {
    this.port = port;
    this.home = options.home ?? mkdtempSync(join(tmpdir(), "coppice-e2e-"));
    const settings = Object.entries(options.settings ?? {}).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    const flags = ["-n", String(options.nodes ?? 2), "--name", "t", ...settings, ...(options.args ?? [])];
    this.#container = options.container ?? null;
    this.#launcher = options.launcher ?? bin;
    const inside = this.#inside([process.execPath, this.#launcher, "run", ...flags, "--", options.script, ...(options.rest ?? [])]);
    const { container } = options;
    const [program = "", ...args] =
      container === undefined ? inside : ["unshare", ...namespaces, "sh", "-c", container.setUp, "container", ...inside];
    const env = { ...this.#environment(options.env), ...(options.cwd === undefined ? {} : { PWD: options.cwd }) };
    this.process = spawn(program, args, { env, cwd: options.cwd, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
      });
    }
    this.exited = new Promise((resolve) => this.process.on("close", (code) => resolve(code)));
    void this.exited.then(endAfterTest(() => this.#end()));
  }

  /** Starts it and waits until every node is ready, and what it leans on. */
  static async start(options: ClusterOptions): Promise<TestCluster> {
    const port = options.port ?? (await freePort());
    const cluster = new TestCluster(port, { ...options, env: { APP_PORT: String(port), ...options.env } });
    await cluster.until("every node is ready", async () => {
      const { nodes, forwarders, replicator } = await cluster.status();
      const wanted = cluster.processes().filter(isForwarder).length;
      return nodes.every(({ state }) => state === "ready") && forwarders.length === wanted && replicator.pid !== null;
    });
    return cluster;
  }

  /** Starts it for a test that expects it to end by itself. */
  static async startOnly(options: ClusterOptions): Promise<TestCluster> {
    const port = await freePort();
    return new TestCluster(port, { ...options, env: { APP_PORT: String(port), ...options.env } });
  }

  command(...args: string[]): Promise<CommandResult> {
    const [program = "", ...rest] = this.#inside([process.execPath, this.#launcher, ...args], true);
    return new Promise((resolve) => {
      const child = execFile(program, rest, { env: this.#environment(), maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
        ended();
        resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : null, stdout, stderr });
      });
      const ended = endAfterTest(() => child.kill("SIGKILL"));
    });
  }

  /** As `coppice status --json` prints it; without a process for each time that it is asked, which takes a slow machine a second. */
  async status(): Promise<ClusterStatus> {
    if (this.#container === null) return callAdmin<ClusterStatus>(this.#paths, adminRoutes.status);
    const { stdout, stderr, code } = await this.command("status", "--name", "t", "--json");
    if (code !== 0) throw new Error(`status: ${stderr}`);
    return JSON.parse(stdout) as ClusterStatus;
  }

  async events(): Promise<ClusterEvent[]> {
    const lines =
      this.#container === null
        ? await text(await openAdmin(this.#paths, adminRoutes.events))
        : (await this.command("events", "--name", "t", "--json")).stdout;
    return lines
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as ClusterEvent);
  }

  /** Resolves when `holds` does; an error in it counts as "not yet". */
  async until(what: string, holds: () => boolean | Promise<boolean>, deadlineMs = 90_000): Promise<void> {
    const endMs = Date.now() + deadlineMs;
    let last: unknown = null;
    while (Date.now() < endMs && !this.#hasExited) {
      try {
        if (await holds()) return;
      } catch (error) {
        last = error;
      }
      await pause(50);
    }
    throw new Error(`not within ${deadlineMs} ms: ${what}${last === null ? "" : ` (${String(last)})`}\n${this.output}`);
  }

  /** Stops it with a signal; says what its home still holds afterwards. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<{ code: number | null; left: string[] }> {
    if (!this.#hasExited) process.kill(this.#first(), signal);
    const code = await this.exited;
    const left = readdirSync(this.home);
    if (left.length === 0) rmSync(this.home, { recursive: true });
    return { code, left };
  }

  /** All processes of it, as this machine sees them. */
  processes(): number[] {
    const descendants = (pid: number): number[] => [pid, ...childrenOf(pid).flatMap(descendants)];
    return descendants(this.process.pid ?? 0);
  }

  /** In order if it can; after that all of its processes at once, and whatever still holds its output is no matter. */
  async #end(): Promise<void> {
    if (!this.#hasExited) {
      process.kill(this.#first(), "SIGTERM");
      await Promise.race([this.exited, pause(orderlyMsMax, null, { ref: false })]);
    }
    if (!this.#hasExited) for (const pid of this.processes()) killIfThere(pid);
    for (const stream of [this.process.stdout, this.process.stderr]) stream?.destroy();
  }

  get #hasExited(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  get #paths(): ClusterPaths {
    return clusterPaths(this.home, "t");
  }

  /** The process that signals are for: in a container its first one, as this machine sees it. */
  #first(): number {
    const pid = this.process.pid ?? 0;
    return this.#container === null ? pid : (childrenOf(pid)[0] ?? pid);
  }

  /** The command line as it is in the container; `enter`: and with what gets there. */
  #inside(commandLine: string[], enter = false): string[] {
    if (this.#container === null) return commandLine;
    const { root: there } = this.#container;
    const line = commandLine.map((word) => (word.startsWith(root) ? join(there, word.slice(root.length)) : word));
    return enter ? ["nsenter", "--target", String(this.#first()), "--pid", "--mount", ...line] : line;
  }

  #environment(env: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
    const { COPPICE_TEST_NODE: _, ...ours } = process.env; // the tests' own: see test/inside/runtimes.ts
    return { ...ours, COPPICE_HOME: this.home, ...env };
  }
}

/** None of one that has gone meanwhile. */
function childrenOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").map(Number);
    return children.filter((child) => child > 0);
  } catch {
    return [];
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has gone by itself.
  }
}

/** From its first moment on, when it has not said its name yet. */
export function isForwarder(pid: number): boolean {
  return /\/forwarder\/main\.js|^coppice forwarder/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, () => resolve()));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
