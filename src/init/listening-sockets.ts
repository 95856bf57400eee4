/**
 * The cluster's public sockets. Init binds them and holds them for its whole life; forwarders get them
 * over their channel and accept on them. While a forwarder is away the kernel queues what connects.
 *
 * `net._createServerHandle` is what Node's own cluster module binds with: a bound handle that nobody in
 * this process accepts on, which no public call gives (`server.listen` would accept here).
 */
import net from "node:net";
import { getSystemErrorName } from "node:util";
import type { ListenAddress, ListenerId } from "../model/node.ts";

/** A bound TCP handle, opaque but for these. */
export interface BoundHandle {
  getsockname(into: object): number;
  close(): void;
}

type CreateServerHandle = (
  address: string | null,
  port: number,
  /** -1, as the port: the address is a Unix socket's path. */
  addressType: 4 | 6 | -1 | null,
  fd: number | null,
  flags: number,
) => BoundHandle | number;
// Not in Node's type declarations; see above.
const createServerHandle = (net as unknown as { _createServerHandle: CreateServerHandle })._createServerHandle;

/** libuv's. */
const ipv6OnlyFlag = 1;

/**
 * How many handles of one socket the forwarders get together. libuv takes one connection of a handle in each turn of its loop, however many
 * wait; while answers stream a turn may take 10 ms and more, and new clients would wait for hundreds of them.
 */
export const socketHandles = 4;

export interface ListeningSocket {
  readonly id: ListenerId;
  readonly at: ListenAddress;
  readonly handle: BoundHandle;
}

/** Binds; an address that cannot be had is named by its system code (`EADDRINUSE`, `EACCES`). */
export function bindSocket(id: ListenerId, at: ListenAddress): ListeningSocket | { readonly code: string } {
  // As Node's own listen does without a host: both families, else IPv4 alone.
  const wanted = at.address === null ? ["::", "0.0.0.0"] : [at.address];
  let code = "EINVAL";
  for (const address of wanted) {
    const handle = createServerHandle(address, at.port, net.isIPv6(address) ? 6 : 4, null, at.ipv6Only === true ? ipv6OnlyFlag : 0);
    const status = typeof handle === "number" ? handle : handle.getsockname({}); // libuv tells EADDRINUSE only at the next call
    if (typeof handle !== "number" && status === 0) return { id, at, handle };
    if (typeof handle !== "number") handle.close();
    code = getSystemErrorName(status);
    if (code === "EADDRINUSE" || code === "EACCES") break;
  }
  return { code };
}

/** Of a descriptor that this process was given: null where it is no TCP socket. */
export function handleOf(descriptor: number): BoundHandle | null {
  const handle = createServerHandle(null, 0, null, descriptor, 0);
  return typeof handle === "number" || !("getsockname" in handle) ? null : handle;
}

/** Why a Unix socket cannot be made at this path; null: it can, and is gone again. */
export function socketProblem(path: string): string | null {
  const handle = createServerHandle(path, -1, -1, null, 0);
  if (typeof handle === "number") return getSystemErrorName(handle);
  handle.close(); // and removes it
  return null;
}

/** A port that nobody listens on at this moment, at neither address of the loopback. */
export function anyFreePort(): number {
  for (;;) {
    const handle = createServerHandle("127.0.0.1", 0, 4, null, 0);
    if (typeof handle === "number") throw new Error(`no free port: ${getSystemErrorName(handle)}`);
    const name: { port?: number } = {};
    handle.getsockname(name);
    handle.close();
    const other = bindSocket("", { address: "::1", port: name.port ?? 0 });
    if (!("code" in other)) other.handle.close();
    if (!("code" in other) || other.code !== "EADDRINUSE") return name.port ?? 0;
  }
}
