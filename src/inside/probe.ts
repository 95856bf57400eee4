/**
 * The probe: wires its parts (listeners, requests, indicators, sessions) to the control link, and tells the
 * monitor its level again whenever the link comes up.
 *
 * Nothing here may break the application: a part that fails is reported and stays out of the way.
 */
import { helloOf, Link } from "../link/link.ts";
import type { InstanceBirth } from "../model/birth.ts";
import type { FromInstance, ToInstance } from "../model/control.ts";
import { messageOf } from "../model/errors.ts";
import { type ListenAddress, type ListenerId, listenerId } from "../model/node.ts";
import { collectEvidence } from "./evidence.ts";
import { Indicators } from "./indicators.ts";
import type { MovedListener, MoveOptions } from "./listeners.ts";
import { Requests } from "./requests.ts";
import type { Sessions } from "./session/install.ts";
import type { StoreClient } from "./session/store-client.ts";
import type { StartUpCheck } from "./start-up/check.ts";
import type { InstanceState } from "./state/instance-state.ts";

/** Made before the application loads. */
export interface Parts {
  readonly store: StoreClient;
  readonly sessions: Sessions;
  readonly state: InstanceState;
  readonly check: StartUpCheck;
}

const standingMax = 50;

export class Probe {
  readonly #birth: InstanceBirth;
  readonly #listeners = new Map<string, MovedListener>();
  /** Where it listened and does not any more: a monitor that was away has not heard of it. */
  readonly #closed = new Map<ListenerId, ListenAddress>();
  /** What stands as long as this process does: told again to each monitor. */
  readonly #standing: FromInstance[] = [];
  readonly #requests: Requests;
  readonly #parts: Parts;
  #link: Link | null = null;
  #indicators: Indicators | null = null;

  constructor(birth: InstanceBirth, parts: Parts) {
    this.#birth = birth;
    this.#parts = parts;
    this.#requests = new Requests({
      mark: birth.mark,
      quietMs: birth.quietMs,
      onQuiet: () => this.#tell({ kind: "quiet" }),
      onFirst: () => this.#parts.state.firstRequest(),
    });
  }

  /** Connects to the monitor; what the listeners of this process are to be told is returned. */
  begin(): MoveOptions {
    const { instance, token, controlSocket } = this.#birth;
    const { store, sessions, state, check } = this.#parts;
    const say = (message: FromInstance) => this.#say(message);
    store.begin(this.#birth);
    sessions.begin(this.#birth, say);
    state.begin(this.#birth, say, () => this.#tellListening());
    check.begin(this.#birth, say);
    this.#link = new Link({
      path: controlSocket,
      hello: helloOf("instance", instance, token),
      onUp: () => this.#tellLevel(),
      onFrame: ({ head }) => this.#heard(head as ToInstance), // the monitor, on its private socket
    });
    return {
      directory: this.#birth.listenDirectory,
      givenPort: this.#birth.givenPort,
      instance,
      onMoved: (server, listener) => {
        this.#requests.watch(server);
        const before = [...this.#listeners.values()].find(({ at }) => listenerId(at) === listenerId(listener.at));
        if (before !== undefined) this.#listeners.delete(before.socketPath); // it is being closed, and answers what it has
        this.#listeners.set(listener.socketPath, listener);
        this.#closed.delete(listenerId(listener.at));
        this.#tellListening();
        this.#startSampling();
        this.#parts.check.listening();
      },
      onClosed: (listener) => {
        if (!this.#listeners.delete(listener.socketPath)) return; // another one has its port
        this.#closed.set(listenerId(listener.at), listener.at);
        this.#tell({ kind: "listener-closed", at: listener.at });
      },
      onNotice: (code, text) => this.#say({ kind: "notice", level: "advice", code, text }),
    };
  }

  #tell(message: FromInstance): boolean {
    return this.#link?.send(message) ?? false;
  }

  /** What must not be missed: told now, and each time that the link comes up. */
  #say(message: FromInstance): void {
    this.#tell(message);
    if (this.#standing.length < standingMax) this.#standing.push(message);
  }

  #tellLevel(): void {
    for (const at of this.#closed.values()) this.#tell({ kind: "listener-closed", at });
    for (const message of this.#standing) this.#tell(message);
    this.#tellListening();
    if (this.#requests.fenced) this.#tell({ kind: "fenced", activeRequests: this.#requests.active });
    this.#requests.tellQuietAgain();
  }

  /** While it gets its state back it is not ready. */
  #tellListening(): void {
    if (this.#parts.state.isRestoring) return;
    for (const listener of this.#listeners.values()) this.#tell({ kind: "listening", ...listener });
  }

  #heard(message: ToInstance): void {
    switch (message.kind) {
      case "fence":
        this.#requests.fence();
        this.#parts.state.cordon(true);
        this.#tell({ kind: "fenced", activeRequests: this.#requests.active });
        break;
      case "unfence":
        this.#requests.unfence();
        this.#parts.state.cordon(false);
        break;
      case "hand-off":
        this.#handOff().then(
          ({ writes, checksum }) => this.#tell({ kind: "handed-off", regeneration: message.regeneration, writes, checksum }),
          (error: unknown) =>
            this.#tell({
              kind: "notice",
              level: "warning",
              code: "hand-off-failed",
              text: messageOf(error),
            }),
        );
        break;
      case "take-evidence":
        this.#tell({ kind: "evidence", evidence: collectEvidence(this.#requests.total) });
        break;
    }
  }

  async #handOff(): Promise<{ writes: number; checksum: string }> {
    await this.#parts.state.save();
    return this.#parts.store.flush();
  }

  #startSampling(): void {
    if (this.#indicators !== null) return;
    const indicators = new Indicators();
    this.#indicators = indicators;
    setInterval(() => {
      this.#tell({ kind: "sample", sample: indicators.sample(Date.now(), this.#requests.total) });
    }, this.#birth.sampleIntervalMs).unref();
  }
}
