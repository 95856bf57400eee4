/**
 * The servers towards clients, one for each listening socket that init hands over. They accept, bound and
 * watch the deadlines; what happens to a request is the exchange's business.
 *
 * Node's own server cannot read into memory of ours, so connections are accepted from the handle itself,
 * as `net.Server` does, and given to sockets that can (`onread`): all clients' requests are read into one
 * block, out of which whatever must outlive the read is copied.
 */
import { Socket, type SocketConstructorOpts } from "node:net";
import { getSystemErrorName } from "node:util";
import type { ListenerId } from "../model/node.ts";
import { Announcement, Arrivals } from "./arrivals.ts";
import type { Certificates } from "./certificates.ts";
import type { ClientContext } from "./client.ts";
import { ClientConnection } from "./client-connection.ts";
import { clientsWithin, descriptorsMax } from "./descriptors.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { ClientFacts } from "./headers.ts";
import { type Idler, Idlers } from "./idlers.ts";
import { Yielding } from "./yielding.ts";

const backlog = 511;
const readBytes = 64 * 1024;
/** So many descriptors are to be free: where the last is taken, the system's queue of clients is lost. */
const spareDescriptors = 16;
/** How late deadlines may be, once more when they are set. */
const sweepMs = 250;

/** A listening TCP handle of Node's, opaque but for these. */
interface ListeningHandle {
  onconnection: (status: number, accepted: AcceptedHandle) => void;
  listen(backlog: number): number;
  close(): void;
}

interface AcceptedHandle {
  readonly fd: number;
  close(): void;
}

export class PublicServers {
  readonly #dispatcher: Dispatcher;
  readonly #certificates: Certificates | null;
  readonly #arrivals: Arrivals[] = [];
  readonly #handles = new Map<ListenerId, ListeningHandle[]>();
  readonly #contexts: { -readonly [K in keyof ClientContext]: ClientContext[K] }[] = [];
  readonly #connections = new Set<ClientConnection>();
  /** Sets of connections that may give way. */
  readonly #kinds: ReadonlySet<Idler>[] = [this.#connections];
  readonly #idlers = new Idlers(this.#kinds);
  readonly #yielding: Yielding | null;
  /** Of whose clients the balancer has said nothing yet. */
  readonly #announcing = new Set<Socket>();
  readonly #readBlock = Buffer.allocUnsafeSlow(readBytes);
  #onEmpty: (() => void) | null = null;
  readonly #descriptors = descriptorsMax();
  refusedTotal = 0;

