/** What an operator asks for over the admin API: each an input of the core, with an id that tells its progress. */
import { changesOf } from "../config/changes.ts";
import { defaultSettings, settingsInForce } from "../config/declared.ts";
import { defaultsWithin } from "../config/settings.ts";
import type {
  ChangeSettingsRequest,
  RegenerationProgress,
  ReloadRequest,
  Resumed,
  SettingsChanged,
  SettingsInForce,
} from "../model/admin.ts";
import type { ClusterSpec } from "../model/birth.ts";
import type { NodeName } from "../model/node.ts";
import { stopped } from "../monitor/quarantine.ts";
import { progress } from "../monitor/view.ts";
import type { Engine } from "./engine.ts";

export interface OrdersOptions {
  readonly engine: Engine;
  /** In force. */
  readonly spec: () => ClusterSpec;
}

export class Orders {
  readonly #options: OrdersOptions;
  readonly #startedAtMs = Date.now();
  #requests = 0;

  constructor(options: OrdersOptions) {
    this.#options = options;
  }

  regenerate(nodes: readonly NodeName[] | "all"): string {
    const request = this.#nextRequest();
    this.#options.engine.accept({ kind: "regenerate", request, nodes });
    return request;
  }

  /** What had stopped goes on: says what it was. Null: it could not be journalled. */
  resume(nodes: readonly NodeName[] | "all"): Resumed | null {
    const { engine } = this.#options;
    const resumed = stopped(engine.state, nodes);
    engine.accept({ kind: "resume", nodes });
    const still = stopped(engine.state, nodes);
    return still.fleet || still.nodes.length > 0 ? null : resumed;
  }

  scale(nodes: number): string {
    const request = this.#nextRequest();
    this.#options.engine.accept({ kind: "scale", request, nodes });
    return request;
  }

  /** Null while another reload is under way. */
  reload({
    kind,
    script,
    arguments: args,
    workingDirectory,
    asTyped,
    environment,
  }: ReloadRequest): { readonly id: string; readonly release: string } | null {
    const { engine } = this.#options;
    const { releases, release: current, rollout, nextRelease } = engine.state;
    const running = releases.find(({ id }) => id === current);
    if (rollout !== null || running === undefined) return null;
    const place = { kind, script, arguments: args, workingDirectory, asTyped };
    const release = { ...running, ...place, id: String(nextRelease), environment: { ...running.environment, ...environment } };
    const request = this.#nextRequest();
    engine.accept({ kind: "reload", request, release });
    return { id: request, release: release.id };
  }

  get settings(): SettingsInForce {
    const { settings, memory } = this.#options.spec();
    return { settings: settingsInForce(settings, memory === null ? defaultSettings : defaultsWithin(memory.limitBytes)) };
  }

  /** @throws CoppiceError COPPICE_SETTING, and nothing is changed. */
  changeSettings({ set, dryRun = false }: ChangeSettingsRequest): SettingsChanged {
    const { engine, spec } = this.#options;
    const changes = changesOf(spec().settings, set);
    if (!dryRun && changes.length > 0) engine.accept({ kind: "settings", changes });
    return { changes, inForce: changesOf(spec().settings, set).length === 0 };
  }

  progress(request: string): RegenerationProgress | null {
    return progress(this.#options.engine.state, request);
  }

  #nextRequest(): string {
    this.#requests += 1;
    return `request-${this.#startedAtMs.toString(36)}-${this.#requests}`;
  }
}
