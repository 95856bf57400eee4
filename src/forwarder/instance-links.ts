/** What the forwarder keeps of one instance while it is in the table: its connections, its mark, its latencies. */
import type { ListenerId } from "../model/node.ts";
import type { UpstreamRoute } from "../model/routes.ts";
import { clientHeader } from "./headers.ts";
import { Latencies } from "./latency.ts";
import { UpstreamPool } from "./upstream-pool.ts";

export class InstanceLinks {
  readonly mark: string;
  /** The private header up to where the client's address follows. */
  readonly clientLine: Buffer;
  readonly latencies = new Latencies();
  readonly #connectTimeoutMs: () => number;
  readonly #pools = new Map<ListenerId, UpstreamPool>();

  constructor(mark: string, connectTimeoutMs: () => number) {
    this.mark = mark;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.clientLine = Buffer.from(`${clientHeader}: ${mark} `, "latin1");
  }

  poolOf(listener: ListenerId, route: UpstreamRoute): UpstreamPool {
    const known = this.#pools.get(listener);
    if (known !== undefined) return known;
    const pool = new UpstreamPool(route.sockets[listener] ?? "", route.probed, this.#connectTimeoutMs);
    this.#pools.set(listener, pool);
    return pool;
  }

  /** A server that closed its port and listens again does so on another socket. */
  follow({ sockets }: UpstreamRoute): void {
    for (const [listener, pool] of this.#pools) {
      if (pool.socket === sockets[listener]) continue;
      pool.close();
      this.#pools.delete(listener);
    }
  }

  sweep(nowMs: number): void {
    for (const pool of this.#pools.values()) pool.sweep(nowMs);
  }

  /** Returns how many there were. */
  closeIdle(): number {
    let closed = 0;
    for (const pool of this.#pools.values()) closed += pool.closeIdle();
    return closed;
  }

  /** As above, of those that one client has for itself. */
  closePinned(): number {
    let closed = 0;
    for (const pool of this.#pools.values()) closed += pool.closePinned();
    return closed;
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.close();
  }
}
