/**
 * One instance as init sees it: a process group with the user's server as its leader, the descriptor
 * through which it got its birth line and whose end it takes for init's death, its log pipes, and the
 * stop ladder: signal, grace, SIGKILL of the whole group.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readSync, rmSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { descendantsOf, groupOf } from "../link/process-stat.ts";
import { claimPath, type InstanceBirth, type ToInit } from "../model/birth.ts";
import { messageOf } from "../model/errors.ts";
import type { InstanceId } from "../model/node.ts";
import type { Log } from "./log.ts";
import { LogLines } from "./log-lines.ts";
import { makeLogPipes } from "./log-pipes.ts";
import { isAlive, startTicksOf } from "./process-identity.ts";
import type { AppUser } from "./rights.ts";
import { heapOptions, wrappedEnvironment } from "./wrapped.ts";

export const probePath = fileURLToPath(new URL("../probe/inside/preload.js", import.meta.url));

/** After the leader's exit its last lines are read, so long at most. */
const pipesCloseMs = 500;
const treeLookMs = 25;

export type StartOrder = Extract<ToInit, { kind: "start" }>;

export interface InstanceExit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly tail: readonly string[];
}

export interface InstanceOptions {
  readonly order: StartOrder;
  readonly birth: InstanceBirth;
  /** The cluster's private directory. */
  readonly directory: string;
  /** As whom it runs; null: as init does. */
  readonly user: AppUser | null;
  readonly log: Log;
  readonly onStarted: (pid: number) => void;
  readonly onFailed: (reason: string) => void;
  readonly onExit: (exit: InstanceExit) => void;
}

