/**
 * Sockets that a supervisor has bound and handed on: systemd's socket activation (sd_listen_fds(3)). What the server asks to
 * listen on is taken from there; the supervisor holds the port already, also while Coppice is started anew.
 */
import type { ListenAddress, ListenerId } from "../model/node.ts";
import { type BoundHandle, handleOf, type ListeningSocket } from "./listening-sockets.ts";

const firstDescriptor = 3;
const descriptorsMax = 64;

type Environment = Record<string, string | undefined>;

export class InheritedSockets {
  readonly #sockets: { readonly address?: string; readonly port?: number; readonly handle: BoundHandle }[] = [];

  /** Takes them out of the environment: a server that read of them there would find its own descriptors by these numbers. */
  constructor(environment: Environment = process.env, pid = process.pid) {
    const { LISTEN_PID: whose, LISTEN_FDS: count } = environment;
    for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"]) delete environment[name];
    if (Number(whose) !== pid) return;
    for (let index = 0; index < Math.min(Number(count), descriptorsMax); index += 1) {
      const handle = handleOf(firstDescriptor + index);
      if (handle === null) continue;
      const name: { address?: string; port?: number } = {};
      handle.getsockname(name);
      this.#sockets.push({ ...name, handle });
    }
  }

  /** The one for this port; of several the one at this address. */
  take(id: ListenerId, at: ListenAddress): ListeningSocket | null {
    const ofPort = this.#sockets.filter(({ port }) => port === at.port);
    const found = ofPort.find(({ address }) => address === at.address) ?? ofPort[0];
    if (found === undefined) return null;
    this.#sockets.splice(this.#sockets.indexOf(found), 1);
    return { id, at, handle: found.handle };
  }
}
