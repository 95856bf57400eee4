/**
 * The monitor around its pure core: wires init's channel, the peers, the models, the events and the
 * admin API to the engine. Facts go in, effects come out; there is no rule of its own here.
 */
import { existsSync } from "node:fs";
import type { FastifyInstance } from "fastify";
import { defaultSettings } from "../config/declared.ts";
import { descendantsOf, processorMsOf, wantsProcessor } from "../link/process-stat.ts";
import { type ClusterSpec, claimPath, type FromInit, type ToInit, type Welcome } from "../model/birth.ts";
import type { EventDraft } from "../model/events.ts";
import { instanceShare, residentLimit } from "../model/memory.ts";
import { type InstanceId, type ListenAddress, nodeOf, type Release } from "../model/node.ts";
import { earliestEndInMs } from "../model/report.ts";
import type { Settings } from "../model/settings.ts";
import { completedSpec } from "../monitor/completed.ts";
import { beyondShareBytes } from "../monitor/more-room.ts";
import { worseInstances } from "../monitor/rollout.ts";
import type { InstanceRecord, MonitorState } from "../monitor/state.ts";
import type { Effect } from "../monitor/types.ts";
import { regenerationMs } from "../monitor/view.ts";
import { processRegenerator } from "../regenerators/process.ts";
import type { Regenerator } from "../regenerators/regenerator.ts";
import { serveAdmin } from "./admin-api.ts";
import { AgingWatch } from "./aging-watch.ts";
import { BackStopWatch } from "./back-stop-watch.ts";
import { DesertedWatch } from "./deserted-watch.ts";
import { Engine } from "./engine.ts";
import { EventLog } from "./event-log.ts";
import { Journal } from "./journal.ts";
import { whyNoProbe } from "./lost-probe.ts";
import { whyNeverListened } from "./never-listened.ts";
import { Notices } from "./notices.ts";
import { onlyOneCanHave } from "./only-one.ts";
import { Orders } from "./orders.ts";
import { Peers } from "./peers.ts";
import { PortWatch } from "./port-watch.ts";
import { clusterStatus } from "./status.ts";
import { StuckWatch } from "./stuck-watch.ts";

