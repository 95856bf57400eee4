/**
 * A stage for one real forwarder process: the test plays init (its channel, the bound socket), the monitor
 * (the control socket, the route table) and the instances (HTTP servers on Unix sockets).
 */
import { type ChildProcess, fork, type SendHandle } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSettings } from "../../src/config/settings.ts";
import { bindSocket } from "../../src/init/listening-sockets.ts";
import { LinkServer, type Peer } from "../../src/link/link-server.ts";
import type { Welcome } from "../../src/model/birth.ts";
import type { FromForwarder } from "../../src/model/control.ts";
import type { Availability, UpstreamRoute } from "../../src/model/routes.ts";
import { simSpec } from "../../src/sim/sim-spec.ts";
import { freePort } from "../e2e/cluster.ts";

const forwarderMain = fileURLToPath(new URL("../../dist/forwarder/main.js", import.meta.url));
const clusterKey = "aa55";
export const listener = "127.0.0.1|80";

export class Stage {
  readonly directory = mkdtempSync(join(tmpdir(), "coppice-fwd-"));
  readonly port: number;
  readonly heard: FromForwarder[] = [];
  readonly process: ChildProcess;
  readonly #monitor: LinkServer;
  readonly #servers = new Map<string, Server>();
  readonly #states = new Map<string, Availability>();
  #peer: Peer | null = null;
  #revision = 0;
  #waiting: (() => void)[] = [];

  private constructor(port: number, settings: Readonly<Record<string, unknown>>) {
    this.port = port;
    this.#monitor = new LinkServer({
      path: join(this.directory, "c"),
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
      spec: { ...spec, settings: parseSettings(settings), paths: { ...spec.paths, controlSocket: join(this.directory, "c") } },
    };
    const socket = bindSocket(listener, { address: "127.0.0.1", port });
    if ("code" in socket) throw new Error(socket.code);
    this.process = fork(forwarderMain, [], { execArgv: [], stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.process.send(welcome);
    this.process.send({ kind: "listener", id: listener, at: socket.at }, socket.handle as unknown as SendHandle, {}, () =>
      socket.handle.close(),
    );
  }

  static async open(settings: Readonly<Record<string, unknown>> = {}): Promise<Stage> {
    const stage = new Stage(await freePort(), settings);
    await stage.#monitor.listen();
    await stage.until(() => stage.#peer !== null);
    return stage;
  }

  /** An instance: a server on a Unix socket, in this process unless `handler` says otherwise. */
  async instance(id: string, handler: RequestListener): Promise<Server> {
    const server = createServer(handler);
    server.keepAliveTimeout = 0;
    await new Promise<void>((resolve) => server.listen(this.socketOf(id), () => resolve()));
    this.#servers.set(id, server);
    return server;
  }

  socketOf(id: string): string {
    return join(this.directory, `${id}.sock`);
  }

  /** Sends the whole table; resolves when it was acknowledged, to that message. */
  async route(states: Readonly<Record<string, Availability | "removed">>): Promise<Extract<FromForwarder, { kind: "routes-applied" }>> {
    for (const [id, state] of Object.entries(states)) {
      if (state === "removed") this.#states.delete(id);
      else this.#states.set(id, state);
    }
    this.#revision += 1;
    const revision = this.#revision;
    const upstreams = [...this.#states].map(
      ([id, availability]): UpstreamRoute => ({
        id,
        availability,
        sockets: { [listener]: this.socketOf(id) },
        availableSinceMs: 0,
        probed: true,
        slowStart: false,
      }),
    );
    this.#peer?.send({ kind: "routes", table: { revision, listeners: [], upstreams, affinityCookies: ["sid"] } });
    await this.until(() => this.heard.some((message) => message.kind === "routes-applied" && message.revision === revision));
    const acknowledged = this.heard.find((message) => message.kind === "routes-applied" && message.revision === revision);
    if (acknowledged?.kind !== "routes-applied") throw new Error("just seen");
    return acknowledged;
  }

  drained(id: string): boolean {
    return this.heard.some((message) => message.kind === "drained" && message.instance === id);
  }

  /** Resolves when `holds`; looked at with every message, and now and then. */
  async until(holds: () => boolean, deadlineMs = 10_000): Promise<void> {
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

  async close(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const exited = new Promise<void>((resolve) => this.process.once("exit", () => resolve()));
      this.process.kill("SIGKILL");
      await exited;
    }
    this.#monitor.close();
    for (const server of this.#servers.values()) {
      server.close();
      server.closeAllConnections();
    }
    rmSync(this.directory, { recursive: true });
  }

  #note(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
