/**
 * Init: the parent of the whole cluster, without policy. It holds the listening sockets and the log
 * pipes, starts instances by name (an id once), runs their stop ladders, and starts Coppice's own
 * processes again when they die. What to start and stop, and when, the monitor says. Its own death ends
 * everything: each child sees its end of the channel close.
 */
import { randomBytes } from "node:crypto";
import { fingerprintKeyFor, markFor, tokenFor } from "../link/token.ts";
import type { Accepting, ClusterSpec, FromInit, InstanceBirth, ToInit, Welcome } from "../model/birth.ts";
import { controlProtocol } from "../model/control.ts";
import type { InstanceId, ListenAddress, ListenerId } from "../model/node.ts";
import { type Health, HealthServer } from "./health.ts";
import { type InitFile, passableMode, takeHome } from "./home.ts";
import { InheritedSockets } from "./inherited-sockets.ts";
import { Instance, type StartOrder } from "./instance.ts";
import { anyFreePort, bindSocket, type ListeningSocket, socketHandles } from "./listening-sockets.ts";
import type { Log } from "./log.ts";
import { OwnProcess } from "./own-process.ts";
import { type AppUser, shareDirectories } from "./rights.ts";

/** Shares of stopTimeoutMs: requests finish first, then the nodes, then what is left for the store. */
const forwarderShareRatio = 0.55;
const nodeShareRatio = 0.3;
/** Signals of one key press may come twice (terminal and launcher); a second one later means "at once". */
const sameSignalMs = 700;
const endedAtOnce = 130;
/** A process that hangs in the system (a disk, a file server) does not end by SIGKILL either. */
const atOnceMsMax = 3_000;

export interface InitOptions {
  readonly log: Log;
  readonly background: InitFile["background"];
  /** Where `/live` and `/ready` are answered; null: nowhere. */
  readonly health: ListenAddress | null;
  /** As whom instances and forwarders run; null: as init does. */
  readonly user: AppUser | null;
}

export class Init {
  readonly #spec: ClusterSpec;
  readonly #options: InitOptions;
  readonly #clusterKey = randomBytes(32).toString("hex");
  readonly #bootId = randomBytes(8).toString("hex");
  readonly #giveBackHome: () => void;
  readonly #instances = new Map<InstanceId, Instance>();
  readonly #startedIds = new Set<InstanceId>();
  readonly #inherited = new InheritedSockets();
  readonly #sockets = new Map<ListenerId, ListeningSocket>();
  /** Those on which a forwarder has accepted: what connects to them is queued at least, whoever is away. */
  readonly #accepted = new Set<ListenerId>();
  readonly #monitor: OwnProcess;
  readonly #forwarders: readonly OwnProcess[];
  readonly #replicator: OwnProcess;
  readonly #health: HealthServer | null;
  #told: Extract<ToInit, { kind: "health" }> = { kind: "health", serving: [], hopeless: false };
  #onInstanceGone: (() => void) | null = null;
  #shutDownAtMs: number | null = null;
  #shutDownReason = "";
  #isAtOnce = false;
  #exit: (code: number) => void = () => {};
  readonly done: Promise<number>;

