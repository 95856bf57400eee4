/**
 * Small loads for applications without sessions (those with them take test/e2e/session-load.ts): requests with
 * keep-alive, and chats whose clients connect again when they are told to. Each answer is checked.
 */
import { Agent, request } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { endAfterTest } from "../left-open.ts";

export interface LoadOptions {
  readonly port: number;
  readonly clients: number;
  readonly thinkMs: number;
}

export interface Load {
  readonly result: { requests: number; readonly failed: string[] };
  /** Lets each client finish what it began. */
  end(): Promise<unknown>;
}

const answerMsMax = 5_000;

abstract class Clients implements Load {
  readonly result = { requests: 0, failed: [] as string[] };
  readonly options: LoadOptions;
  running = true;
  #clients: Promise<void>[] = [];

  constructor(options: LoadOptions) {
    this.options = options;
  }

  begin(): this {
    endAfterTest(() => (this.running = false));
    this.#clients = Array.from({ length: this.options.clients }, (_, index) => this.client(index));
    return this;
  }

  abstract client(index: number): Promise<void>;

  async end(): Promise<void> {
    this.running = false;
    await Promise.all(this.#clients);
  }
}

/** `GET /hello?n=1` answers `{"hello": "1"}`, `POST /echo` answers what it was sent. */
export class RequestLoad extends Clients {
  async client(index: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let turn = index; this.running; turn += 1) {
      const text = JSON.stringify(turn % 3 === 0 ? { item: turn } : { hello: String(turn) });
      const path = turn % 3 === 0 ? "/echo" : `/hello?n=${turn}`;
      this.result.requests += 1;
      const answer = await ask({ port: this.options.port, path, agent, body: turn % 3 === 0 ? text : null });
      if (answer.status !== 200 || answer.body.replaceAll(" ", "") !== text)
        this.result.failed.push(`${path}: ${answer.status} ${answer.body.slice(0, 200)}`);
      await pause(this.options.thinkMs);
    }
    agent.destroy();
  }
}

/** Clients of a WebSocket echo. Ended with "service restart" or "going away" a client connects again; anything else is a failure. */
export class ChatLoad extends Clients {
  async client(): Promise<void> {
    while (this.running) await this.#connection();
  }

  #connection(): Promise<void> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.options.port}/`);
    let said = 0;
    return new Promise((resolve) => {
      const say = () => {
        if (socket.readyState !== WebSocket.OPEN) return;
        if (!this.running) return socket.close();
        said += 1;
        this.result.requests += 1;
        socket.send(String(said));
      };
      socket.addEventListener("message", ({ data }) => {
        if (said > 0 && data !== String(said)) this.result.failed.push(`said ${said}, heard ${String(data).slice(0, 100)}`);
        setTimeout(say, this.options.thinkMs);
      });
      socket.addEventListener("close", ({ code, wasClean }) => {
        if (this.running && !(wasClean && (code === 1012 || code === 1001))) this.result.failed.push(`closed with ${code}`);
        resolve();
      });
    });
  }
}

interface SocketIoClient {
  readonly connected: boolean;
  timeout(ms: number): { emitWithAck(name: string, text: string): Promise<unknown> };
  on(name: string, heard: (error: Error) => void): void;
  close(): void;
}

type Connect = (url: string, options: object) => SocketIoClient;

/** Clients of Socket.IO, which reconnect by themselves; what was said into a connection that ended is said again. */
export class SocketIoLoad extends Clients {
  readonly #connect: Connect;

  constructor(options: LoadOptions, folder: string) {
    super(options);
    this.#connect = (createRequire(join(folder, "package.json"))("socket.io-client") as { io: Connect }).io; // the package's export
  }

  async client(index: number): Promise<void> {
    const options = {
      transports: ["websocket"],
      forceNew: true,
      reconnectionDelay: 50,
      reconnectionDelayMax: 200,
    };
    const socket = this.#connect(`http://127.0.0.1:${this.options.port}`, options);
    socket.on("connect_error", (error) => this.running && this.result.failed.push(`cannot connect: ${error.message}`));
    for (let turn = index; this.running; turn += 1) {
      const text = String(turn);
      this.result.requests += 1;
      const heard = await socket.timeout(answerMsMax).emitWithAck("said", text).catch(String);
      if (heard !== text && socket.connected) this.result.failed.push(`said ${text}, heard ${String(heard)}`);
      await pause(this.options.thinkMs);
    }
    socket.close();
  }
}

export interface Question {
  readonly port: number;
  readonly path: string;
  readonly agent?: Agent;
  readonly body?: string | null;
  /** Of the client: another address of the loopback. */
  readonly from?: string;
}

/** Never rejects: status 0 and the error's message where there is no whole answer in time. */
export function ask({ port, path, agent, body = null, from }: Question): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const call = request(
      {
        host: "127.0.0.1",
        port,
        path,
        method: body === null ? "GET" : "POST",
        timeout: answerMsMax,
        ...(agent === undefined ? {} : { agent }),
        ...(from === undefined ? {} : { localAddress: from }),
        headers: body === null ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
      },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        answer.on("error", (error) => resolve({ status: 0, body: error.message }));
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body: text }));
      },
    );
    call.on("timeout", () => call.destroy(new Error(`no answer within ${answerMsMax} ms`)));
    call.on("error", (error) => resolve({ status: 0, body: error.message }));
    call.end(body ?? undefined);
  });
}
