/**
 * Who is connected to the control socket: forwarders, the replicator, instances. Their messages become
 * the engine's facts; what the core wants told is sent to whoever is there now. Nothing is queued for
 * the absent: all is level-based, and told again when they come.
 */
import { LinkServer, type Peer } from "../link/link-server.ts";
import type { FromForwarder, FromInstance, FromReplicator, PeerRole, ToForwarder, ToInstance, ToReplicator } from "../model/control.ts";
import type { InstanceId } from "../model/node.ts";
import type { RouteTable, UpstreamTraffic } from "../model/routes.ts";
import type { Sample } from "../model/sample.ts";
import type { Settings } from "../model/settings.ts";
import type { Fact } from "../monitor/types.ts";
import type { Notice } from "./notices.ts";

export interface ForwarderView {
  readonly id: string;
  readonly pid: number;
  parked: number;
  connections: number;
  stalledTotal: number;
  upstreams: readonly UpstreamTraffic[];
}

export interface ReplicatorView {
  readonly pid: number;
  sessions: number | null;
  conflictsTotal: number | null;
}

export interface PeersOptions {
  readonly path: string;
  readonly clusterKey: string;
  /** As they are by now; forwarders are told with each table. */
  readonly settings: () => Settings;
  readonly accept: (fact: Fact) => void;
  /** The process that serves is there. */
  readonly onInstance: (instance: InstanceId, pid: number) => void;
  readonly onInstanceGone: (instance: InstanceId, pid: number) => void;
  readonly onSample: (instance: InstanceId, sample: Sample) => void;
  readonly onTraffic: (forwarder: string, upstreams: readonly UpstreamTraffic[]) => void;
  readonly onForwarderGone: (forwarder: string) => void;
  readonly onNotice: (peer: string, notice: Notice) => void;
  readonly onFingerprint: (instance: InstanceId, name: string, value: string) => void;
}

