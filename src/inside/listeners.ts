/**
 * Listeners: a server of the application that listens on a fixed TCP port listens on a private Unix
 * socket instead, and says of itself what it would have said. The forwarder takes the port.
 *
 * The seam is `net.Server.prototype._listen2`, where all forms of `listen` meet with plain arguments
 * (the same on Node 18 to 26). Port 0, paths, descriptors and cluster workers are left alone.
 */
import cluster from "node:cluster";
import { Server as HttpServer, maxHeaderSize } from "node:http";
import { type AddressInfo, isIPv6, Server as NetServer } from "node:net";
import { networkInterfaces } from "node:os";
import type { InstanceBirth } from "../model/birth.ts";
import { type ListenAddress, nodeOf } from "../model/node.ts";

export interface MovedListener {
  readonly at: ListenAddress;
  readonly socketPath: string;
}

export interface MoveOptions {
  readonly directory: string;
  readonly instance: string;
  readonly givenPort: InstanceBirth["givenPort"];
  readonly onMoved: (server: HttpServer, listener: MovedListener) => void;
  readonly onClosed: (listener: MovedListener) => void;
  readonly onNotice: (code: string, text: string) => void;
}

type Listen2 = (
  this: NetServer,
  address: string | null,
  port: number,
  addressType: number,
  backlog: number,
  fd: number | undefined,
  flags: number,
) => void;
/** libuv's bit of `flags` for `ipv6Only`. */
const ipv6OnlyFlag = 1;
/** Mark, longest address, port and scheme, with the name. */
const privateHeaderBytesMax = 128;

interface Internals {
  _listen2: Listen2;
  _handle: unknown;
}

/** `begun` is asked at each listen on a fixed port: null where this process is not the instance. */
export function moveListeners(begun: (listens: boolean) => MoveOptions | null): void {
  const prototype = NetServer.prototype as unknown as Internals; // Node's own method, see above
  const listen2 = prototype._listen2;
  /** By address and port: the server that listens there, or did last. */
  const taken = new Map<string, NetServer>();
  const widened = new WeakSet<NetServer>();
  let count = 0;
  prototype._listen2 = function (this: NetServer, address, port, addressType, backlog, fd, flags): void {
    const listenAsAsked = () => listen2.call(this, address, port, addressType, backlog, fd, flags);
    if (port === 0 && !(typeof fd === "number" && fd >= 0) && taken.size === 0 && isPlainHttp(this)) {
      begun(false)?.onNotice(
        "random-port",
        "the server listens on a port drawn at random, which is left to it; a server that honours PORT can be given one with --port",
      );
    }
    if (port === -1 && typeof address === "string" && isPlainHttp(this)) {
      const options = begun(false);
      if (options !== null && !isOwnPath(address, options.instance))
        options.onNotice(
          "unix-socket",
          `the server listens on a Unix socket (${address}), which is left to it: one process alone can have it, while nodes share a port. Let it listen on one, or on a path with COPPICE_NODE and COPPICE_GENERATION in it`,
        );
    }
    const handle = (this as unknown as Internals)._handle; // set in a worker of node:cluster
    if (!(port > 0) || (typeof fd === "number" && fd >= 0) || handle) return listenAsAsked();
    const options = begun(true);
    if (options === null) return listenAsAsked();
    if (!isPlainHttp(this)) {
      options.onNotice(...whyNotMoved(this, publicPort(port, options)));
      return listenAsAsked();
    }
    const key = `${address ?? "*"}|${port}`;
    // One that was closed has given the port back, though it may still answer what it has.
    if (taken.get(key)?.listening === true) return refuseTaken(this, address, port);
    taken.set(key, this);
    count += 1;
    const ipv6Only = (flags & ipv6OnlyFlag) === 0 ? {} : { ipv6Only: true as const };
    const listener: MovedListener = {
      at: { address, port: publicPort(port, options), ...ipv6Only },
      socketPath: `${options.directory}/${options.instance}-${count}.sock`,
    };
    if (!widened.has(this)) widen(this as HttpServer); // isPlainHttp, above
    widened.add(this);
    this.once("listening", () => options.onMoved(this as HttpServer, listener)); // isPlainHttp, above
    this.once("close", () => {
      if (taken.get(key) === this) taken.delete(key);
      Reflect.deleteProperty(this, "address"); // it may listen elsewhere next
      options.onClosed(listener);
    });
    this.address = () => addressAsAsked(address, listener.at.port);
    listen2.call(this, listener.socketPath, -1, -1, backlog, undefined, flags);
  };
}

function publicPort(port: number, { givenPort }: MoveOptions): number {
  return port === givenPort?.own ? givenPort.public : port;
}

/** The private header comes on top of what the server reads of a head: its clients' heads may be as long as they might. */
function widen(server: HttpServer & { maxHeaderSize?: number }): void {
  server.maxHeaderSize = (server.maxHeaderSize || maxHeaderSize) + privateHeaderBytesMax;
}

function isPlainHttp(server: NetServer): boolean {
  return server instanceof HttpServer; // https and http2 servers are TLS or net servers, not these
}

/** Another one in each process, by its node and generation or by its pid. */
function isOwnPath(path: string, instance: string): boolean {
  const node = nodeOf(instance);
  const numbers: readonly string[] = path.replaceAll(node, "").match(/\d+/g) ?? [];
  return numbers.includes(String(process.pid)) || (path.includes(node) && numbers.includes(instance.slice(node.length + 1)));
}

/** Code and text of what its author can do. */
function whyNotMoved(server: NetServer, port: number): [string, string] {
  if (cluster.isPrimary && Object.keys(cluster.workers ?? {}).length > 0)
    return [
      "node-cluster",
      `port ${port} is served by workers of node:cluster, which Coppice cannot share, drain or regenerate. It does what the primary process does: let the server listen itself, without workers, and say how many there are to be with -n`,
    ];
  if ("setSecureContext" in server)
    return [
      "https-inside",
      `port ${port} is HTTPS inside the application, which Coppice cannot read, and so not share between nodes. Let it listen with plain HTTP, and give Coppice its certificate (--tls-cert, --tls-key)`,
    ];
  return [
    "not-http",
    `port ${port} is not HTTP/1.1 (nor are HTTP/2 without TLS, and gRPC): it is left to the server itself, and one process alone can have it. With more than one node give each its own (COPPICE_NODE_INDEX says which it is); one node (-n 1) is regenerated in place. A server that listens on nothing else cannot be started: Coppice must have a port of HTTP/1.1 to know when it is ready. One that only looks whether it is free finds it taken by Coppice: let it take its port from PORT, as a command with --port (coppice run --port 3000 -- node server.js)`,
  ];
}

/** What `server.address()` would have answered. */
function addressAsAsked(address: string | null, port: number): AddressInfo {
  const shown = address ?? (hasIPv6() ? "::" : "0.0.0.0");
  return { address: shown, family: isIPv6(shown) ? "IPv6" : "IPv4", port };
}

let ipv6: boolean | null = null;

function hasIPv6(): boolean {
  ipv6 ??= Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ family }) => family === "IPv6") === true);
  return ipv6;
}

/** Unix sockets never collide: within a process the second listener on a port is refused by us, as Node would. */
function refuseTaken(server: NetServer, address: string | null, port: number): void {
  const shown = address ?? "::";
  const error = Object.assign(new Error(`listen EADDRINUSE: address already in use ${shown}:${port}`), {
    code: "EADDRINUSE",
    errno: -98,
    syscall: "listen",
    address: shown,
    port,
  });
  process.nextTick(() => server.emit("error", error));
}