export class Daemon {
  readonly #welcome: Welcome;
  readonly #startedAtMs = Date.now();
  readonly #events: EventLog;
  readonly #watch: AgingWatch;
  readonly #backStops: BackStopWatch;
  readonly #stuck: StuckWatch;
  readonly #deserted: DesertedWatch;
  readonly #ports = new PortWatch({
    onListening: (instance, socketPath) => this.#listensUnprobed(instance, socketPath),
    onClosed: (instance) => this.#engine.accept({ kind: "instance-listener-closed", instance, at: this.#givenAt }),
  });
  readonly #peers: Peers;
  readonly #engine: Engine;
  readonly #regenerator: Regenerator;
  #admin: FastifyInstance | null = null;
  #isStopping = false;
  readonly #notices: Notices;

  constructor(welcome: Welcome) {
    const spec = completedSpec(welcome.spec, defaultSettings);
    const { clusterKey } = welcome;
    const { paths } = spec;
    this.#welcome = { ...welcome, spec };
    this.#events = new EventLog(paths.eventsFile);
    this.#notices = new Notices(this.#events.since(0));
    this.#regenerator = processRegenerator(tellInit);
    this.#engine = new Engine(new Journal<MonitorState>(paths.journalFile), (effect, nowMs) => this.#perform(effect, nowMs));
    this.#watch = new AgingWatch({
      settings: () => this.#settings,
      regenerationMs: () => regenerationMs(this.#engine.state, this.#settings),
      rssLimitBytes: (instance) => this.#residentLimit(instance),
      releaseOf: (instance) => this.#record(instance)?.release ?? "",
      onSample: (instance, sample) => this.#backStops.sampled(instance, sample),
      onHealthy: (instance) => this.#engine.accept({ kind: "not-aging", instance }),
      onAging: (instance, report) => this.#engine.accept({ kind: "aging", instance, report }),
    });
    this.#backStops = new BackStopWatch({
      settings: () => this.#settings,
      state: () => this.#engine.state,
      requestsOf: (instance) => this.#watch.latest(instance)?.requestsTotal ?? null,
      exhaustionInMs: (instance) => earliestEndInMs(this.#watch.report(instance) ?? { trends: [] }),
      accept: (fact) => this.#engine.accept(fact),
    });
    this.#stuck = new StuckWatch({
      settings: () => this.#settings,
      processorMs: (instance) => processorMsOf(this.#watch.pid(instance) ?? 0),
      wantsProcessor: (instance) => wantsProcessor(this.#watch.pid(instance) ?? 0),
      onStuck: (instance, silentMs) => this.#engine.accept({ kind: "instance-stuck", instance, silentMs }),
    });
    this.#deserted = new DesertedWatch({
      startedPid: (instance) => this.#record(instance)?.pid,
      onDeserted: (instance) => this.#engine.accept({ kind: "instance-deserted", instance }),
    });
    this.#peers = new Peers({
      path: paths.controlSocket,
      clusterKey,
      settings: () => this.#settings,
      accept: (fact) => {
        if (fact.kind === "instance-listening") this.#stuck.heard(fact.instance); // from here on it samples
        this.#engine.accept(fact);
      },
      onInstance: (instance, pid) => {
        this.#ports.end(instance);
        this.#deserted.forget(instance);
        this.#watch.begin(instance, pid, true);
      },
      onInstanceGone: (instance, pid) => this.#deserted.left(instance, pid),
      onSample: (instance, sample) => {
        this.#stuck.heard(instance);
        this.#watch.probeSample(instance, sample);
      },
      onTraffic: (forwarder, upstreams) => {
        for (const upstream of upstreams) this.#watch.forwarderCounted(forwarder, upstream);
        for (const worse of worseInstances(
          this.#engine.state,
          [...this.#peers.forwarders.values()].flatMap((one) => one.upstreams),
        ))
          this.#engine.accept({ kind: "release-worse", ...worse });
      },
      onForwarderGone: (forwarder) => this.#watch.forwarderGone(forwarder),
      onNotice: (peer, notice) => this.#tellNotice(this.#notices.hear(peer, notice)),
      onFingerprint: (instance, name, value) => {
        const release = this.#record(instance)?.release ?? "";
        this.#tellNotice(this.#notices.compare(instance, release, name, value));
      },
    });
  }

  async start(): Promise<void> {
    const { spec } = this.#welcome;
    if (this.#engine.recovered)
      this.#event({
        kind: "monitor-recovered",
        text: "the monitor was restarted and goes on from its journal",
        facts: { pid: process.pid },
      });
    else this.#engine.accept({ kind: "cluster-started", spec });
    await this.#peers.listen();
    this.#admin = await serveAdmin({
      socketPath: spec.paths.adminSocket,
      events: this.#events,
      orders: new Orders({ engine: this.#engine, spec: () => this.#spec }),
      status: () =>
        clusterStatus({
          welcome: this.#welcome,
          state: this.#engine.state,
          peers: this.#peers,
          watch: this.#watch,
          notices: this.#notices.standing,
          monitorStartedAtMs: this.#startedAtMs,
        }),
    });
    setInterval(() => {
      this.#watch.tick(Date.now());
      this.#backStops.tick(Date.now());
      this.#stuck.tick();
      this.#deserted.tick();
    }, spec.settings.sampleIntervalMs);
    if (this.#engine.recovered) tellInit({ kind: "roster" });
  }

  /** Who ever had a probe listens elsewhere, and says so itself: on its port there may be anybody. */
  #watchPort(instance: InstanceId, port: number | null): void {
    const record = this.#record(instance);
    if (port !== null && record?.probed !== true) this.#ports.begin(instance, port, Object.values(record?.sockets ?? {})[0]);
  }

  #listensUnprobed(instance: InstanceId, socketPath: string): void {
    this.#engine.accept({ kind: "instance-listening", instance, at: this.#givenAt, socketPath });
    const isClaimed = existsSync(claimPath(this.#welcome.spec.paths.listenDirectory, instance));
    this.#tellNotice(this.#notices.hear(instance, whyNoProbe(this.#watch.pid(instance) ?? 0, isClaimed)));
  }

  /** What a port that is given in PORT stands for: only with --port is one given. */
  get #givenAt(): ListenAddress {
    return { address: null, port: this.#welcome.spec.port ?? 0 };
  }

  /** In force by now: init knows those of the start. */
  get #spec(): ClusterSpec {
    return this.#engine.state.spec ?? this.#welcome.spec;
  }

  get #settings(): Settings {
    return this.#spec.settings;
  }

  heardInit(message: FromInit): void {
    switch (message.kind) {
      case "started":
        this.#watch.begin(message.instance, message.pid);
        this.#watchPort(message.instance, message.port);
        this.#engine.accept({ ...message, kind: "instance-started" });
        break;
      case "start-failed":
        this.#engine.accept({ ...message, kind: "instance-start-failed" });
        break;
      case "exited":
        this.#watch.end(message.instance, message);
        this.#backStops.end(message.instance);
        this.#stuck.end(message.instance);
        this.#deserted.forget(message.instance);
        this.#ports.end(message.instance);
        if (this.#isCrash(message.instance)) this.#advise(message.instance, message);
        this.#notices.ended(message.instance);
        this.#engine.accept({ ...message, kind: "instance-exited" });
        break;
      case "roster":
        for (const { instance, pid, port } of message.instances) {
          this.#watch.begin(instance, pid);
          if (this.#record(instance)?.probed === true) this.#stuck.heard(instance); // one that is stuck already will not say so again
          this.#watchPort(instance, port);
        }
        this.#engine.accept({ kind: "recovered", roster: message.instances });
        break;
      case "bound":
        this.#engine.accept({ kind: "listener-bound", id: message.id });
        break;
      case "bind-failed":
        this.#engine.accept({ kind: "listener-failed", id: message.id, at: message.at, code: message.code });
        break;
      case "shutting-down":
        this.#stop(message.reason);
        break;
      case "welcome":
        break;
    }
  }

  /** Who has a probe hears of it; the others nobody would ever end. */
  initDied(): void {
    for (const { pid, probed } of this.#engine.state.instances) {
      if (pid === null || probed) continue;
      for (const one of [pid, ...descendantsOf(pid)]) {
        try {
          process.kill(one, "SIGTERM");
        } catch {
          // It has gone by itself, or may not be signalled.
        }
      }
    }
  }

  #perform(effect: Effect, nowMs: number): void {
    switch (effect.kind) {
      case "start-instance":
        this.#regenerator.start(effect);
        break;
      case "stop-instance":
        this.#regenerator.stop(effect.instance, effect.signal, effect.graceMs);
        break;
      case "open-listener":
        tellInit({ kind: "listen", id: effect.id, at: effect.at });
        break;
      case "send-routes":
        this.#peers.sendRoutes(effect.table);
        this.#tellHealth();
        break;
      case "fence":
      case "unfence":
      case "take-evidence":
        this.#peers.tellInstance(effect.instance, { kind: effect.kind });
        break;
      case "hand-off":
        this.#peers.tellInstance(effect.instance, { kind: effect.kind, regeneration: effect.regeneration });
        break;
      case "revoke":
        this.#peers.tellReplicator({ kind: effect.kind, instance: effect.instance, regeneration: effect.regeneration });
        break;
      case "reinstate":
        this.#peers.tellReplicator({ kind: effect.kind, instance: effect.instance });
        break;
      case "settings":
        this.#backStops.settingsChanged(nowMs);
        this.#peers.sendSettings();
        break;
      case "event":
        this.#event(effect.event, nowMs);
        if (effect.event.kind === "node-failed") this.#tellHealth();
        break;
      case "give-up":
        process.stderr.write(`${[effect.reason, ...this.#notices.advice.map((text) => `    ${text}.`)].join("\n")}\n`);
        tellInit({ kind: "shut-down", reason: "cannot go on", exitCode: effect.exitCode });
        break;
    }
  }

  #tellHealth(): void {
    const { routes, nodes } = this.#engine.state;
    const serving = routes.upstreams.filter(({ availability }) => availability === "available").map(({ id }) => id);
    tellInit({ kind: "health", serving, hopeless: nodes.every(({ failed }) => failed) });
  }

  #event(draft: EventDraft, atMs = Date.now()): void {
    const node = draft.node ?? (draft.instance === undefined ? undefined : nodeOf(draft.instance));
    const event = this.#events.append(node === undefined || node === "" ? draft : { ...draft, node }, atMs);
    process.stdout.write(`${event.text}\n`);
  }

  #residentLimit(instance: InstanceId): number | null {
    const { memory } = this.#spec;
    if (memory === null) return null;
    const nodes = this.#engine.state.nodes.length;
    const record = this.#record(instance);
    if (record === undefined) return residentLimit(memory, nodes);
    const limit = record.probed || this.#kindOf(record) === "script" ? residentLimit : instanceShare;
    return limit(memory, nodes) + beyondShareBytes(record, memory, nodes);
  }

  #kindOf({ release }: InstanceRecord): Release["kind"] {
    const { releases } = this.#engine.state;
    return (releases.find(({ id }) => id === release) ?? this.#spec.release).kind;
  }

  #record(instance: InstanceId): InstanceRecord | undefined {
    return this.#engine.state.instances.find(({ id }) => id === instance);
  }

  /** As long as its end is not taken in. */
  #isCrash(instance: InstanceId): boolean {
    if (this.#isStopping) return false;
    const stopping = this.#record(instance)?.stopping ?? null;
    return stopping === null || stopping.crash !== null;
  }

  /** What its user may not know of one that died. */
  #advise(instance: InstanceId, { code, tail }: { readonly code: number | null; readonly tail: readonly string[] }): void {
    const { spec, nodes } = this.#engine.state;
    const record = this.#record(instance);
    if (spec === null || record === undefined) return;
    const started = { kind: this.#kindOf(record), port: spec.port };
    const said = this.#notices.standing.map((notice) => notice.code);
    if (said.some((one) => saysWhyNotShared.has(one))) return;
    // Several nodes, and one of them died for want of what another one has.
    const onlyOne = nodes.length < 2 ? null : onlyOneCanHave(tail, started);
    const notice =
      onlyOne ?? (said.some((one) => saysWhyNotSeen.has(one)) ? null : whyNeverListened(record, { code, nowMs: Date.now() }, started));
    if (notice !== null) this.#tellNotice(this.#notices.tellOnce(notice));
  }

  #tellNotice(event: EventDraft | null): void {
    if (event !== null) this.#event(event);
  }

  /** Exits from here on are init's doing: the core hears of nothing more. */
  #stop(reason: string): void {
    this.#isStopping = true;
    this.#event({ kind: "cluster-stopping", text: `the cluster is being stopped (${reason})`, facts: { reason } });
    this.#engine.stop();
    void this.#admin?.close();
    this.#peers.close();
  }
}

/** What has one port and cannot be shared says more than that the port is taken. */
const saysWhyNotShared: ReadonlySet<string> = new Set(["https-inside", "node-cluster", "worker-thread"]);
/** Nor can what is no port of HTTP/1.1 be. */
const saysWhyNotSeen: ReadonlySet<string> = new Set(["not-http", "random-port", "unix-socket"]);

function tellInit(message: ToInit): void {
  process.send?.(message);
}
