/**
 * The replicator's process: the one authority over this host's sessions. Instances connect to its store
 * socket; the monitor tells it whose writes are no longer taken. It ends with init's channel, or commits
 * and closes when init says so.
 */

import { renameSync } from "node:fs";
import { endWithInit } from "../link/end-with-init.ts";
import { helloOf, Link } from "../link/link.ts";
import { LinkServer, type Peer } from "../link/link-server.ts";
import { tokenFor } from "../link/token.ts";
import type { ToReplicatorFromInit, Welcome } from "../model/birth.ts";
import type { FromReplicator, ToReplicator } from "../model/control.ts";
import { messageOf } from "../model/errors.ts";
import type { InstanceId } from "../model/node.ts";
import type { SessionAnswer, SessionRequest } from "../model/session.ts";
import { Tally } from "../state/tally.ts";
import { DiskFull } from "./room.ts";
import { isDamage, SessionFile } from "./session-file.ts";
import { SessionStore } from "./session-store.ts";

const tellMs = 1_000;
/** Instances whose writes are refused are remembered, the latest of them: ids are never used twice. */
const revokedMax = 10_000;
/** So many crashes in a row are the file's doing: one that a loss of power tore ends whoever opens it. */
const crashesOfFile = 3;

class Replicator {
  readonly #bootId: string;
  readonly #file: SessionFile;
  readonly #store: SessionStore;
  readonly #server: LinkServer;
  readonly #monitor: Link;
  readonly #tallies = new Map<Peer, Tally>();
  readonly #latest = new Map<InstanceId, Tally>();
  readonly #revoked = new Set<InstanceId>();

  constructor({ id, clusterKey, bootId, spec, crashes }: Welcome) {
    this.#bootId = bootId;
    if (crashes === crashesOfFile) setAside(spec.paths.sessionsFile);
    this.#file = new SessionFile(spec.paths.sessionsFile, sayFull);
    // Instances know versions of the other one; none of a record's came as fast as milliseconds do.
    if (crashes === crashesOfFile) this.#file.raiseFloor(Date.now()).catch(endIfDamaged); // a full disk forgets it at the next start
    this.#store = new SessionStore(this.#file);
    this.#server = new LinkServer({
      path: spec.paths.storeSocket,
      clusterKey,
      gathers: true,
      onPeer: (peer) => {
        const tally = new Tally();
        this.#tallies.set(peer, tally);
        this.#latest.set(peer.hello.id, tally);
      },
      onFrame: (peer, { head, body }) => void this.#execute(peer, head as SessionRequest, body), // an instance, proved by its token
      onGone: (peer) => this.#tallies.delete(peer),
    });
    this.#monitor = new Link({
      path: spec.paths.controlSocket,
      hello: helloOf("replicator", id, tokenFor(clusterKey, "replicator", id)),
      keepAlive: true,
      onUp: () => this.#tellStore(),
      onFrame: ({ head }) => this.#heard(head as ToReplicator), // the monitor, on its private socket
    });
    setInterval(() => {
      this.#tellStore();
      void this.#store.sweep(Date.now());
    }, tellMs);
  }

  listen(): Promise<void> {
    return this.#server.listen();
  }

  async finish(): Promise<void> {
    this.#server.close();
    await this.#file.close();
  }

  async #execute(peer: Peer, request: SessionRequest, body: Uint8Array): Promise<void> {
    const tally = this.#tallies.get(peer);
    if (tally === undefined) return;
    const instance = peer.hello.id;
    const writer = `${this.#bootId}/${instance}`;
    const answer = (message: SessionAnswer, data?: Uint8Array) => peer.send(message, data);
    const revoked = () => this.#revoked.has(instance);
    const drained = () => peer.drained();
    try {
      await this.#store.execute(request, body, { writer, tally, revoked, answer, drained }, Date.now());
    } catch (error) {
      endIfDamaged(error);
      const reason = messageOf(error);
      if (!(error instanceof DiskFull)) process.stderr.write(`a session could not be stored: ${reason}\n`); // else it was said
      answer({ n: request.n, kind: "failed", reason });
    }
  }

  #heard(message: ToReplicator): void {
    if (message.kind === "revoke") this.#revoke(message);
    else this.#revoked.delete(message.instance);
  }

  #revoke({ instance, regeneration }: Extract<ToReplicator, { kind: "revoke" }>): void {
    this.#revoked.add(instance);
    for (const oldest of this.#revoked) {
      if (this.#revoked.size <= revokedMax) break;
      this.#revoked.delete(oldest);
    }
    const tally = this.#latest.get(instance) ?? new Tally();
    this.#tell({ kind: "revoked", instance, regeneration, writes: tally.writes, checksum: tally.checksum });
  }

  #tellStore(): void {
    const connected = [...this.#tallies.keys()].map(({ hello }) => hello.id);
    for (const instance of this.#latest.keys()) {
      if (this.#revoked.has(instance) && !connected.includes(instance)) this.#latest.delete(instance);
    }
    const { sessions, conflictsTotal } = this.#store;
    this.#tell({ kind: "store", sessions, conflictsTotal });
  }

  #tell(message: FromReplicator): void {
    this.#monitor.send(message);
  }
}

function sayFull(full: boolean): void {
  const text = full ? "cannot be written (its disk is full): answers that rest on it wait" : "can be written again";
  process.stderr.write(`the sessions' file ${text}\n`);
}

/** As LMDB ends where it stumbles itself: init counts these ends, and tells who comes after so many of them. */
function endIfDamaged(error: unknown): void {
  if (!isDamage(error)) return;
  process.stderr.write(`the sessions' file is damaged (${error})\n`);
  process.abort();
}

function setAside(file: string): void {
  const aside = `${file}.damaged`;
  renameSync(file, aside);
  process.stderr.write(`the sessions' file is damaged and was set aside as ${aside}: sessions begin anew\n`);
}

let replicator: Replicator | null = null;

process.title = "coppice replicator";
process.umask(0o077); // the sessions' file is nobody else's, even where others may enter its directory
endWithInit();
process.on("uncaughtExceptionMonitor", endIfDamaged);
process.on("SIGTERM", () => finish());
process.on("message", (message) => {
  const told = message as ToReplicatorFromInit; // init's own channel
  if (told.kind === "finish") return finish();
  if (told.kind !== "welcome") return;
  replicator = new Replicator(told);
  replicator.listen().catch((error: unknown) => {
    process.stderr.write(`the replicator cannot start: ${String(error)}\n`);
    process.exit(1);
  });
});

function finish(): void {
  (replicator?.finish() ?? Promise.resolve()).then(
    () => process.exit(0),
    () => process.exit(1),
  );
}
