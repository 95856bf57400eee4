/**
 * One real forwarder process without the rest of a cluster: this process plays init (its channel, the bound
 * socket) and the monitor (the control socket, the route table). For tests and for the benchmark.
 */
import { type ChildProcess, fork, type SendHandle } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSettings } from "../../src/config/settings.ts";
import { bindSocket, socketHandles } from "../../src/init/listening-sockets.ts";
import { forwarderNodeOptions } from "../../src/init/own-process.ts";
import { LinkServer, type Peer } from "../../src/link/link-server.ts";
import type { Accepting, KeyPairFiles, Welcome } from "../../src/model/birth.ts";
import type { FromForwarder } from "../../src/model/control.ts";
import type { RouteTable, UpstreamRoute } from "../../src/model/routes.ts";
import { simSpec } from "../../src/sim/sim-spec.ts";

const forwarderMain = fileURLToPath(new URL("../../dist/forwarder/main.js", import.meta.url));
const clusterKey = "aa55";
export const listener = "127.0.0.1|80";

export interface LoneForwarderOptions {
  /** Where its control socket may lie. */
  readonly directory: string;
  /** Any that is free, if absent. */
  readonly port?: number;
  /** Where it listens; 127.0.0.1 if absent. */
  readonly address?: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly tls?: readonly KeyPairFiles[];
  readonly accessLog?: string | null;
  /** Its nodes have a probe; true if absent. */
  readonly probed?: boolean;
  /** The one core that it may run on. */
  readonly core?: number | null;
  /** As many descriptors as it may have open (`ulimit -n`). */
  readonly descriptors?: number | null;
  /** The program, where it is not this tree's. */
  readonly main?: string;
  /** Node's own options for it; init's if absent. */
  readonly nodeOptions?: readonly string[];
}

export class LoneForwarder {
  readonly heard: FromForwarder[] = [];
  readonly port: number;
  readonly process: ChildProcess;
  readonly #monitor: LinkServer;
  #peer: Peer | null = null;
  /** Clients are let in; one of another tree may not say so. */
  #accepts: boolean;
  readonly #probed: boolean;
  #revision = 0;
  #table: RouteTable = { revision: 0, listeners: [], upstreams: [], affinityCookies: [] };
  #waiting: (() => void)[] = [];

  private constructor(options: LoneForwarderOptions) {
    const {
      directory,
      port = 0,
      address = "127.0.0.1",
      settings = {},
      core = null,
      descriptors = null,
      tls = [],
      accessLog = null,
      probed = true,
      main = forwarderMain,
      nodeOptions = forwarderNodeOptions,
    } = options;
    this.#probed = probed;
    const controlSocket = join(directory, "c");
    this.#monitor = new LinkServer({
      path: controlSocket,
      clusterKey,
      onPeer: (peer) => {
        this.#peer = peer;
        this.#note();
      },
      onFrame: (_, { head }) => {
        this.heard.push(head as FromForwarder); // our own forwarder
        this.#note();
      },
      onGone: () => {},
    });
    const spec = simSpec(2);
    const welcome: Welcome = {
      kind: "welcome",
      role: "forwarder",
      id: "forwarder-1",
      clusterKey,
      initPid: process.pid,
      bootId: "b",
      crashes: 0,
      spec: { ...spec, tls, accessLog, settings: parseSettings(settings), paths: { ...spec.paths, controlSocket } },
    };
    const socket = bindSocket(listener, { address, port });
    if ("code" in socket) throw new Error(socket.code);
    // Of a port that was found free before, another process may make a connection's own meanwhile.
    const bound: { port?: number } = {};
    socket.handle.getsockname(bound);
    this.port = bound.port ?? port;
    const limited = descriptors === null ? [] : ["prlimit", `--nofile=${descriptors}:${descriptors}`];
    const pinned = core === null ? [] : ["taskset", "-c", `${core}`];
    const [execPath = process.execPath, ...execArgv] = [...pinned, ...limited, process.execPath, ...nodeOptions];
    this.process = fork(main, [], { execPath, execArgv, stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#accepts = main !== forwarderMain;
    this.process.on("message", (message) => {
      this.#accepts ||= (message as Accepting).kind === "accepting"; // our own forwarder, as above
      this.#note();
    });
    this.process.send(welcome);
    const given = { kind: "listener", id: listener, at: { address, port: this.port } };
    for (let left = socketHandles - 1; left >= 0; left -= 1)
      this.process.send(given, socket.handle as unknown as SendHandle, {}, () => left === 0 && socket.handle.close());
  }

  static async start(options: LoneForwarderOptions): Promise<LoneForwarder> {
    const forwarder = new LoneForwarder(options);
    await forwarder.#monitor.listen();
    await forwarder.until(() => forwarder.#peer !== null && forwarder.#accepts);
    return forwarder;
  }

  /** Sends the whole table; resolves when it was acknowledged, to that message. */
  async route(
    upstreams: readonly (Pick<UpstreamRoute, "id" | "availability" | "sockets"> & Partial<UpstreamRoute>)[],
  ): Promise<Extract<FromForwarder, { kind: "routes-applied" }>> {
    this.#revision += 1;
    const revision = this.#revision;
    const routes = upstreams.map(
      (upstream): UpstreamRoute => ({ availableSinceMs: 0, probed: this.#probed, slowStart: false, ...upstream }),
    );
    this.#table = { revision, listeners: [], upstreams: routes, affinityCookies: ["sid"] };
    this.#peer?.send({ kind: "routes", table: this.#table });
    await this.until(() => this.heard.some((message) => message.kind === "routes-applied" && message.revision === revision));
    const acknowledged = this.heard.find((message) => message.kind === "routes-applied" && message.revision === revision);
    if (acknowledged?.kind !== "routes-applied") throw new Error("just seen");
    return acknowledged;
  }

  /** Sends the same table again, with other settings; resolves when that message was acknowledged. */
  async configure(settings: Readonly<Record<string, unknown>>): Promise<void> {
    const acknowledged = () => this.heard.filter(({ kind }) => kind === "routes-applied").length;
    const before = acknowledged();
    this.#peer?.send({ kind: "routes", table: this.#table, settings: parseSettings(settings) });
    await this.until(() => acknowledged() > before);
  }

  /** Resolves when `holds`; looked at with every message, and now and then. */
  async until(holds: () => boolean, deadlineMs = 90_000): Promise<void> {
    const endMs = Date.now() + deadlineMs;
    while (!holds()) {
      if (Date.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${holds}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 50);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  async kill(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const exited = once(this.process, "exit");
      this.process.kill("SIGKILL");
      await exited;
    }
    this.#monitor.close();
  }

  #note(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
