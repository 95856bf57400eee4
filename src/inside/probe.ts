/**
 * The probe: preloaded into the user's unmodified server (`node --require`). It reads what it was given
 * at birth from an inherited descriptor, takes itself out of the process's arguments and environment,
 * and wires its parts to the control link. In any other process that loads it, it does nothing.
 *
 * Nothing here may break the application: a part that fails is reported and stays out of the way.
 */
import { readSync } from "node:fs";
import { Socket } from "node:net";
import { isMainThread } from "node:worker_threads";
import { Link } from "../link/link.ts";
import type { InstanceBirth } from "../model/birth.ts";
import { controlProtocol, type FromInstance, type ToInstance } from "../model/control.ts";
import { Indicators } from "./indicators.ts";
import { collectEvidence } from "./evidence.ts";
import { moveListeners, type MovedListener } from "./listeners.ts";
import { Requests } from "./requests.ts";
import { installSessions } from "./session/install.ts";

const birthLineBytesMax = 64 * 1024;
/** After init's death the server may still end by itself, so long. */
const orphanGraceMs = 5_000;
const noticesMax = 50;

const descriptor = process.env["COPPICE_BIRTH_FD"];
if (isMainThread && descriptor !== undefined) begin(Number(descriptor));

function begin(fd: number): void {
  delete process.env["COPPICE_BIRTH_FD"];
  forgetPreload();
  const birth = readBirth(fd);
  if (birth === null) return;
  endWithInit(fd);
  const probe = new Probe(birth);
  probe.install();
}

/** Forked helpers must not load the probe, and the application sees its own arguments. */
function forgetPreload(): void {
  const at = process.execArgv.findIndex((argument, index) => (argument === "--require" || argument === "-r") && process.execArgv[index + 1] === __filename);
  if (at >= 0) process.execArgv.splice(at, 2);
}

function readBirth(fd: number): InstanceBirth | null {
  const buffer = Buffer.alloc(birthLineBytesMax);
  let length = 0;
  try {
    while (!buffer.subarray(0, length).includes(10)) {
      const read = readSync(fd, buffer, length, buffer.length - length, null);
      if (read === 0) return null;
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
  lifeline.on("close", () => {
    process.kill(process.pid, "SIGTERM");
    setTimeout(() => process.kill(process.pid, "SIGKILL"), orphanGraceMs).unref();
  });
  lifeline.resume();
}

class Probe {
  readonly #birth: InstanceBirth;
  readonly #listeners = new Map<string, MovedListener>();
  readonly #notices: FromInstance[] = [];
  readonly #cookies: FromInstance[] = [];
  readonly #requests: Requests;
  #link: Link | null = null;
  #indicators: Indicators | null = null;

  constructor(birth: InstanceBirth) {
    this.#birth = birth;
    this.#requests = new Requests({
      mark: birth.mark,
      quietMs: birth.quietMs,
      onQuiet: () => this.#tell({ kind: "quiet" }),
    });
  }

  install(): void {
    const { instance, token, controlSocket } = this.#birth;
    const sessions = installSessions(this.#birth, (message) => this.#say(message));
    moveListeners({
      directory: this.#birth.listenDirectory,
      instance,
      onMoved: (server, listener) => {
        this.#requests.watch(server);
        this.#listeners.set(listener.socketPath, listener);
        this.#tell({ kind: "listening", ...listener });
        this.#startSampling();
      },
      onClosed: (listener) => {
        this.#listeners.delete(listener.socketPath);
        this.#tell({ kind: "listener-closed", at: listener.at });
      },
      onNotice: (code, text) => this.#say({ kind: "notice", level: "warning", code, text }),
    });
    this.#link = new Link({
      path: controlSocket,
      hello: { kind: "hello", protocol: controlProtocol, role: "instance", id: instance, token, pid: process.pid },
      onUp: () => this.#tellLevel(),
      onFrame: ({ head }) => this.#heard(head as ToInstance, sessions.flush), // the monitor, on its private socket
    });
  }

  #tell(message: FromInstance): boolean {
    return this.#link?.send(message) ?? false;
  }

  /** What must not be missed: told when the link is up, cookies' names each time that it comes up. */
  #say(message: FromInstance): boolean {
    const told = this.#tell(message);
    if (message.kind === "affinity-cookie") this.#cookies.push(message);
    else if (!told && this.#notices.length < noticesMax) this.#notices.push(message);
    return told;
  }

  #tellLevel(): void {
    for (const listener of this.#listeners.values()) this.#tell({ kind: "listening", ...listener });
    for (const message of this.#cookies) this.#tell(message);
    // Notices are told once: the monitor keeps them.
    for (const message of this.#notices.splice(0)) this.#tell(message);
    if (this.#requests.fenced) this.#tell({ kind: "fenced", activeRequests: this.#requests.active });
    this.#requests.tellQuietAgain();
  }

  #heard(message: ToInstance, flush: () => Promise<{ writes: number; checksum: string }>): void {
    switch (message.kind) {
      case "fence":
        this.#requests.fence();
        this.#tell({ kind: "fenced", activeRequests: this.#requests.active });
        break;
      case "unfence":
        this.#requests.unfence();
        break;
      case "hand-off":
        flush().then(
          ({ writes, checksum }) => this.#tell({ kind: "handed-off", writes, checksum }),
          (error: unknown) => this.#say({ kind: "notice", level: "warning", code: "hand-off-failed", text: String(error) }),
        );
        break;
      case "take-evidence":
        this.#tell({ kind: "evidence", evidence: collectEvidence(this.#requests.total) });
        break;
    }
  }

  #startSampling(): void {
    if (this.#indicators !== null) return;
    const indicators = new Indicators();
    this.#indicators = indicators;
    setInterval(() => {
      this.#tell({ kind: "sample", sample: indicators.sample(Date.now(), this.#requests.total) });
    }, this.#birth.sampleIntervalMs).unref();
  }
}
