/** What the benchmark does with the machine: C programs compiled, processes pinned to a core, their CPU time read. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { atEnd } from "../ending.ts";

export const here = fileURLToPath(new URL(".", import.meta.url));

/** Compiles `name`.c of this directory into `directory`. */
export function compile(name: string, directory: string): string {
  const program = join(directory, name);
  execFileSync("cc", ["-O2", "-o", program, join(here, `${name}.c`)]);
  return program;
}

export interface Pinned {
  readonly process: ChildProcess;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a process on one core; resolves when it prints "ready" first, or at once if it is not said to. */
export async function pinned(core: number, command: string, args: readonly string[], saysReady: boolean): Promise<Pinned> {
  const child = spawn("taskset", ["-c", String(core), command, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const own = pinnedOf(child);
  if (saysReady) {
    const { stdout } = child;
    const word = await Promise.race([once(stdout, "data").then(String), once(child, "exit").then(([code]) => `ended with ${code}`)]);
    if (!word.startsWith("ready")) throw new Error(`${command} ${args.join(" ")}: ${word}`);
    stdout.resume();
  }
  return own;
}

export function pinnedOf(child: ChildProcess): Pinned {
  const { pid } = child;
  const exited = once(child, "exit");
  atEnd(() => child.kill("SIGKILL"));
  if (pid === undefined) throw new Error("it did not start");
  return {
    process: child,
    pid,
    stop: async () => {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/**
 * Lets the thread that a process began with go before all that has no such right (SCHED_FIFO; as root). Its other threads stay
 * behind: V8's wait for each other by asking again and again, and would never let each other run.
 */
export function putFirst(pid: number): void {
  execFileSync("chrt", ["--fifo", "--pid", "1", String(pid)]);
}

export function putBack(pid: number): void {
  execFileSync("chrt", ["--other", "--pid", "0", String(pid)]);
}

/** CPU time of a process, its threads and its children so far, nanoseconds, by the scheduler's own account. */
export function cpuNs(pid: number): number {
  let sum = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    sum += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
    const children = readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim();
    if (children !== "") for (const child of children.split(" ")) sum += cpuNs(Number(child));
  }
  return sum;
}

export function rssBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

export async function listens(port: number): Promise<void> {
  const { connect } = await import("node:net");
  for (let turn = 0; turn < 1_200; turn += 1) {
    const socket = connect(port, "127.0.0.1");
    const up = await Promise.race([once(socket, "connect").then(() => true), once(socket, "close").then(() => false)]).catch(() => false);
    socket.destroy();
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`nobody listens on port ${port}`);
}
