/**
 * A forwarder's process. Init gives it the listening sockets, the monitor the route table; without a
 * monitor the last table stands. It ends with init's channel, or finishes when init says so.
 */

import { isDeepStrictEqual } from "node:util";
import { endWithInit } from "../link/end-with-init.ts";
import { helloOf, Link } from "../link/link.ts";
import { tokenFor } from "../link/token.ts";
import type { Accepting, ToForwarderFromInit, Welcome } from "../model/birth.ts";
import type { FromForwarder, ToForwarder } from "../model/control.ts";
import type { Settings } from "../model/settings.ts";
import { AccessLog } from "./access-log.ts";
import { Certificates } from "./certificates.ts";
import { Dispatcher } from "./dispatcher.ts";
import { PublicServers } from "./public-servers.ts";

const trafficMs = 1_000;

class Forwarder {
  readonly #dispatcher: Dispatcher;
  readonly #servers: PublicServers;
  readonly #link: Link;
  readonly #forwarders: number;
  /** The cluster's, of which this process has its share. */
  #settings: Settings;
  #saidStalled = 0;
  #saidRefused = 0;
  #saidGaveWay = 0;

  constructor({ id, clusterKey, spec }: Welcome) {
    this.#forwarders = spec.forwarders;
    this.#settings = spec.settings;
    const say = (text: string) => process.stderr.write(`${text}\n`);
    this.#dispatcher = new Dispatcher({
      settings: shareOf(this.#settings, this.#forwarders),
      clusterKey,
      accessLog: spec.accessLog === null ? null : new AccessLog(spec.accessLog, say),
      onDrained: (instance) => {
        this.#tell({ kind: "drained", instance, revision: this.#dispatcher.table.revision });
        this.#tellTraffic();
      },
    });
    const certificates = spec.tls.length === 0 ? null : new Certificates(spec.tls, clusterKey, say);
    this.#servers = new PublicServers(this.#dispatcher, certificates, spec.forwarders === 1);
    this.#link = new Link({
      path: spec.paths.controlSocket,
      hello: helloOf("forwarder", id, tokenFor(clusterKey, "forwarder", id)),
      keepAlive: true,
      onUp: () => this.#tellLevel(),
      onFrame: ({ head }) => this.#apply(head as ToForwarder), // the monitor, on its private socket
    });
    setInterval(() => {
      this.#tellTraffic();
      this.#sayStalled();
      this.#sayRefused();
    }, trafficMs).unref();
  }

  listen(message: Extract<ToForwarderFromInit, { kind: "listener" }>, handle: object): void {
    const error = this.#servers.listen(message.id, handle);
    if (error === null) process.send?.({ kind: "accepting", id: message.id } satisfies Accepting);
    else {
      process.stderr.write(`cannot listen on port ${message.at.port}: ${error.message}\n`);
      this.#tell({ kind: "listen-failed", at: message.at, code: error.code ?? "UNKNOWN" });
    }
  }

  async finish(deadlineMs: number): Promise<void> {
    setTimeout(() => process.exit(0), deadlineMs);
    await this.#servers.finish();
    process.exit(0);
  }

  /** One tick: the table is applied before anything else runs. A drained upstream is told after its revision. */
  #apply({ table, settings = this.#settings }: ToForwarder): void {
    this.#take(settings);
    const known = this.#dispatcher.table.revision;
    if (table.revision > known) this.#dispatcher.apply(table);
    this.#tell({ kind: "routes-applied", revision: this.#dispatcher.table.revision, inFlight: this.#dispatcher.table.inFlight() });
    if (table.revision <= known) this.#tellDrained();
  }

  /** They come with each table, and are seldom others. */
  #take(settings: Settings): void {
    if (isDeepStrictEqual(settings, this.#settings)) return;
    this.#settings = settings;
    this.#dispatcher.take(shareOf(settings, this.#forwarders));
  }

  #tellLevel(): void {
    const { revision } = this.#dispatcher.table;
    if (revision === 0) return;
    this.#tell({ kind: "routes-applied", revision, inFlight: this.#dispatcher.table.inFlight() });
    this.#tellDrained();
  }

  #tellDrained(): void {
    for (const upstream of this.#dispatcher.table.all()) {
      if (upstream.cordoned && upstream.total === 0)
        this.#tell({ kind: "drained", instance: upstream.id, revision: this.#dispatcher.table.revision });
    }
  }

  #tellTraffic(): void {
    this.#tell({
      kind: "traffic",
      upstreams: this.#dispatcher.traffic(),
      parked: this.#dispatcher.parking.size,
      connections: this.#servers.connections,
      stalledTotal: this.#dispatcher.stalled.total,
    });
  }

  /** At most a line each second, however many there are. */
  #sayStalled(): void {
    const { total, last } = this.#dispatcher.stalled;
    const seconds = this.#dispatcher.settings.writeTimeoutMs / 1_000;
    if (total > this.#saidStalled)
      process.stderr.write(
        `closed for ${total - this.#saidStalled} clients, the last ${last}: nothing of an answer taken for ${seconds} s\n`,
      );
    this.#saidStalled = total;
  }

  #sayRefused(): void {
    const { gaveWayTotal, refusedTotal, limit } = this.#servers;
    if (gaveWayTotal > this.#saidGaveWay)
      process.stderr.write(
        `${gaveWayTotal - this.#saidGaveWay} idle connections of clients were closed for new ones: no more than ${limit} are taken\n`,
      );
    this.#saidGaveWay = gaveWayTotal;
    if (refusedTotal > this.#saidRefused)
      process.stderr.write(`${refusedTotal - this.#saidRefused} connections of clients were refused: no more than ${limit} are taken\n`);
    this.#saidRefused = refusedTotal;
  }

  #tell(message: FromForwarder): void {
    this.#link.send(message);
  }
}

/** What is bounded for the cluster is bounded here by this process's part of it: nobody knows what the others hold. */
function shareOf(settings: Settings, forwarders: number): Settings {
  const { parkedMax, saveBytesMax } = settings;
  return { ...settings, parkedMax: Math.ceil(parkedMax / forwarders), saveBytesMax: Math.floor(saveBytesMax / forwarders) };
}

let forwarder: Forwarder | null = null;

process.title = "coppice forwarder";
endWithInit();
process.on("SIGTERM", () => process.exit(0));
process.on("message", (message, handle) => {
  const told = message as ToForwarderFromInit; // init's own channel
  if (told.kind === "welcome") forwarder = new Forwarder(told);
  else if (told.kind === "listener" && handle !== undefined)
    forwarder?.listen(told, handle as object); // a raw TCP handle
  else if (told.kind === "finish") void forwarder?.finish(told.deadlineMs);
});
