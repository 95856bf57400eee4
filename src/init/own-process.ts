/**
 * One of Coppice's own processes (monitor, forwarder, replicator): started with a channel, welcomed with
 * all that it must know, started again with a growing pause whenever it ends before it was told to, and
 * ended where it hangs.
 */
import { type ChildProcess, fork, type SendHandle } from "node:child_process";
import { fileURLToPath } from "node:url";
import { processorMsOf, wantsProcessor } from "../link/process-stat.ts";
import type { AreYouThere, Here, Welcome } from "../model/birth.ts";
import { isMemoryScarce } from "../model/memory.ts";
import type { Log } from "./log.ts";
import { LogLines } from "./log-lines.ts";
import { Pulse } from "./pulse.ts";
import type { AppUser } from "./rights.ts";

const pauseMsMin = 20;
const pauseMsMax = 2_000;
/** A process that lived this long had a good start: the next pause is the shortest again. */
const goodLifeMs = 10_000;

const memoryFault = /^SIG(?:SEGV|BUS|ABRT)$/;

type NodeOptions = Readonly<Record<Welcome["role"], readonly string[]>>;

const mainOf = { monitor: "../daemon/main.js", forwarder: "../forwarder/main.js", replicator: "../replicator/main.js" } as const;

/**
 * The forwarder's where memory is not scarce. Each collection costs a quarter of a millisecond for all who wait, however little there is to
 * collect: of 32 MiB from the start there is one a second at 15,000 requests; V8 itself, which lets it grow by what survives, stayed at 3 to
 * 6 MiB, and came to four to eight. Threads that help would only be waited for: nearly nothing survives.
 */
export const forwarderNodeOptions: readonly string[] = ["--min-semi-space-size=32", "--max-semi-space-size=32", "--no-parallel-scavenge"];
/** Small young generations: these processes live long and keep little (bench/footprint: 185 MiB became 135). */
const smallHeap: NodeOptions = {
  monitor: ["--max-semi-space-size=1", "--optimize-for-size"],
  replicator: ["--max-semi-space-size=1", "--optimize-for-size"],
  forwarder: ["--max-semi-space-size=4"],
};
/** Where memory is not scarce: without the few MiB of code that its inner loops are, the aging model takes 1.7 times the processor's time (`bench/aging/cost.ts`). */
const fastHeap: NodeOptions = { ...smallHeap, monitor: ["--max-semi-space-size=4"], forwarder: forwarderNodeOptions };

export interface OwnProcessOptions {
  readonly welcome: Omit<Welcome, "crashes">;
  readonly log: Log;
  /** As whom it runs; null: as init does. */
  readonly user: AppUser | null;
  readonly onMessage: (message: unknown) => void;
  /** Welcomed, the first time or again: tell it what else it must know. */
  readonly onStarted: () => void;
}

export class OwnProcess {
  readonly #options: OwnProcessOptions;
  #child: ChildProcess | null = null;
  #pauseMs = pauseMsMin;
  #crashes = 0;
  #timer: NodeJS.Timeout | null = null;
  #finishing = false;
  #onEnd: (() => void) | null = null;

  constructor(options: OwnProcessOptions) {
    this.#options = options;
    this.#start();
  }

  get id(): string {
    return this.#options.welcome.id;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** False if the process is not there: it will be told again when it is. */
  send(message: object, handle?: object): boolean {
    if (this.#child === null || !this.#child.connected) return false;
    // Raw handles are accepted (Node's own cluster sends them), though not declared.
    this.#child.send(message, handle as SendHandle | undefined, {}, () => {});
    return true;
  }

  /** Tells it to finish, ends it after `deadlineMs`; resolves when it is gone. It is not started again. */
  finish(message: object | null, deadlineMs: number): Promise<void> {
    this.#finishing = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const child = this.#child;
    if (child === null) return Promise.resolve();
    return new Promise((resolve) => {
      const deadline = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
      this.#onEnd = () => {
        clearTimeout(deadline);
        resolve();
      };
      if (message === null || !this.send(message)) child.kill("SIGTERM");
    });
  }

  kill(): void {
    this.#finishing = true;
    this.#child?.kill("SIGKILL");
  }

  #start(): void {
    const { welcome, log, user } = this.#options;
    const startedAtMs = Date.now();
    const environment = { ...process.env };
    delete environment["NODE_OPTIONS"]; // meant for the application
    let child: ChildProcess;
    try {
      child = fork(fileURLToPath(new URL(mainOf[welcome.role], import.meta.url)), [], {
        cwd: "/",
        env: environment,
        execArgv: [...(isScarce(welcome) ? smallHeap : fastHeap)[welcome.role]],
        stdio: ["ignore", "pipe", "pipe", "ipc"],
        detached: true, // Ctrl-C in the terminal is for init alone
        ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
      });
    } catch (error) {
      return this.#ended(String(error), false, startedAtMs);
    }
    this.#child = child;
    new LogLines(log, "coppice", "stdout").read(child.stdout);
    new LogLines(log, "coppice", "stderr").read(child.stderr);
    const pulse = this.#pulseOf(child);
    child.on("message", (message) => {
      const { kind } = message as Here; // our own process, our own channel: one of what it sends
      if (kind === "here") pulse.answered();
      else this.#options.onMessage(message);
    });
    // No process, no descriptor to be had: one that never was does not exit.
    child.on("error", (error) => {
      if (child.pid !== undefined) return;
      pulse.stop();
      this.#ended(error.message, false, startedAtMs);
    });
    child.on("exit", (code, signal) => {
      pulse.stop();
      this.#ended(signal ?? `code ${code}`, memoryFault.test(signal ?? ""), startedAtMs);
    });
    this.send({ ...welcome, crashes: this.#crashes } satisfies Welcome);
    this.#options.onStarted();
  }

  #pulseOf(child: ChildProcess): Pulse {
    const { pid } = child;
    return new Pulse({
      ask: () => this.send({ kind: "are-you-there" } satisfies AreYouThere),
      processorMs: () => (pid === undefined ? null : processorMsOf(pid)),
      wantsProcessor: () => pid !== undefined && wantsProcessor(pid),
      onHang: (silentMs) => {
        if (this.#finishing) return; // it has a deadline of its own
        this.#options.log.say(`${this.id} hangs: it has not answered for ${silentMs / 1_000} s, and is ended`);
        child.kill("SIGKILL");
      },
    });
  }

  #ended(why: string, isMemoryFault: boolean, startedAtMs: number): void {
    this.#child = null;
    if (this.#finishing) {
      this.#onEnd?.();
      return;
    }
    const livedWell = Date.now() - startedAtMs > goodLifeMs;
    if (livedWell) this.#pauseMs = pauseMsMin;
    this.#crashes = !livedWell && isMemoryFault ? this.#crashes + 1 : 0;
    this.#options.log.say(`${this.id} ended (${why}); starting it again in ${this.#pauseMs} ms`);
    this.#timer = setTimeout(() => this.#start(), this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, pauseMsMax);
  }
}

function isScarce({ spec: { memory } }: Pick<Welcome, "spec">): boolean {
  return memory !== null && isMemoryScarce(memory.limitBytes);
}
