/**
 * Nodes without a probe: nobody says when they listen, so their own port is tried until something accepts, and looked at
 * from there on, since what started the server may outlive it. An instance whose probe is there says so itself, and is
 * not tried any more.
 */
import { connect } from "node:net";
import type { InstanceId } from "../model/node.ts";

const tryMs = 150;
/** Where somebody accepts. */
const lookMs = 2_000;
/** So many refusals in a row, or it was a moment between two servers. */
const refusalsMax = 3;
/** Who listens on all addresses is at the first. */
const hosts = ["127.0.0.1", "::1"] as const;

export interface PortWatchOptions {
  /** Told `127.0.0.1:port` or `::1:port`, each time that it begins. */
  readonly onListening: (instance: InstanceId, socket: string) => void;
  /** Nobody accepts there any more. */
  readonly onClosed: (instance: InstanceId) => void;
}

interface Watched {
  readonly port: number;
  timer: NodeJS.Timeout | null;
  /** Where it listens, as far as is known. */
  host: string | null;
  /** And that was told. */
  isTold: boolean;
  refusals: number;
}

export class PortWatch {
  readonly #watched = new Map<InstanceId, Watched>();
  readonly #options: PortWatchOptions;

  constructor(options: PortWatchOptions) {
    this.#options = options;
  }

  /** `socket`: where it listened, as an earlier monitor was told; null: nowhere yet. */
  begin(instance: InstanceId, port: number, socket: string | null = null): void {
    if (this.#watched.has(instance)) return;
    const host = hosts.find((one) => socket === `${one}:${port}`) ?? null;
    const watched: Watched = { port, timer: null, host, isTold: false, refusals: 0 };
    this.#watched.set(instance, watched);
    this.#tryLater(instance, watched);
  }

  end(instance: InstanceId): void {
    clearTimeout(this.#watched.get(instance)?.timer ?? undefined);
    this.#watched.delete(instance);
  }

  #tryLater(instance: InstanceId, watched: Watched): void {
    const ms = watched.isTold && watched.refusals === 0 ? lookMs : tryMs;
    watched.timer = setTimeout(() => void this.#try(instance, watched), ms);
  }

  async #try(instance: InstanceId, watched: Watched): Promise<void> {
    const tried = watched.host === null ? hosts : [watched.host];
    const outcomes = await Promise.all(tried.map((host) => knock(host, watched.port)));
    if (this.#watched.get(instance) !== watched) return;
    const host = tried[outcomes.indexOf("accepted")];
    if (host !== undefined) this.#accepted(instance, watched, host);
    else if (watched.host !== null && outcomes.includes("refused")) this.#refused(instance, watched);
    this.#tryLater(instance, watched);
  }

  #accepted(instance: InstanceId, watched: Watched, host: string): void {
    watched.refusals = 0;
    if (watched.isTold) return;
    Object.assign(watched, { host, isTold: true });
    this.#options.onListening(instance, `${host}:${watched.port}`);
  }

  #refused(instance: InstanceId, watched: Watched): void {
    watched.refusals += 1;
    if (watched.refusals < refusalsMax) return;
    Object.assign(watched, { host: null, isTold: false, refusals: 0 });
    this.#options.onClosed(instance);
  }
}

/** Silent: its queue is full, it has no turn, or the machine has no such address. */
function knock(host: string, port: number): Promise<"accepted" | "refused" | "silent"> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: tryMs });
    socket.on("connect", () => {
      socket.destroy();
      resolve("accepted");
    });
    socket.on("timeout", () => {
      socket.destroy();
      resolve("silent");
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED" ? "refused" : "silent"));
  });
}
