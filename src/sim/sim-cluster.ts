/**
 * A simulated cluster around the monitor's real core: a virtual clock, and in-memory twins of init, the
 * forwarders, the replicator and the instances, which answer effects as the real ones do. Faults are
 * switched on by the test; with the same seed and the same script every run is the same.
 *
 * The checker is here too: it knows, without asking the core, who lives and who is in the table.
 */
import type { ClusterSpec } from "../model/birth.ts";
import type { EventDraft } from "../model/events.ts";
import { type InstanceId, nodeOf } from "../model/node.ts";
import type { RouteTable } from "../model/routes.ts";
import { initialState, type MonitorState } from "../monitor/state.ts";
import { step } from "../monitor/step.ts";
import type { Effect, Fact, Input } from "../monitor/types.ts";

export interface SimFaults {
  /** New instances: listen, exit at once, never listen, or find a port of their own taken while another instance of their node lives. */
  newInstances: "listen" | "exit" | "hang" | "taken";
  /** Names of forwarders that hear nothing. */
  silentForwarders: string[];
  /** Instances neither fence nor become quiet. */
  deafInstances: boolean;
  replicatorAway: boolean;
  /** Chance that any answer is lost, or comes twice. */
  lossRatio: number;
  duplicateRatio: number;
}

interface SimInstance {
  readonly id: InstanceId;
  readonly heapLimitBytes: number | null;
  readonly pid: number;
  alive: boolean;
  listening: boolean;
}

export const simAt = { address: null, port: 3000 };

export class SimCluster {
  readonly faults: SimFaults = {
    newInstances: "listen",
    silentForwarders: [],
    deafInstances: false,
    replicatorAway: false,
    lossRatio: 0,
    duplicateRatio: 0,
  };
  readonly inputs: Input[] = [];
  readonly onEvent: (atMs: number, event: EventDraft) => void;
  /** Called after each step and its effects: what must hold always is checked here. */
  onStep: () => void = () => {};
  readonly instances = new Map<InstanceId, SimInstance>();
  readonly gaveUp: string[] = [];
  /** Whose writes the replicator refuses. */
  readonly revoked = new Set<InstanceId>();
  /** What a replicator that hangs has not read yet. */
  #unheard: Extract<Effect, { kind: "revoke" | "reinstate" }>[] = [];
  readonly #random: () => number;
  readonly #forwarders: readonly string[];
  readonly #awayForwarders = new Set<string>();
  #queue: { atMs: number; readonly order: number; readonly act: () => void; readonly fact: Fact["kind"] | null }[] = [];
  #order = 0;
  #nextPid = 100;
  #table: RouteTable | null = null;
  #monitorAlive = true;
  /** The monitor's one timer, which does not run while the host sleeps. */
  #timerAtMs: number | null = null;
  state: MonitorState = initialState();
  nowMs = 0;

  constructor(options: { spec: ClusterSpec; random: () => number; onEvent?: (atMs: number, event: EventDraft) => void }) {
    this.#random = options.random;
    this.#forwarders = Array.from({ length: options.spec.forwarders }, (_, index) => `forwarder-${index + 1}`);
    this.onEvent = options.onEvent ?? (() => {});
    this.#schedule(0, { kind: "cluster-started", spec: options.spec });
    for (const forwarder of this.#forwarders) this.#schedule(1, { kind: "forwarder-link", forwarder, up: true });
    this.#schedule(1, { kind: "replicator-link", up: true });
  }

  /** Instances that are in the table as available, and alive: who serves. */
  serving(): InstanceId[] {
    const upstreams = this.#table?.upstreams ?? [];
    return upstreams
      .filter(({ id, availability }) => availability === "available" && this.instances.get(id)?.alive === true)
      .map(({ id }) => id);
  }

  tell(fact: Fact): void {
    this.#schedule(this.nowMs, fact);
  }

  /** Ends a process as `kill -9` would. */
  kill(id: InstanceId): void {
    this.#exit(id, null, "SIGKILL");
  }

  /** Its link goes, with or without its process; and comes again, and it is told the table. */
  linkForwarder(forwarder: string, up: boolean): void {
    if (this.#awayForwarders.has(forwarder) !== up) return;
    if (up) this.#awayForwarders.delete(forwarder);
    else this.#awayForwarders.add(forwarder);
    this.tell({ kind: "forwarder-link", forwarder, up });
    if (up && this.#table !== null) this.#tellRoutes(forwarder, this.#table, null);
  }

  /** Its process ends, with all that it knew, and another one comes. */
  restartReplicator(): void {
    this.tell({ kind: "replicator-link", up: false });
    this.#at(this.nowMs, () => {
      this.#unheard = [];
      this.#queue = this.#queue.filter(({ fact }) => fact !== "replicator-revoked");
      this.revoked.clear();
    });
    this.tell({ kind: "replicator-link", up: true });
  }

  /** It may have hung: then it does all that it was told, late. */
  #hearReplicator(): void {
    if (this.faults.replicatorAway) return;
    for (const effect of this.#unheard.splice(0)) {
      if (effect.kind === "reinstate") this.revoked.delete(effect.instance);
      else {
        this.revoked.add(effect.instance);
        this.#answer({ ...handOffWord(effect), kind: "replicator-revoked" });
      }
    }
  }

