/** A stage for one real forwarder process: the test plays init, the monitor and the instances (HTTP servers on Unix sockets). */
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createNetServer, type Server as NetServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { FromForwarder } from "../../src/model/control.ts";
import type { Availability } from "../../src/model/routes.ts";
import { endAfterTest } from "../left-open.ts";
import { LoneForwarder, type LoneForwarderOptions, listener } from "./lone-forwarder.ts";

export { listener };

export class Stage {
  readonly directory: string;
  /** From here on its clients may be reset: the forwarder is killed. */
  closing = false;
  readonly #forwarder: LoneForwarder;
  readonly #servers = new Map<string, Server>();
  readonly #rawServers: NetServer[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #states = new Map<string, Availability>();
  readonly #closed: () => void;

  private constructor(directory: string, forwarder: LoneForwarder) {
    this.directory = directory;
    this.#forwarder = forwarder;
    this.#closed = endAfterTest(() => this.close());
  }

  static async open(
    settings: Readonly<Record<string, unknown>> = {},
    more: Pick<LoneForwarderOptions, "address" | "tls" | "probed" | "accessLog" | "descriptors" | "nodeOptions"> = {},
  ): Promise<Stage> {
    const directory = mkdtempSync(join(tmpdir(), "coppice-fwd-"));
    return new Stage(directory, await LoneForwarder.start({ directory, settings, ...more }));
  }

  get port(): number {
    return this.#forwarder.port;
  }

  get process(): ChildProcess {
    return this.#forwarder.process;
  }

  get heard(): readonly FromForwarder[] {
    return this.#forwarder.heard;
  }

  /** An instance: a server on a Unix socket, in this process unless `handler` says otherwise. */
  async instance(id: string, handler: RequestListener): Promise<Server> {
    const server = createServer(handler);
    server.keepAliveTimeout = 0;
    await new Promise<void>((resolve) => server.listen(this.socketOf(id), () => resolve()));
    this.#servers.set(id, server);
    return server;
  }

  /** An instance that speaks bytes: `onConnection` gets each connection as it comes; `unread`: nothing is read before it says so. */
  async rawInstance(
    id: string,
    onConnection: (socket: Socket) => void,
    { port, unread = false }: { readonly port?: number; readonly unread?: boolean } = {},
  ): Promise<void> {
    const server = createNetServer({ allowHalfOpen: true, pauseOnConnect: unread }, (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      onConnection(socket);
    });
    this.#rawServers.push(server);
    await new Promise<void>((resolve) => server.listen(port ?? this.socketOf(id), () => resolve()));
  }

  /** Sends a table with these upstreams alone; resolves when it was acknowledged. */
  async routeTo(...upstreams: Parameters<LoneForwarder["route"]>[0]): Promise<void> {
    await this.#forwarder.route(upstreams);
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
    return this.#forwarder.route(
      [...this.#states].map(([id, availability]) => ({ id, availability, sockets: { [listener]: this.socketOf(id) } })),
    );
  }

  /** Other settings from now on, all that are not named at their defaults. */
  configure(settings: Readonly<Record<string, unknown>>): Promise<void> {
    return this.#forwarder.configure(settings);
  }

  drained(id: string): boolean {
    return this.heard.some((message) => message.kind === "drained" && message.instance === id);
  }

  /** How often it has told its traffic, which it does once a second: what lay before it then, it has had its turns for. */
  get seconds(): number {
    return this.heard.filter(({ kind }) => kind === "traffic").length;
  }

  /** Resolves when `holds`; looked at with every message, and now and then. */
  until(holds: () => boolean, deadlineMs?: number): Promise<void> {
    return this.#forwarder.until(holds, deadlineMs);
  }

  async close(): Promise<void> {
    this.closing = true;
    this.#closed();
    await this.#forwarder.kill();
    for (const server of this.#servers.values()) {
      server.close();
      server.closeAllConnections();
    }
    for (const server of this.#rawServers) server.close();
    for (const socket of this.#sockets) socket.destroy();
    rmSync(this.directory, { recursive: true });
  }
}

/** A test with a stage of its own, closed whatever happens. */
export const withStage = (name: string, settings: Readonly<Record<string, unknown>>, body: (stage: Stage) => Promise<void>) =>
  test(name, { timeout: 180_000 }, async () => {
    const stage = await Stage.open(settings);
    try {
      await body(stage);
    } finally {
      await stage.close();
    }
  });