export class Instance {
  readonly id: InstanceId;
  readonly startedAtMs: number;
  readonly port: number | null;
  /** Null: it could not be started. */
  readonly #child: ChildProcess | null;
  readonly #out: Readable | null;
  readonly #err: Readable | null;
  readonly #isCommand: boolean;
  #ladder: NodeJS.Timeout | null = null;
  /** By `performance.now()`. */
  #killedAtMs = Number.POSITIVE_INFINITY;
  #treeWatch: NodeJS.Timeout | null = null;
  /** Of its tree, who was there when it was told to end. */
  #descendants: readonly { readonly pid: number; readonly startTicks: number }[] = [];
  /** All that its tree was given is closed. */
  #isClosed = false;
  #ended = false;
  #tellEnded: () => void = () => {};
  readonly #hasEnded = new Promise<void>((resolve) => {
    this.#tellEnded = resolve;
  });

  constructor(options: InstanceOptions) {
    const { order, birth } = options;
    this.id = order.instance;
    this.startedAtMs = Date.now();
    this.port = birth.givenPort?.own ?? null;
    this.#isCommand = order.release.kind === "command";
    const pipes = makeLogPipes(options.directory, order.instance, options.user);
    this.#child = spawnOrFail(options, pipes);
    for (const { writing } of pipes ?? []) closeSync(writing);
    this.#out = pipes?.[0].reading ?? this.#child?.stdout ?? null;
    this.#err = pipes?.[1].reading ?? this.#child?.stderr ?? null;
    if (this.#child !== null) this.#watch(this.#child, options);
    else for (const stream of [this.#out, this.#err]) stream?.destroy();
  }

  #watch(child: ChildProcess, options: InstanceOptions): void {
    const { order, birth } = options;
    new LogLines(options.log, order.node, "stdout").read(this.#out);
    const err = new LogLines(options.log, order.node, "stderr");
    err.read(this.#err);
    const outputEnds = Promise.all([closed(this.#out), closed(this.#err)]);
    giveBirth(child, birth);
    child.on("spawn", () => options.onStarted(this.pid));
    child.on("error", (error) => {
      if (child.pid === undefined) options.onFailed(whyNotSpawned(error, order));
    });
    child.on("exit", () => {
      // npm and shells end at the signal at once: the server that they started has the grace, as one without a wrapper.
      if (this.#isCommand && this.#ladder !== null)
        this.#treeWatch = setInterval(() => this.#treeIsThere() || this.#end(options), treeLookMs);
      else this.#end(options);
    });
    child.on("close", async (code, signal) => {
      await outputEnds;
      this.#isClosed = true;
      if (this.#treeWatch === null) this.#end(options);
      await this.#hasEnded;
      if (child.pid !== undefined) options.onExit({ code, signal, tail: err.tail });
    });
  }

  /**
   * The last lines come before the pipes' ends, but a helper that outlives its parent holds them open: the group is ended
   * first, and a server that left the group hears by the end of its lifeline.
   */
  #end({ birth }: InstanceOptions): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#tellEnded();
    if (this.#treeWatch !== null) clearInterval(this.#treeWatch);
    if (this.#ladder !== null) clearTimeout(this.#ladder); // what bears the group's number from here on may be another's
    this.#signalTree("SIGKILL");
    if (this.#isCommand) rmSync(claimPath(birth.listenDirectory, birth.instance), { force: true });
    const child = this.#child;
    child?.stdio?.[3]?.destroy(); // without a descriptor left there is no stdio at all
    // A helper in a session of its own may still hold the log pipes: they are not waited for long.
    setTimeout(() => {
      this.#out?.destroy();
      this.#err?.destroy();
    }, pipesCloseMs);
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Idempotent: a second stop does not lengthen the grace, though it may shorten it; SIGKILL does not wait for it. */
  stop(signal: "SIGTERM" | "SIGKILL", graceMs: number): void {
    if (this.#ended) return;
    if (this.#isCommand) this.#lookAround();
    if (signal === "SIGKILL") this.#signalTree("SIGKILL");
    const killedAtMs = performance.now() + graceMs;
    if (killedAtMs >= this.#killedAtMs) return;
    this.#killedAtMs = killedAtMs;
    if (this.#ladder !== null) clearTimeout(this.#ladder);
    // A wrapper may keep the signal to itself: all of its tree is told.
    else if (this.#isCommand) this.#signalTree(signal);
    else this.#child?.kill(signal);
    this.#ladder = setTimeout(() => this.#signalTree("SIGKILL"), graceMs);
  }

  /** Who has left the group (php-fpm does) is known by its parents alone: it must be found before they end. */
  #lookAround(): void {
    if (this.#descendants.length > 0) return;
    this.#descendants = descendantsOf(this.pid).map((pid) => ({ pid, startTicks: startTicksOf(pid) ?? 0 }));
  }

  /** Of a group that has closed all, what is left and is not known may be zombies that nobody takes in; whom we may not signal (sudo's) is not waited for. */
  #treeIsThere(): boolean {
    if (this.#descendants.some(({ pid, startTicks }) => isAlive(pid, startTicks) && signalIfThere(pid, 0))) return true;
    return !this.#isClosed && this.#signalGroup(0);
  }

  #signalTree(signal: NodeJS.Signals): void {
    this.#signalGroup(signal);
    for (const { pid, startTicks } of this.#descendants)
      if (isAlive(pid, startTicks) && groupOf(pid) !== this.pid) signalIfThere(pid, signal);
  }

  /** False: the group is gone already. */
  #signalGroup(signal: NodeJS.Signals | 0): boolean {
    return this.#child?.pid !== undefined && signalIfThere(-this.#child.pid, signal);
  }
}

function signalIfThere(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** Node throws some of the system's errors (a working directory that is none), and tells others later: each is a start that failed. */
function spawnOrFail(options: InstanceOptions, pipes: ReturnType<typeof makeLogPipes>): ChildProcess | null {
  const { order, user, onFailed } = options;
  const [program, args] = commandLineOf(order);
  try {
    return spawn(program, args, {
      cwd: order.release.workingDirectory,
      env: environmentOf(options),
      stdio: ["ignore", pipes?.[0].writing ?? "pipe", pipes?.[1].writing ?? "pipe", "pipe"],
      detached: true, // a group of its own: Ctrl-C in the terminal is for init, and the ladder ends helpers too
      ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
    });
  } catch (error) {
    setImmediate(() => onFailed(messageOf(error)));
    return null;
  }
}

function closed(stream: Readable | null): Promise<unknown> {
  return stream === null ? Promise.resolve() : new Promise((resolve) => stream.once("close", resolve));
}

/** The system says ENOENT of the program also where it is the directory that is gone, or what is to run it. */
function whyNotSpawned(error: NodeJS.ErrnoException, order: StartOrder): string {
  const { workingDirectory } = order.release;
  if (!existsSync(workingDirectory)) return `the working directory ${workingDirectory} does not exist any more`;
  const [program] = commandLineOf(order);
  if (error.code !== "ENOENT" || !existsSync(program)) return error.message;
  const line = firstLineOf(program);
  const names = line.startsWith("#!") ? `what its first line names (${JSON.stringify(line)})` : "the loader that it was linked for";
  return `${error.message}: it is there, but not ${names}`;
}

/** As far as the kernel looks at it; empty where it may only be executed. */
function firstLineOf(path: string): string {
  const buffer = Buffer.alloc(256);
  try {
    const file = openSync(path, "r");
    const length = readSync(file, buffer);
    closeSync(file);
    return buffer.toString("latin1", 0, length).split("\n", 1)[0] ?? "";
  } catch {
    return "";
  }
}

function giveBirth(child: ChildProcess, birth: InstanceBirth): void {
  // stdio[3] is "pipe" above: a socket. Without a descriptor left (EMFILE) there is no stdio at all.
  const descriptor = child.stdio?.[3] as Writable | null | undefined;
  descriptor?.on("error", () => {});
  descriptor?.write(`${JSON.stringify(birth)}\n`);
}

function commandLineOf(order: StartOrder): [string, string[]] {
  const { release, heapLimitBytes } = order;
  if (release.kind === "command") return [release.script, [...release.arguments]];
  // The probe takes its own two arguments out again, and the heap's after them.
  const heap = heapOptions(hasHeapLimit(order) ? null : heapLimitBytes);
  return [release.nodePath, ["--require", probePath, ...heap, release.script, ...release.arguments]];
}

function environmentOf({ order, birth, directory, user }: InstanceOptions): NodeJS.ProcessEnv {
  const { instance, node, nodeIndex, generation, release } = order;
  const environment = {
    ...process.env,
    ...release.environment,
    ...user?.environment,
    ...(birth.givenPort === null ? {} : { PORT: String(birth.givenPort.own) }),
    COPPICE_BIRTH_FD: "3",
    COPPICE_NODE: node,
    COPPICE_NODE_INDEX: String(nodeIndex),
    COPPICE_GENERATION: String(generation),
  };
  if (release.kind === "script") return environment;
  return wrappedEnvironment(environment, {
    instance,
    nodePath: release.nodePath,
    probePath,
    directory,
    listenDirectory: birth.listenDirectory,
    heapLimitBytes: hasHeapLimit(order) ? null : order.heapLimitBytes,
  });
}

/** The user's own limit stands. */
function hasHeapLimit({ release }: StartOrder): boolean {
  const options = release.environment["NODE_OPTIONS"] ?? process.env["NODE_OPTIONS"] ?? "";
  return /--max[-_](?:old[-_]space|heap)[-_]size/.test(options);
}