  killMonitor(): void {
    this.#monitorAlive = false;
  }

  /** The monitor starts again: from its journal, then from init's roster; everybody's links come up again. */
  restartMonitor(): void {
    this.#monitorAlive = true;
    this.#timerAtMs = null;
    this.state = this.inputs.reduce((state, input) => step(state, input).state, initialState());
    const roster = [...this.instances.values()]
      .filter(({ alive }) => alive)
      .map(({ id, pid }) => ({ instance: id, pid, startedAtMs: 0, port: null }));
    this.tell({ kind: "recovered", roster });
    this.tell({ kind: "replicator-link", up: true });
    for (const forwarder of this.#forwarders) {
      if (!this.#awayForwarders.has(forwarder)) this.#answer({ kind: "forwarder-link", forwarder, up: true });
    }
    for (const { id, alive, listening } of this.instances.values()) {
      if (!alive) continue;
      this.tell({ kind: "instance-link", instance: id, up: true });
      if (listening) this.tell({ kind: "instance-listening", instance: id, at: simAt, socketPath: `/${id}` });
    }
  }

  /** Runs until the virtual time. */
  run(untilMs: number): void {
    for (;;) {
      this.#queue.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      const next = this.#queue[0];
      const wakeAtMs = this.#monitorAlive ? this.#timerAtMs : null;
      const nextMs = Math.min(next?.atMs ?? Number.POSITIVE_INFINITY, wakeAtMs ?? Number.POSITIVE_INFINITY);
      if (nextMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      if (next !== undefined && next.atMs <= nextMs) {
        this.#queue.shift();
        next.act();
      } else this.#step({ kind: "woken" });
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  /** Nothing runs for so long: all that was on its way comes after it. */
  sleepHost(ms: number): void {
    this.nowMs += ms;
    if (this.#timerAtMs !== null) this.#timerAtMs += ms;
    for (const entry of this.#queue) entry.atMs += ms;
  }

  #step(fact: Fact): void {
    this.#hearReplicator();
    if (!this.#monitorAlive) return;
    const input = { ...fact, nowMs: this.nowMs } as Input; // a Fact is an Input less its time
    this.inputs.push(input);
    const result = step(this.state, input);
    this.state = result.state;
    this.#timerAtMs = result.wakeAtMs;
    for (const effect of result.effects) this.#perform(effect);
    this.onStep();
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "start-instance":
        return this.#start(effect.instance, effect.heapLimitBytes);
      case "stop-instance":
        return this.#at(this.nowMs + 10, () => this.#exit(effect.instance, null, effect.signal));
      case "open-listener":
        return this.#answer({ kind: "listener-bound", id: effect.id });
      case "send-routes":
        return this.#route(effect.table);
      case "fence":
        if (this.faults.deafInstances || this.instances.get(effect.instance)?.alive !== true) return;
        this.#answer({ kind: "instance-fenced", instance: effect.instance });
        return this.#answer({ kind: "instance-quiet", instance: effect.instance }, 120);
      case "hand-off":
        if (this.faults.deafInstances || this.instances.get(effect.instance)?.alive !== true) return;
        return this.#answer({ ...handOffWord(effect), kind: "instance-handed-off" });
      case "revoke":
      case "reinstate":
        this.#unheard.push(effect);
        return this.#hearReplicator();
      case "take-evidence":
        if (!this.faults.deafInstances) this.#answer({ kind: "instance-evidence", instance: effect.instance, evidence: {} });
        return;
      case "event":
        return this.onEvent(this.nowMs, effect.event);
      case "give-up":
        this.gaveUp.push(effect.reason);
        return;
      case "unfence":
        return;
    }
  }

  #start(id: InstanceId, heapLimitBytes: number | null): void {
    const known = this.instances.get(id);
    // As init does: an id is started once, and who asks again is told what became of it.
    if (known?.alive === true) return this.#answer({ kind: "instance-started", instance: id, pid: known.pid });
    if (known !== undefined) return this.#answer({ kind: "instance-exited", instance: id, code: null, signal: null, tail: [] });
    const pid = this.#nextPid;
    this.#nextPid += 1;
    const instance: SimInstance = { id, heapLimitBytes, pid, alive: true, listening: false };
    this.instances.set(id, instance);
    this.#schedule(this.nowMs + 5, { kind: "instance-started", instance: id, pid });
    const { newInstances } = this.faults;
    if (newInstances === "exit") return this.#at(this.nowMs + 50, () => this.#exit(id, 1, null));
    const older = [...this.instances.values()].some((one) => one.alive && one.id !== id && nodeOf(one.id) === nodeOf(id));
    if (newInstances === "taken" && older) return this.#at(this.nowMs + 50, () => this.#exit(id, 1, null, "Error: lock file is held"));
    this.#schedule(this.nowMs + 40, { kind: "instance-link", instance: id, up: true });
    if (this.faults.newInstances === "hang") return;
    this.#at(this.nowMs + 300, () => {
      if (!instance.alive) return;
      instance.listening = true;
      this.tell({ kind: "instance-listening", instance: id, at: simAt, socketPath: `/${id}` });
    });
  }

  #exit(id: InstanceId, code: number | null, signal: string | null, words = "Error: no database"): void {
    const instance = this.instances.get(id);
    if (instance?.alive !== true) return;
    instance.alive = false;
    this.tell({ kind: "instance-exited", instance: id, code, signal, tail: code === 1 ? [words] : [] });
  }

  #route(table: RouteTable): void {
    const before = this.#table;
    this.#table = table;
    for (const forwarder of this.#forwarders) this.#tellRoutes(forwarder, table, before);
  }

  #tellRoutes(forwarder: string, table: RouteTable, before: RouteTable | null): void {
    if (this.faults.silentForwarders.includes(forwarder) || this.#awayForwarders.has(forwarder)) return;
    this.#answer({ kind: "routes-applied", forwarder, revision: table.revision, inFlight: {} });
    for (const { id, availability } of table.upstreams) {
      const was = before?.upstreams.find((one) => one.id === id)?.availability;
      if (availability === "cordoned" && (was !== "cordoned" || before?.revision === table.revision))
        this.#answer({ kind: "upstream-drained", forwarder, instance: id }, 60);
    }
  }

  /** An answer on its way: it may be lost, or come twice. */
  #answer(fact: Fact, delayMs = 2): void {
    if (this.#random() < this.faults.lossRatio) return;
    this.#schedule(this.nowMs + delayMs, fact);
    if (this.#random() < this.faults.duplicateRatio) this.#schedule(this.nowMs + delayMs + Math.floor(this.#random() * 500), fact);
  }

  #schedule(atMs: number, fact: Fact): void {
    this.#at(atMs, () => this.#step(fact), fact.kind);
  }

  #at(atMs: number, act: () => void, fact: Fact["kind"] | null = null): void {
    this.#queue.push({ atMs, order: this.#order, act, fact });
    this.#order += 1;
  }
}

/** Instance and replicator always agree. */
function handOffWord({ instance, regeneration }: Extract<Effect, { kind: "hand-off" | "revoke" }>) {
  return { instance, regeneration, writes: 3, checksum: "abc" };
}
