/** A stage for one real server process with the probe: the test plays init (descriptor 3), the monitor, and the forwarder. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { type Agent, type IncomingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { LinkServer, type Peer } from "../../src/link/link-server.ts";
import { tokenFor } from "../../src/link/token.ts";
import type { InstanceBirth } from "../../src/model/birth.ts";
import type { FromInstance, ToInstance } from "../../src/model/control.ts";
import { endAfterTest } from "../left-open.ts";

const preload = fileURLToPath(new URL("../../dist/probe/inside/preload.js", import.meta.url));
const clusterKey = "cc77";
export const mark = "the-mark";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export class InsideStage {
  readonly directory = mkdtempSync(join(tmpdir(), "coppice-in-"));
  readonly heard: FromInstance[] = [];
  readonly process: ChildProcess;
  /** It has ended, and all of its output is in `output`. */
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
  output = "";
  readonly #closed: () => void;
  #monitor: LinkServer;
  #peer: Peer | null = null;
  #waiting: (() => void)[] = [];

  /** @param options of Node's own, where init puts those of the heap. */
  constructor(
    nodePath: string,
    code: string,
    kind: "commonjs" | "module",
    env: Readonly<Record<string, string>> = {},
    options: readonly string[] = [],
  ) {
    this.#monitor = this.#server();
    this.#closed = endAfterTest(() => this.close());
    const birth: InstanceBirth = {
      protocol: 1,
      instance: "web-1.1",
      node: "web-1",
      nodeIndex: 1,
      generation: 1,
      token: tokenFor(clusterKey, "instance", "web-1.1"),
      mark,
      fingerprintKey: "f1",
      controlSocket: join(this.directory, "c"),
      storeSocket: join(this.directory, "s"),
      givenPort: null,
      listenDirectory: this.directory,
      sampleIntervalMs: 100,
      quietMs: 50,
      sessionStoreTimeoutMs: 2_000,
      replaceSessionStore: true,
    };
    const args = ["--require", preload, ...options, `--input-type=${kind}`, "-e", code, "--", "argument"];
    this.process = spawn(nodePath, args, {
      env: { ...process.env, ...env, COPPICE_BIRTH_FD: "3" },
      stdio: ["ignore", "pipe", "pipe", "pipe"],
    });
    (this.process.stdio[3] as Writable).write(`${JSON.stringify(birth)}\n`); // "pipe" above
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
        this.#note();
      });
    }
    this.exited = new Promise((resolve) => this.process.on("close", (exitCode, signal) => resolve({ code: exitCode, signal })));
  }

  listen(): Promise<void> {
    return this.#monitor.listen();
  }

  tell(message: ToInstance): void {
    this.#peer?.send(message);
  }

  /** The monitor dies and another takes its place; `meanwhile` none is there. */
  async restartMonitor(meanwhile: () => Promise<unknown> = async () => {}): Promise<void> {
    this.#monitor.close();
    await meanwhile();
    this.heard.length = 0;
    this.#monitor = this.#server();
    await this.#monitor.listen();
  }

  /** Ends the descriptor through which the process was born: init is dead. */
  endLifeline(): void {
    this.process.stdio[3]?.destroy();
  }

  /** The first message of the kind that was or will be heard. */
  async hear<K extends FromInstance["kind"]>(
    kind: K,
    which: (message: Extract<FromInstance, { kind: K }>) => boolean = () => true,
  ): Promise<Extract<FromInstance, { kind: K }>> {
    const find = () =>
      this.heard.find(
        (message): message is Extract<FromInstance, { kind: K }> =>
          message.kind === kind && which(message as Extract<FromInstance, { kind: K }>),
      ); // the kind was just compared
    await this.until(() => find() !== undefined, `no ${kind} was heard`);
    const found = find();
    if (found === undefined) throw new Error("just seen");
    return found;
  }

  async until(holds: () => boolean, what: string, deadlineMs = 90_000): Promise<void> {
    const endMs = Date.now() + deadlineMs;
    while (!holds()) {
      if (Date.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${what}\n${this.output}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** A request as the forwarder sends it, the private header first. */
  async ask(
    path: string,
    headers: readonly string[] = ["x-coppice-client", `${mark} 203.0.113.9 4567`, "Host", "shop.example"],
    agent: Agent | false = false,
  ): Promise<Answer> {
    const { socketPath } = await this.hear("listening");
    return new Promise((resolve, reject) => {
      // A flat array goes out as it is, in this order.
      const call = request({ socketPath, path, headers: headers as unknown as NodeJS.Dict<string>, setHost: false, agent }, (answer) => {
        let body = "";
        answer.setEncoding("utf8").on("data", (text: string) => {
          body += text;
        });
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }));
      });
      call.on("error", reject);
      call.end();
    });
  }

  async close(): Promise<void> {
    this.#closed();
    this.process.kill("SIGKILL");
    await this.exited;
    this.#monitor.close();
    rmSync(this.directory, { recursive: true });
  }

  #server(): LinkServer {
    return new LinkServer({
      path: join(this.directory, "c"),
      clusterKey,
      onPeer: (peer) => {
        this.#peer = peer;
        this.#note();
      },
      onFrame: (_, { head }) => {
        this.heard.push(head as FromInstance); // our own probe
        this.#note();
      },
      onGone: () => {},
    });
  }

  #note(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