export class Peers {
  readonly #options: PeersOptions;
  readonly #server: LinkServer;
  readonly #connected = new Map<string, Peer>();
  readonly forwarders = new Map<string, ForwarderView>();
  replicator: ReplicatorView | null = null;
  #table: RouteTable | null = null;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#server = new LinkServer({
      path: options.path,
      clusterKey: options.clusterKey,
      onPeer: (peer) => this.#joined(peer),
      onFrame: (peer, frame) => this.#heard(peer, frame.head),
      onGone: (peer) => this.#left(peer),
    });
  }

  listen(): Promise<void> {
    return this.#server.listen();
  }

  close(): void {
    this.#server.close();
  }

  sendRoutes(table: RouteTable): void {
    this.#table = table;
    for (const id of this.forwarders.keys()) this.#sendRoutes(id, table);
  }

  /** The same table again, with the settings as they are now. */
  sendSettings(): void {
    if (this.#table !== null) this.sendRoutes(this.#table);
  }

  tellInstance(instance: InstanceId, message: ToInstance): void {
    this.#connected.get(key("instance", instance))?.send(message);
  }

  tellReplicator(message: ToReplicator): void {
    this.#connected.get(key("replicator", "replicator"))?.send(message);
  }

  #sendRoutes(forwarder: string, table: RouteTable): void {
    const message: ToForwarder = { kind: "routes", table, settings: this.#options.settings() };
    this.#connected.get(key("forwarder", forwarder))?.send(message);
  }

  #joined(peer: Peer): void {
    const { role, id, pid } = peer.hello;
    this.#connected.set(key(role, id), peer);
    if (role === "forwarder") {
      this.forwarders.set(id, { id, pid, parked: 0, connections: 0, stalledTotal: 0, upstreams: [] });
      if (this.#table !== null) this.#sendRoutes(id, this.#table);
      this.#options.accept({ kind: "forwarder-link", forwarder: id, up: true });
    } else if (role === "replicator") {
      this.replicator = { pid, sessions: null, conflictsTotal: null };
      this.#options.accept({ kind: "replicator-link", up: true });
    } else {
      this.#options.onInstance(id, pid);
      this.#options.accept({ kind: "instance-link", instance: id, up: true });
    }
  }

  #left(peer: Peer): void {
    const { role, id } = peer.hello;
    if (this.#connected.get(key(role, id)) !== peer) return; // a newer connection of it took over
    this.#connected.delete(key(role, id));
    if (role === "forwarder") {
      this.forwarders.delete(id);
      this.#options.onForwarderGone(id);
      this.#options.accept({ kind: "forwarder-link", forwarder: id, up: false });
    } else if (role === "replicator") {
      this.replicator = null;
      this.#options.accept({ kind: "replicator-link", up: false });
    } else {
      this.#options.onInstanceGone(id, peer.hello.pid);
      this.#options.accept({ kind: "instance-link", instance: id, up: false });
    }
  }

  #heard(peer: Peer, message: unknown): void {
    const { role, id } = peer.hello;
    // Each peer proved its role with its token; what a role sends is declared in model/control.ts.
    if (role === "forwarder") this.#heardForwarder(id, message as FromForwarder);
    else if (role === "replicator") this.#heardReplicator(message as FromReplicator);
    else this.#heardInstance(id, message as FromInstance); // as above
  }

  #heardForwarder(forwarder: string, message: FromForwarder): void {
    switch (message.kind) {
      case "routes-applied":
        this.#options.accept({ kind: "routes-applied", forwarder, revision: message.revision, inFlight: message.inFlight });
        break;
      case "drained":
        this.#options.accept({ kind: "upstream-drained", forwarder, instance: message.instance });
        break;
      case "traffic": {
        const view = this.forwarders.get(forwarder);
        const { kind: _kind, ...counts } = message;
        if (view !== undefined) Object.assign(view, counts);
        this.#options.onTraffic(forwarder, message.upstreams);
        break;
      }
      case "listen-failed":
        this.#options.onNotice(forwarder, {
          level: "warning",
          code: "listen-failed",
          text: `it cannot listen on port ${message.at.port}: ${message.code}`,
        });
        break;
    }
  }

  #heardReplicator(message: FromReplicator): void {
    if (message.kind === "store") {
      if (this.replicator !== null) Object.assign(this.replicator, { sessions: message.sessions, conflictsTotal: message.conflictsTotal });
    } else {
      const { instance, regeneration, writes, checksum } = message;
      this.#options.accept({ kind: "replicator-revoked", instance, regeneration, writes, checksum });
    }
  }

  #heardInstance(instance: InstanceId, message: FromInstance): void {
    const { accept } = this.#options;
    switch (message.kind) {
      case "listening":
        accept({ kind: "instance-listening", instance, at: message.at, socketPath: message.socketPath });
        break;
      case "listener-closed":
        accept({ kind: "instance-listener-closed", instance, at: message.at });
        break;
      case "sample":
        this.#options.onSample(instance, message.sample);
        break;
      case "fenced":
        accept({ kind: "instance-fenced", instance });
        break;
      case "quiet":
        accept({ kind: "instance-quiet", instance });
        break;
      case "handed-off":
        accept({
          kind: "instance-handed-off",
          instance,
          regeneration: message.regeneration,
          writes: message.writes,
          checksum: message.checksum,
        });
        break;
      case "evidence":
        accept({ kind: "instance-evidence", instance, evidence: message.evidence });
        break;
      case "keeps-checkpoint":
        accept({ kind: "instance-keeps-checkpoint", instance });
        break;
      case "affinity-cookie":
        accept({ kind: "affinity-cookie", name: message.name });
        break;
      case "notice":
        this.#options.onNotice(instance, message);
        break;
      case "fingerprint":
        this.#options.onFingerprint(instance, message.name, message.value);
        break;
    }
  }
}

function key(role: PeerRole, id: string): string {
  return `${role} ${id}`;
}
