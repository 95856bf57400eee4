/**
 * Requests as the instance sees them: how many answers are active, how many it served, and the fence.
 * Once fenced, a new request is refused before the application sees it, with the private mark that tells
 * the forwarder that it was not executed. Quiet means: fenced, and no answer active for a while (clients
 * abort, work goes on).
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { sayListener, trustClientHeader } from "./client-address.ts";

export interface RequestsOptions {
  readonly mark: string;
  readonly quietMs: number;
  readonly onQuiet: () => void;
  readonly onFirst: () => void;
}

export class Requests {
  readonly #options: RequestsOptions;
  readonly #watched = new WeakSet<Server>();
  /** The application emits a request a second time, as Node tells it to after `checkContinue`, or at another server of its own: it is one. */
  readonly #begun = new WeakSet<ServerResponse | Socket>();
  active = 0;
  total = 0;
  fenced = false;
  #quiet = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /** Counts and fences the requests of a server whose listener was moved. */
  watch(server: Server): void {
    if (this.#watched.has(server)) return;
    this.#watched.add(server);
    trustClientHeader(this.#options.mark);
    leaveIdleConnections(server);
    const emit = server.emit;
    // An own property before the prototype's: the application's own patches of emit stay in effect.
    server.emit = (event: string | symbol, ...args: unknown[]): boolean => {
      if (event === "request" || event === "checkContinue" || event === "checkExpectation") {
        const [request, response] = args as [IncomingMessage, ServerResponse]; // what these events carry
        if (!this.#begun.has(response)) {
          if (this.fenced) return this.#refuse(request, response);
          this.#begin(response, request.socket, server.timeout);
        }
      } else if (event === "upgrade" || event === "connect") {
        const socket = args[1] as Socket; // what these events carry
        if (!this.#begun.has(socket)) {
          if (this.fenced) return this.#refuseUpgrade(socket);
          this.#begin(socket, socket, server.timeout);
        }
      } else if (event === "connection") sayListener(server, args[0] as Socket); // what this event carries
      return Reflect.apply(emit, server, [event, ...args]) as boolean; // emit's own result
    };
  }

  fence(): void {
    if (this.fenced) return;
    this.fenced = true;
    this.#quiet = false;
    this.#waitForQuiet();
  }

  unfence(): void {
    this.fenced = false;
    this.#quiet = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  tellQuietAgain(): void {
    if (this.fenced && this.#quiet) this.#options.onQuiet();
  }

  /** Time-outs that the server sets are for a request: one that is left on the connection would cut the next client's. */
  #begin(until: ServerResponse | Socket, socket: Socket, timeoutMs: number): void {
    this.#begun.add(until);
    this.active += 1;
    this.total += 1;
    if (this.total === 1) this.#options.onFirst();
    if (timeoutMs > 0) socket.setTimeout(timeoutMs);
    until.once("close", () => {
      this.active -= 1;
      if (socket.timeout) socket.setTimeout(0);
      if (this.fenced) this.#waitForQuiet();
    });
  }

  #waitForQuiet(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.active > 0) return;
    this.#timer = setTimeout(() => {
      if (!this.fenced || this.active > 0 || this.#quiet) return;
      this.#quiet = true;
      this.#options.onQuiet();
    }, this.#options.quietMs);
    this.#timer.unref();
  }

  #refuse(request: IncomingMessage, response: ServerResponse): true {
    request.resume();
    // The connection stays: ending it with a body unread would reset it, and the refusal could be lost.
    response.writeHead(503, { "x-coppice-fenced": this.#options.mark, "content-length": "0" });
    response.end();
    return true;
  }

  #refuseUpgrade(socket: Socket): true {
    socket.end(
      `HTTP/1.1 503 Service Unavailable\r\nx-coppice-fenced: ${this.#options.mark}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
    );
    return true;
  }
}

/**
 * The forwarder is the only client and keeps its connections: no idle time-out may race with its next request.
 * What the server sets for requests in process (`timeout`, on the response or on the request) stays: see `#begin`.
 */
function leaveIdleConnections(server: Server): void {
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  server.maxRequestsPerSocket = 0;
}
