/**
 * The package may be installed anew under a running cluster. Its next monitor then takes up what an older one has journalled, for an
 * init that is as old: what those did not know yet is as in a new cluster. Who adds to the state or to the settings adds it here.
 */
import type { ClusterSpec } from "../model/birth.ts";
import type { Settings } from "../model/settings.ts";
import { initialState, type MonitorState, type Regeneration } from "./state.ts";

export function completedSpec(spec: ClusterSpec, defaults: Settings): ClusterSpec {
  return { ...spec, settings: { ...defaults, ...spec.settings } };
}

export function completed(state: MonitorState, defaults: Settings): MonitorState {
  return {
    ...initialState(),
    ...state,
    spec: state.spec === null ? null : completedSpec(state.spec, defaults),
    nodes: state.nodes.map((node) => ({ ...{ lives: null, waits: null }, ...node })),
    instances: state.instances.map((instance) => ({ ...{ hasMoreRoom: false, keepsCheckpoint: false }, ...instance })),
    queue: state.queue.map((entry) => ({ ...{ isLast: false, metMemory: false }, ...entry })),
    current: state.current === null ? null : completedRegeneration(state.current),
    ended: state.ended.map(completedRegeneration),
    gaveUp: typeof state.gaveUp === "string" ? state.gaveUp : null, // an older one said only whether: why, it finds again
  };
}

function completedRegeneration(regeneration: Regeneration): Regeneration {
  return { ...{ metMemory: false }, ...regeneration };
}
