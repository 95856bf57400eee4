/**
 * What `node --require` loads into the user's unmodified server. It reads what the process was given at
 * birth from an inherited descriptor, takes itself out of the process's arguments and environment, and
 * starts the probe. In any other process that loads it, it does nothing.
 */
import { fstatSync, readSync } from "node:fs";
import { Socket } from "node:net";
import { isMainThread } from "node:worker_threads";
import type { InstanceBirth } from "../model/birth.ts";
import { type MoveOptions, moveListeners } from "./listeners.ts";
import { Probe } from "./probe.ts";
import { Sessions } from "./session/install.ts";
import { StoreClient } from "./session/store-client.ts";
import { StartUpCheck } from "./start-up/check.ts";
import { InstanceState } from "./state/instance-state.ts";
import { hearWorkers, tellListens } from "./worker-threads.ts";
import { claim, forgetWrapping, passOn } from "./wrapped.ts";

const birthLineBytesMax = 64 * 1024;
/** After init's death the server may still end by itself, so long. */
const orphanGraceMs = 5_000;

const descriptor = process.env["COPPICE_BIRTH_FD"];
const claimPath = process.env["COPPICE_CLAIM"];
if (isMainThread && descriptor !== undefined) {
  if (claimPath === undefined) installAt(Number(descriptor));
  else waitForListen(Number(descriptor), claimPath);
}
if (!isMainThread) tellListens();

/** `node server.js`: this process is the instance. */
function installAt(fd: number): void {
  delete process.env["COPPICE_BIRTH_FD"];
  forgetPreload();
  install(() => begin(fd), true);
}

/** In the tree of a command: the first process that listens is the instance. */
function waitForListen(fd: number, path: string): void {
  passOn(fd);
  install(() => {
    if (!claim(path)) return null;
    forgetWrapping();
    const birth = begin(fd);
    if (birth === null)
      process.stderr.write(
        `coppice: this process listens, and cannot be the node: what started it did not pass on descriptor ${fd}, which Coppice had given it (node --watch, sudo and Python's subprocess do not). Give its own command to Coppice\n`,
      );
    return birth;
  }, false);
}

function install(born: () => InstanceBirth | null, atOnce: boolean): void {
  try {
    const store = new StoreClient();
    const parts = { store, sessions: new Sessions(store), state: new InstanceState(store, () => begun(true)), check: new StartUpCheck() };
    let options: MoveOptions | null | undefined;
    const begun = (listens: boolean) => {
      if (options === undefined && listens) {
        const birth = born();
        options = birth === null ? null : new Probe(birth, parts).begin();
        hearWorkers((port) => options?.onNotice("worker-thread", servedByWorker(port)));
      }
      return options ?? null;
    };
    moveListeners(begun);
    if (atOnce) begun(true);
  } catch (error) {
    // The application runs on; that it was not moved will show as a port in use, and here is why.
    process.stderr.write(`coppice: the probe could not be installed: ${error instanceof Error ? error.stack : String(error)}\n`);
  }
}

function servedByWorker(port: number): string {
  return `port ${port} is served by a worker thread, which Coppice cannot share, drain or regenerate. Let the main thread listen, and leave to workers what they compute for it`;
}

function begin(fd: number): InstanceBirth | null {
  const birth = readBirth(fd);
  if (birth !== null) endWithInit(fd);
  return birth;
}

/** Forked helpers must not load the probe, and the application sees its own arguments. */
function forgetPreload(): void {
  const at = process.execArgv.findIndex(
    (argument, index) => (argument === "--require" || argument === "-r") && process.execArgv[index + 1] === __filename,
  );
  if (at < 0) return;
  let end = at + 2;
  while (/^--max-(?:old|semi)-space-size=/.test(process.execArgv[end] ?? "")) end += 1;
  process.execArgv.splice(at, end - at);
}

function readBirth(fd: number): InstanceBirth | null {
  const buffer = Buffer.alloc(birthLineBytesMax);
  let length = 0;
  try {
    while (!buffer.subarray(0, length).includes(10)) {
      const read = readSync(fd, buffer, length, buffer.length - length, null);
      if (read === 0) {
        if (fstatSync(fd).isSocket()) endAsOrphan(); // init died before it had said a word: nobody would ever end this server
        return null;
      }
      length += read;
    }
    return JSON.parse(buffer.toString("utf8", 0, length)) as InstanceBirth; // init's own line, over a private descriptor
  } catch {
    return null; // not our parent's descriptor
  }
}

/** The descriptor's end is init's death: end as on a stop, and not later than after the grace. */
function endWithInit(fd: number): void {
  const lifeline = new Socket({ fd, readable: true, writable: false });
  lifeline.unref();
  lifeline.on("error", () => {});
  lifeline.on("close", endAsOrphan);
  lifeline.resume();
}

function endAsOrphan(): void {
  process.kill(process.pid, "SIGTERM");
  setTimeout(() => process.kill(process.pid, "SIGKILL"), orphanGraceMs).unref();
}
