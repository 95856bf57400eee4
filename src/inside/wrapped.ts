/**
 * In the process tree of a command (`npm start`, `next start`, `tsx`), every Node process loads the probe, and
 * the first that listens on a port *is* the instance. Until then each hands what the tree was given at birth
 * on to the processes that it starts: Node closes inherited descriptors, so they must be passed by hand. All
 * others stay inert.
 */
import { ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { delimiter } from "node:path";

const birthVariable = "COPPICE_BIRTH_FD";

interface SpawnOptions {
  stdio?: unknown;
  envPairs?: string[];
}
type Spawn = (this: ChildProcess, options: SpawnOptions) => unknown;
interface SpawnSync {
  spawn: (options: SpawnOptions) => { output?: unknown[] | null };
}

let passing = true;

/** Patches the two places where all ways to start a process meet (Node 18 to 26): those that wait for its end, and those that do not. */
export function passOn(fd: number): void {
  const prototype = ChildProcess.prototype as unknown as { spawn: Spawn }; // not in Node's type declarations
  const spawn = prototype.spawn;
  prototype.spawn = function (options) {
    return spawn.call(this, withBirth(options, fd) ?? options);
  };
  const sync = spawnSyncBinding();
  if (sync === null) return;
  const spawnSync = sync.spawn;
  sync.spawn = (options) => {
    const passed = withBirth(options, { type: "fd", fd });
    const result = spawnSync.call(sync, passed ?? options);
    if (passed !== null) result.output?.pop();
    return result;
  };
}

/** Null: this process does not get it, by its environment. */
function withBirth(options: SpawnOptions, descriptor: unknown): SpawnOptions | null {
  const at = options.envPairs?.findIndex((pair) => pair.startsWith(`${birthVariable}=`)) ?? -1;
  if (!passing || at < 0 || options.envPairs === undefined) return null;
  const stdio: unknown[] = Array.isArray(options.stdio) ? [...options.stdio] : Array.from({ length: 3 }, () => options.stdio ?? "pipe");
  while (stdio.length < 3) stdio.push("pipe");
  const envPairs = options.envPairs.map((pair, index) => (index === at ? `${birthVariable}=${stdio.length}` : pair));
  stdio.push(descriptor);
  return { ...options, stdio, envPairs };
}

/** `child_process.spawnSync` and what is built on it look it up at each call. Null: this Node does not give it any more. */
function spawnSyncBinding(): SpawnSync | null {
  try {
    return (process as unknown as { binding: (name: string) => SpawnSync }).binding("spawn_sync"); // not in Node's type declarations
  } catch {
    return null;
  }
}

/** True for one process of the tree: the first that asks. */
export function claim(path: string): boolean {
  try {
    closeSync(openSync(path, "wx", 0o600));
    return true;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException; // Node's own
    // One without the right to make it (Node's permission model, another user) looks like a server that does not listen.
    if (code !== "EEXIST") process.stderr.write(`coppice: this process listens, and cannot be the node: ${message} (${path})\n`);
    return false;
  }
}

/** The application's environment as it would be without us; processes that it starts from now on are its own affair. */
export function forgetWrapping(): void {
  passing = false;
  const { env } = process;
  const shims = env["COPPICE_SHIMS"];
  const added = env["COPPICE_OPTIONS"] ?? "";
  for (const name of [birthVariable, "COPPICE_CLAIM", "COPPICE_SHIMS", "COPPICE_OPTIONS"]) delete env[name];
  if (shims !== undefined && env["PATH"] !== undefined)
    env["PATH"] = env["PATH"]
      .split(delimiter)
      .filter((directory) => directory !== shims)
      .join(delimiter);
  const options = env["NODE_OPTIONS"]?.replace(added, "").trim();
  if (options === undefined || options === "") delete env["NODE_OPTIONS"];
  else env["NODE_OPTIONS"] = options;
}
