/** A stage for one real replicator process: the test plays init and the monitor, and makes instances' clients. */
import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { StoreClient } from "../../src/inside/session/store-client.ts";
import { Link } from "../../src/link/link.ts";
import { LinkServer, type Peer } from "../../src/link/link-server.ts";
import { tokenFor } from "../../src/link/token.ts";
import type { InstanceBirth, Welcome } from "../../src/model/birth.ts";
import type { FromReplicator } from "../../src/model/control.ts";
import { nodeOf } from "../../src/model/node.ts";
import type { SessionAnswer, SessionRequest } from "../../src/model/session.ts";
import { simSpec } from "../../src/sim/sim-spec.ts";
import { endAfterTest } from "../left-open.ts";

const replicatorMain = fileURLToPath(new URL("../../dist/replicator/main.js", import.meta.url));
const clusterKey = "bb66";

export class ReplicatorStage {
  readonly directory = mkdtempSync(join(tmpdir(), "coppice-rep-"));
  /** What the replicator wrote to its log so far. */
  output = "";
  readonly #sessionsDirectory: string;
  readonly #bootId = randomUUID();
  readonly #monitor: LinkServer;
  readonly #closed: () => void;
  #process: ChildProcess;
  #peers: Peer[] = [];
  #heard: ((message: FromReplicator) => void)[] = [];

  constructor(sessionsDirectory?: string) {
    this.#sessionsDirectory = sessionsDirectory ?? this.directory;
    this.#monitor = new LinkServer({
      path: join(this.directory, "c"),
      clusterKey,
      onPeer: (peer) => this.#peers.push(peer),
      onFrame: (_, { head }) => {
        for (const listener of this.#heard) listener(head as FromReplicator); // our own replicator
      },
      onGone: (peer) => {
        this.#peers = this.#peers.filter((one) => one !== peer);
      },
    });
    this.#process = this.#fork();
    this.#closed = endAfterTest(() => this.#end());
  }

  listen(): Promise<void> {
    return this.#monitor.listen();
  }

  client(instance: string, timeoutMs?: number): StoreClient {
    return this.born(instance, timeoutMs).client;
  }

  born(instance: string, timeoutMs = 10_000): { readonly client: StoreClient; readonly birth: InstanceBirth } {
    const birth: InstanceBirth = {
      protocol: 1,
      instance,
      node: nodeOf(instance),
      nodeIndex: 1,
      generation: 1,
      token: tokenFor(clusterKey, "instance", instance),
      mark: "m",
      controlSocket: join(this.directory, "c"),
      storeSocket: join(this.directory, "s"),
      givenPort: null,
      listenDirectory: this.directory,
      sampleIntervalMs: 1_000,
      quietMs: 100,
      sessionStoreTimeoutMs: timeoutMs,
      fingerprintKey: "f1",
      replaceSessionStore: true,
    };
    const client = new StoreClient();
    client.begin(birth);
    return { client, birth };
  }

  /** A write that was acknowledged, and whose acknowledgement was lost with its connection: sent again on another one. */
  async sendAgain(instance: string, request: SessionRequest, body: Uint8Array): Promise<SessionAnswer> {
    const answered = Promise.withResolvers<SessionAnswer>();
    const link: Link = new Link({
      path: join(this.directory, "s"),
      hello: { kind: "hello", protocol: 1, role: "instance", id: instance, token: tokenFor(clusterKey, "instance", instance), pid: 1 },
      keepAlive: true,
      onUp: () => link.send(request, body),
      onFrame: ({ head }) => answered.resolve(head as SessionAnswer), // our own replicator
    });
    const answer = await answered.promise;
    link.close();
    return answer;
  }

  async revoke(instance: string): Promise<Extract<FromReplicator, { kind: "revoked" }>> {
    const revoked = Promise.withResolvers<Extract<FromReplicator, { kind: "revoked" }>>();
    const listener = (message: FromReplicator) => {
      if (message.kind === "revoked" && message.instance === instance) revoked.resolve(message);
    };
    this.#heard.push(listener);
    this.#peers.at(-1)?.send({ kind: "revoke", instance, regeneration: "regeneration-1" });
    const message = await revoked.promise;
    this.#heard = this.#heard.filter((one) => one !== listener);
    return message;
  }

  /** Resolves when `holds`; looked at now and then, for what is looked at needs the processor too. */
  async until(holds: () => boolean, deadlineMs = 90_000): Promise<void> {
    const endMs = Date.now() + deadlineMs;
    while (!holds()) {
      if (Date.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${holds}\n${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** As the kernel's out-of-memory killer would, and then as init does. @param crashes so many in a row, as init counts. */
  async killAndRestart(meanwhile: () => void = () => {}, crashes = 0): Promise<void> {
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
    meanwhile();
    this.#process = this.#fork(crashes);
  }

  /** As a machine that swaps, or a debugger: it is there and does nothing. */
  hang(): void {
    this.#process.kill("SIGSTOP");
  }

  goOn(): void {
    this.#process.kill("SIGCONT");
  }

  async close(): Promise<void> {
    const exited = once(this.#process, "exit");
    this.#process.send({ kind: "finish" });
    await exited;
    this.#monitor.close();
    rmSync(this.directory, { recursive: true });
    this.#closed();
  }

  #end(): void {
    this.#process.kill("SIGKILL");
    this.#monitor.close();
  }

  #fork(crashes = 0): ChildProcess {
    const spec = simSpec(1);
    const { directory } = this;
    const paths = {
      ...spec.paths,
      controlSocket: join(directory, "c"),
      storeSocket: join(directory, "s"),
      sessionsFile: join(this.#sessionsDirectory, "sessions.mdb"),
    };
    const welcome: Welcome = {
      kind: "welcome",
      role: "replicator",
      id: "replicator",
      clusterKey,
      initPid: process.pid,
      bootId: this.#bootId,
      crashes,
      spec: { ...spec, paths },
    };
    const child = fork(replicatorMain, [], { execArgv: [], stdio: ["ignore", "inherit", "pipe", "ipc"] });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.output += text;
    });
    child.send(welcome);
    return child;
  }
}
