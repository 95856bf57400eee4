/**
 * One step's working copy: the state is copied, changed freely by the parts of the step, and comes out
 * as the next state with the effects that were collected on the way.
 */
import type { ClusterSpec } from "../model/birth.ts";
import { assert } from "../model/errors.ts";
import type { EventDraft } from "../model/events.ts";
import type { InstanceId, NodeName } from "../model/node.ts";
import type { Settings } from "../model/settings.ts";
import type { InstanceRecord, MonitorState, NodeRecord } from "./state.ts";
import type { Effect } from "./types.ts";

type WithoutKey<T> = T extends unknown ? Omit<T, "key"> : never;
export type EffectDraft = WithoutKey<Effect>;

export class Draft {
  readonly state: MonitorState;
  readonly effects: Effect[] = [];
  readonly nowMs: number;
  /** Unconfirmed effects are given out again in this step. */
  retry = false;

  constructor(before: MonitorState, nowMs: number) {
    this.state = copy(before);
    this.nowMs = nowMs;
  }

  get spec(): ClusterSpec {
    assert(this.state.spec !== null, "the cluster was started");
    return this.state.spec;
  }

  get settings(): Settings {
    return this.spec.settings;
  }

  /** Adds an effect, once a step. */
  effect(effect: EffectDraft): void {
    const subject = "instance" in effect ? effect.instance : effect.kind === "open-listener" ? effect.id : "";
    const revision = effect.kind === "send-routes" ? String(effect.table.revision) : "";
    const key = effect.kind === "event" ? `event ${this.effects.length}` : `${effect.kind} ${subject}${revision}`;
    if (this.effects.some((other) => other.key === key)) return;
    this.effects.push({ ...effect, key } as Effect); // the draft is an Effect less its key
  }

  event(
    kind: EventDraft["kind"],
    text: string,
    facts: Readonly<Record<string, unknown>>,
    about: Partial<Pick<EventDraft, "node" | "instance" | "regeneration">> = {},
  ): void {
    this.effect({ kind: "event", event: { kind, text, facts, ...about } });
  }

  instance(id: InstanceId | null): InstanceRecord | null {
    return id === null ? null : (this.state.instances.find((record) => record.id === id) ?? null);
  }

  node(name: NodeName): NodeRecord {
    const node = this.state.nodes.find((record) => record.name === name);
    assert(node !== undefined, `there is a node ${name}`);
    return node;
  }
}

/** Copies plain JSON data. */
function copy<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copy) as T; // an array of the same elements
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copy(inner)])) as T; // an object of the same keys
}
