/**
 * Connections to one instance's listener that wait for a request; the one used last goes first, so that
 * what is not needed grows old. A node without a probe may end a connection that was idle for a while,
 * and a request that crosses with that end may look executed: there a connection is used again only while
 * it is far younger than any server's idle time.
 */
import { type UpstreamAddress, upstreamAddress } from "./upstream-address.ts";
import { UpstreamConnection } from "./upstream-connection.ts";

const idleMax = 512;
const idleMsMax = 60_000;
/** Servers that people use wait two seconds at least. */
const unprobedIdleMsMax = 1_000;

export class UpstreamPool {
  /** As the route table has it. */
  readonly socket: string;
  readonly #address: UpstreamAddress;
  readonly #connectTimeoutMs: () => number;
  readonly #idleMsMax: number;
  readonly #idle: UpstreamConnection[] = [];
  /** Those that one client has for itself (see `Pinned`), while they rest. */
  readonly #pinned = new Set<UpstreamConnection>();
  #closed = false;
  readonly #forget = (connection: UpstreamConnection) => {
    this.#pinned.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  };

  constructor(socket: string, probed: boolean, connectTimeoutMs: () => number) {
    this.socket = socket;
    this.#address = upstreamAddress(socket);
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#idleMsMax = probed ? idleMsMax : unprobedIdleMsMax;
  }

  /** `first`: one that its client has for itself, or null. */
  take(nowMs: number, first: UpstreamConnection | null): UpstreamConnection {
    if (first !== null) this.#pinned.delete(first);
    for (let idle = first ?? this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (!idle.destroyed && nowMs - idle.idleSinceMs < this.#idleMsMax) return idle;
      idle.destroy();
    }
    return new UpstreamConnection(this.#address, this.#connectTimeoutMs(), this.#forget);
  }

  /** Takes back a connection that is between two requests. */
  give(connection: UpstreamConnection, nowMs: number): void {
    connection.user = null;
    connection.idleSinceMs = nowMs;
    if (this.#closed || this.#idle.length >= idleMax) connection.destroy();
    else this.#idle.push(connection);
  }

  /** As above, but its client keeps it, and brings it again. */
  pin(connection: UpstreamConnection, nowMs: number): void {
    connection.user = null;
    connection.idleSinceMs = nowMs;
    if (this.#closed) connection.destroy();
    else this.#pinned.add(connection);
  }

  /** Ends those that have been idle too long. */
  sweep(nowMs: number): void {
    while (this.#idle[0] !== undefined && nowMs - this.#idle[0].idleSinceMs >= this.#idleMsMax) this.#idle.shift()?.destroy();
  }

  /** Nobody listens there any more: idle connections end now, others with their answers. */
  close(): void {
    this.#closed = true;
    this.closeIdle();
    for (const connection of this.#pinned) connection.destroy();
    this.#pinned.clear();
  }

  /** Returns how many there were. */
  closeIdle(): number {
    const idle = this.#idle.splice(0);
    for (const connection of idle) connection.destroy();
    return idle.length;
  }

  /** Of those that one client has for itself the one that has rested longest. Returns how many that were. */
  closePinned(): number {
    const [longest] = this.#pinned;
    if (longest === undefined) return 0;
    this.#pinned.delete(longest);
    longest.destroy();
    return 1;
  }
}