  /** With certificates clients are served https, and HTTP/2 where they can. `alone`: no other process accepts on these sockets. */
  constructor(dispatcher: Dispatcher, certificates: Certificates | null, alone: boolean) {
    this.#dispatcher = dispatcher;
    this.#yielding = alone ? null : new Yielding();
    this.#certificates = certificates;
    setInterval(() => this.#tick(), sweepMs).unref();
  }

  get #connectionsMax(): number {
    return Math.min(this.#dispatcher.settings.connectionsMax, clientsWithin(this.#descriptors));
  }

  /** How many connections at once, and what says so. */
  get limit(): string {
    const max = this.#connectionsMax;
    return max === this.#dispatcher.settings.connectionsMax
      ? `${max} (connectionsMax)`
      : `${max} (of ${this.#descriptors} descriptors, ulimit -n; nodes need some)`;
  }

  get connections(): number {
    return this.#arrivals.reduce((sum, { size }) => sum + size, this.#connections.size + this.#announcing.size);
  }

  /** Idle connections that were closed for new ones. */
  get gaveWayTotal(): number {
    return this.#idlers.total;
  }

  /** Accepts on a socket that init holds, and gives several times (see `socketHandles`); null, or why it cannot. */
  listen(id: ListenerId, given: object): NodeJS.ErrnoException | null {
    const handle = given as ListeningHandle; // what Node's channel gives for a TCP handle
    const [first] = this.#handles.get(id) ?? [];
    if (first !== undefined) {
      this.#handles.get(id)?.push(handle);
      handle.onconnection = first.onconnection;
      return listenOn(handle);
    }
    const context = { dispatcher: this.#dispatcher, listener: id, nowMs: nextSweepMs(), finishing: false };
    this.#contexts.push(context);
    this.#handles.set(id, [handle]);
    const accept = this.#certificates === null ? this.#accepting(context) : this.#acceptingSecure(context, this.#certificates);
    handle.onconnection = (status, accepted) => {
      if (status !== 0) {
        this.refusedTotal += 1;
        return;
      }
      // The lowest number that was free is its own.
      if (accepted.fd >= this.#descriptors - spareDescriptors) this.#dispatcher.makeRoom();
      if (this.connections < this.#connectionsMax || this.#idlers.makeRoom(performance.now())) {
        accept(accepted);
        this.#yielding?.came(this.connections);
      } else {
        this.refusedTotal += 1;
        accepted.close();
      }
    };
    return listenOn(handle);
  }

  /** No new connections; those that are there end with their answers. Resolves when all have. */
  async finish(): Promise<void> {
    for (const handle of [...this.#handles.values()].flat()) handle.close();
    for (const context of this.#contexts) context.finishing = true;
    for (const socket of this.#announcing) socket.destroy();
    for (const connection of this.#connections) if (connection.idle) connection.end();
    this.#dispatcher.streams.finish();
    await Promise.all(this.#arrivals.map((arrivals) => arrivals.finish()));
    if (this.#connections.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  /** Plain HTTP: read straight into our own block. */
  #accepting(context: ClientContext): (accepted: AcceptedHandle) => void {
    const { proxyProtocol } = this.#dispatcher.settings;
    return (accepted) => {
      let received: (block: Buffer, length: number) => void = () => {};
      let blockFor = (shared: Buffer) => shared;
      const options = {
        handle: accepted, // as net.Server passes it; not in Node's type declarations
        allowHalfOpen: true,
        onread: {
          buffer: () => blockFor(this.#readBlock),
          callback: (length: number, block: Buffer) => {
            received(block, length);
            return true;
          },
        },
      };
      const socket = new Socket(options as unknown as SocketConstructorOpts); // see above
      if (wasGone(socket)) return void socket.destroy();
      socket.setNoDelay(true);
      const serve = (address: string, port: number) => {
        const connection = this.#add(socket, { address, port, encrypted: false }, context, socket);
        received = (block, length) => connection.received(block, length);
        blockFor = (shared) => connection.blockFor(shared);
      };
      if (!proxyProtocol) return serve(socket.remoteAddress ?? "-", socket.remotePort ?? 0);
      const announcement = new Announcement(socket, this.#dispatcher.settings.headTimeoutMs);
      this.#announcing.add(socket);
      socket.on("close", () => this.#announcing.delete(socket));
      received = (block, length) => {
        const rest = announcement.read(block.subarray(0, length));
        if (rest === null) return;
        this.#announcing.delete(socket);
        serve(announcement.client.address, announcement.client.port);
        if (rest.length > 0) received(rest, rest.length);
      };
    };
  }

  #acceptingSecure(context: ClientContext, certificates: Certificates): (accepted: AcceptedHandle) => void {
    const arrivals = new Arrivals({
      certificates,
      context,
      serve: (socket, facts, carrier) => {
        const connection = this.#add(socket, facts, context, carrier);
        socket.on("data", (chunk: Buffer) => connection.received(chunk, chunk.length));
      },
    });
    this.#arrivals.push(arrivals);
    this.#kinds.push(arrivals.http2Connections);
    return (accepted) => {
      const options = { handle: accepted }; // as above
      const socket = new Socket(options as unknown as SocketConstructorOpts); // as above
      if (wasGone(socket)) socket.destroy();
      else arrivals.take(socket.setNoDelay(true));
    };
  }

  #add(socket: Socket, facts: ClientFacts, context: ClientContext, carrier: Socket): ClientConnection {
    const connection = new ClientConnection(socket, facts, context, carrier);
    this.#connections.add(connection);
    socket.on("end", () => connection.ended());
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#connections.delete(connection);
      connection.closed();
      if (this.#connections.size === 0) this.#onEmpty?.();
    });
    return connection;
  }

  /** What has come meanwhile is read before anybody is late: where all stood still for a while, that was nobody's fault. */
  #tick(): void {
    for (const context of this.#contexts) context.nowMs = nextSweepMs();
    setImmediate(() => this.#sweep(performance.now()));
  }

  #sweep(nowMs: number): void {
    for (const connection of this.#connections) {
      if (connection.deadlineMs !== 0 && connection.deadlineMs <= nowMs) connection.late(nowMs);
      connection.watch(nowMs);
    }
    for (const arrivals of this.#arrivals) arrivals.sweep(nowMs);
    this.#yielding?.forget(this.connections);
    this.#dispatcher.sweep(nowMs);
  }
}

function listenOn(handle: ListeningHandle): NodeJS.ErrnoException | null {
  const status = handle.listen(backlog);
  if (status === 0) return null;
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`listen ${code}`), { code });
}

/** A client that reset its connection before it was accepted: what it said may still be there, but not who it was, nor anybody to answer. */
function wasGone(socket: Socket): boolean {
  return socket.remoteAddress === undefined;
}

/** Until the next sweep it is this late at most: a deadline that is reckoned from here is never early. */
function nextSweepMs(): number {
  return performance.now() + sweepMs;
}