  constructor(spec: ClusterSpec, options: InitOptions) {
    this.#spec = spec;
    this.#options = options;
    const { background, user } = options;
    const { stopTimeoutMs } = spec.settings;
    const owner = { name: spec.name, bootId: this.#bootId, stopTimeoutMs, stopSignal: "SIGUSR2", background } as const;
    // What NODE_OPTIONS has Node do at a signal (a heap snapshot, a report) is meant for the server.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2"]) process.removeAllListeners(signal);
    // Before anything is made that has to be given back; heard when all of this is done.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => this.#signalled(signal));
    process.on("SIGUSR2", () => void this.shutDown("coppice stop", 0));
    this.#giveBackHome = takeHome(spec.paths, owner, user === null ? undefined : passableMode);
    if (user !== null) shareDirectories(spec.paths, user);
    this.done = new Promise((resolve) => {
      this.#exit = resolve;
    });
    process.title = `coppice ${spec.name}`;
    // Who reads the logs may go away; the cluster serves on.
    for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
    this.#replicator = this.#own(
      "replicator",
      "replicator",
      () => {},
      () => {},
    );
    this.#forwarders = Array.from({ length: spec.forwarders }, (_, index) =>
      this.#own(
        "forwarder",
        `forwarder-${index + 1}`,
        (message) => this.#acceptsOn(message as Accepting), // as below
        () => this.#giveSockets(index),
      ),
    );
    this.#monitor = this.#own(
      "monitor",
      "monitor",
      (message) => this.#obey(message as ToInit), // our own process, our own channel
      () => this.#tellShutDown(),
    );
    this.#health = this.#serveHealth();
  }

  #serveHealth(): HealthServer | null {
    const at = this.#options.health;
    if (at === null) return null;
    const server = new HealthServer(() => this.#healthNow());
    server.listen(at).catch((error: NodeJS.ErrnoException) => {
      this.#options.log.say(`--health ${at.address ?? "*"}:${at.port} cannot be had (${error.code}): choose another port`);
      void this.shutDown("no address for its health", 1);
    });
    return server;
  }

  #healthNow(): Health {
    if (this.#shutDownAtMs !== null) return { live: true, ready: false, text: "stopping" };
    const serving = this.#told.serving.filter((id) => this.#instances.has(id)).length;
    const ready = serving > 0 && this.#accepted.size > 0 && this.#forwarders.some(({ pid }) => pid !== null);
    const text = this.#told.hopeless ? "every node has failed" : `${serving} ${serving === 1 ? "node serves" : "nodes serve"}`;
    return { live: !this.#told.hopeless, ready, text };
  }

  #own(role: Welcome["role"], id: string, onMessage: (message: unknown) => void, onStarted: () => void): OwnProcess {
    const welcome: Omit<Welcome, "crashes"> = {
      kind: "welcome",
      role,
      id,
      clusterKey: this.#clusterKey,
      initPid: process.pid,
      bootId: this.#bootId,
      spec: this.#spec,
    };
    // The constructor's callbacks may run before the field is set: init's own state is complete by then.
    const user = role === "forwarder" ? this.#options.user : null;
    return new OwnProcess({ welcome, log: this.#options.log, user, onMessage, onStarted: () => setImmediate(onStarted) });
  }

  #tell(message: FromInit): void {
    this.#monitor.send(message);
  }

  #obey(message: ToInit): void {
    switch (message.kind) {
      case "start":
        this.#start(message);
        break;
      case "stop":
        this.#instances.get(message.instance)?.stop(message.signal, message.graceMs);
        break;
      case "listen":
        this.#listen(message);
        break;
      case "roster":
        this.#tell({
          kind: "roster",
          instances: [...this.#instances.values()].map(({ id, pid, startedAtMs, port }) => ({ instance: id, pid, startedAtMs, port })),
        });
        break;
      case "health":
        this.#told = message;
        break;
      case "shut-down":
        void this.shutDown(message.reason, message.exitCode);
        break;
    }
  }

  #start(order: StartOrder): void {
    const running = this.#instances.get(order.instance);
    if (this.#shutDownAtMs !== null) return;
    if (running !== undefined) return this.#tell({ kind: "started", instance: running.id, pid: running.pid, port: running.port });
    // Started and ended while the monitor was away: an id is started once.
    if (this.#startedIds.has(order.instance))
      return this.#tell({ kind: "exited", instance: order.instance, code: null, signal: null, tail: [] });
    this.#startedIds.add(order.instance);
    let port: number | null;
    try {
      port = order.release.kind === "command" && this.#spec.port !== null ? this.#freePort() : null;
    } catch (error) {
      return this.#tell({ kind: "start-failed", instance: order.instance, reason: String(error) });
    }
    const instance = new Instance({
      order,
      birth: this.#birthOf(order, port),
      directory: this.#spec.paths.directory,
      user: this.#options.user,
      log: this.#options.log,
      onStarted: (pid) => this.#tell({ kind: "started", instance: order.instance, pid, port }),
      onFailed: (reason) => {
        this.#instances.delete(order.instance);
        this.#tell({ kind: "start-failed", instance: order.instance, reason });
        this.#onInstanceGone?.();
      },
      onExit: (exit) => {
        this.#instances.delete(order.instance);
        this.#tell({ kind: "exited", instance: order.instance, ...exit });
        this.#onInstanceGone?.();
      },
    });
    this.#instances.set(order.instance, instance);
  }

  /** A command is given a port of its own: one without a probe cannot share. */
  #freePort(): number {
    const taken = new Set([...this.#instances.values()].map(({ port }) => port));
    for (;;) {
      const port = anyFreePort();
      if (!taken.has(port)) return port;
    }
  }

  #birthOf(order: StartOrder, port: number | null): InstanceBirth {
    const { paths, settings } = this.#spec;
    return {
      protocol: controlProtocol,
      instance: order.instance,
      node: order.node,
      nodeIndex: order.nodeIndex,
      generation: order.generation,
      token: tokenFor(this.#clusterKey, "instance", order.instance),
      mark: markFor(this.#clusterKey, order.instance),
      fingerprintKey: fingerprintKeyFor(this.#clusterKey),
      controlSocket: paths.controlSocket,
      storeSocket: paths.storeSocket,
      givenPort: port === null || this.#spec.port === null ? null : { own: port, public: this.#spec.port },
      listenDirectory: paths.listenDirectory,
      sampleIntervalMs: settings.sampleIntervalMs,
      replaceSessionStore: settings.replaceSessionStore,
      ...order.settings,
    };
  }

  #listen({ id, at }: Extract<ToInit, { kind: "listen" }>): void {
    const known = this.#sockets.get(id);
    if (known !== undefined || this.#shutDownAtMs !== null) {
      if (known !== undefined && this.#accepted.has(id)) this.#tell({ kind: "bound", id, at: known.at });
      return;
    }
    const bound = this.#inherited.take(id, at) ?? bindSocket(id, at);
    if ("code" in bound) {
      if (bound.code === "EADDRINUSE" && at.port === this.#options.health?.port)
        this.#options.log.say(`port ${at.port} is what --health was given: choose another one for it`);
      this.#tell({ kind: "bind-failed", id, at, code: bound.code });
      return;
    }
    this.#sockets.set(id, bound);
    for (const forwarder of this.#forwarders) this.#giveSocket(forwarder, bound);
  }

  #acceptsOn({ id }: Accepting): void {
    const socket = this.#sockets.get(id);
    if (socket === undefined || this.#accepted.has(id)) return;
    this.#accepted.add(id);
    this.#tell({ kind: "bound", id, at: socket.at });
  }

  #giveSockets(index: number): void {
    const forwarder = this.#forwarders[index];
    for (const socket of this.#sockets.values()) if (forwarder !== undefined) this.#giveSocket(forwarder, socket);
  }

  /** All forwarders accept on the same socket: while one is away, the others take what connects. */
  #giveSocket(forwarder: OwnProcess, { id, at, handle }: ListeningSocket): void {
    const handles = Math.ceil(socketHandles / this.#forwarders.length);
    for (let given = 0; given < handles; given += 1) forwarder.send({ kind: "listener", id, at }, handle);
  }

  #signalled(signal: string): void {
    if (this.#shutDownAtMs !== null) {
      if (Date.now() - this.#shutDownAtMs > sameSignalMs) this.#endAtOnce();
      return;
    }
    void this.shutDown(signal, 0);
  }

  /** Ends everything in order, within stopTimeoutMs: requests, nodes, store, monitor, files. */
  async shutDown(reason: string, exitCode: number): Promise<void> {
    if (this.#shutDownAtMs !== null) return;
    this.#shutDownAtMs = Date.now();
    this.#shutDownReason = reason;
    const { stopTimeoutMs } = this.#spec.settings;
    this.#options.log.say(`stopping (${reason}): requests in process finish first; everything ends within ${stopTimeoutMs / 1_000} s`);
    this.#tellShutDown();
    const finishMs = Math.floor(stopTimeoutMs * forwarderShareRatio);
    const finish = { kind: "finish", deadlineMs: Math.floor(finishMs * 0.9) };
    await Promise.all(this.#forwarders.map((forwarder) => forwarder.finish(finish, finishMs)));
    for (const { handle } of this.#sockets.values()) handle.close();
    await this.#stopInstances(Math.floor(stopTimeoutMs * nodeShareRatio));
    const restMs = Math.floor((stopTimeoutMs * (1 - forwarderShareRatio - nodeShareRatio)) / 2);
    await this.#replicator.finish({ kind: "finish" }, restMs);
    await this.#monitor.finish(null, restMs);
    this.#end(this.#isAtOnce ? endedAtOnce : exitCode);
  }

  #end(exitCode: number): void {
    this.#health?.close();
    try {
      this.#giveBackHome();
    } catch (error) {
      // A disk that is read-only by now: all has ended all the same.
      const why = error instanceof Error ? error.message : String(error);
      this.#options.log.say(
        `${this.#spec.paths.directory} could not be removed, the next start of "${this.#spec.name}" clears it (${why})`,
      );
    }
    this.#exit(exitCode);
  }

  /** To each monitor: what ends from here on is no crash. */
  #tellShutDown(): void {
    if (this.#shutDownAtMs !== null) this.#tell({ kind: "shutting-down", reason: this.#shutDownReason });
  }

  #stopInstances(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#onInstanceGone = () => {
        if (this.#instances.size === 0) resolve();
      };
      for (const instance of this.#instances.values()) instance.stop("SIGTERM", graceMs);
      this.#onInstanceGone();
    });
  }

  /** A second Ctrl-C: all is killed, and the orderly end, which is under way, has only to wait until the system has taken it. */
  #endAtOnce(): void {
    if (this.#isAtOnce) return;
    this.#isAtOnce = true;
    this.#options.log.say("ending at once");
    for (const instance of this.#instances.values()) instance.stop("SIGKILL", 0);
    for (const own of [...this.#forwarders, this.#replicator, this.#monitor]) own.kill();
    setTimeout(() => this.#end(endedAtOnce), atOnceMsMax).unref();
  }
}
