/**
 * Settings that change while the cluster runs. From here on the core judges by the new ones: the deadlines of what is under way move
 * with them, and who waits for an automatic regeneration is judged anew, since the shell says again what stands.
 */
import type { SettingChange } from "../model/admin.ts";
import type { ClusterSpec } from "../model/birth.ts";
import { shareOut } from "../model/memory.ts";
import { type Settings, settingText } from "../model/settings.ts";
import type { Draft } from "./draft.ts";
import { lifecycle } from "./lifecycle.ts";
import { effectStop, restartPauseMs } from "./nodes.ts";
import { isAutomatic } from "./state.ts";

/** What is so already changes nothing; who is found to have changed it meanwhile is overruled. */
export function changeSettings(draft: Draft, wanted: readonly Pick<SettingChange, "name" | "to" | "acts">[]): void {
  const before = draft.settings;
  const changes = wanted.filter(({ name, to }) => JSON.stringify(before[name]) !== JSON.stringify(to));
  if (changes.length === 0) return;
  const after: Settings = { ...before, ...Object.fromEntries(changes.map(({ name, to }) => [name, to])) };
  draft.state.spec = { ...draft.spec, settings: after, ...roomFor(draft, before, after) };
  moveDeadlines(draft, before, after);
  judgeAnew(draft);
  draft.effect({ kind: "settings" });
  const said = changes.map(({ name, to, acts }) => {
    const from = acts === "new-instances" ? " for instances that are started from now on" : "";
    return `${name} ${settingText(before[name]) || "none"} -> ${settingText(to) || "none"}${from}`;
  });
  draft.event("settings-changed", `settings were changed: ${said.join(", ")}`, {
    changes: changes.map(({ name, to, acts }) => ({ name, from: before[name], to, acts })),
  });
}

/** Beside the nodes, or in the place of each: what that leaves to each is for instances that are started from now on. */
function roomFor({ spec, state }: Draft, before: Settings, { regenerate }: Settings): Pick<ClusterSpec, "memory" | "regenerate"> {
  const { memory, forwarders } = spec;
  if (regenerate === before.regenerate) return { memory, regenerate: spec.regenerate };
  if (memory === null) return { memory, regenerate: regenerate === "in-place" ? "in-place" : "replace" };
  const shared = shareOut(memory.limitBytes, { nodes: state.wanted, forwarders, regenerate });
  return { memory: shared, regenerate: shared.surge === 0 ? "in-place" : "replace" };
}

/** What began under the old settings ends as if it had begun under the new ones. */
function moveDeadlines(draft: Draft, before: Settings, after: Settings): void {
  const { state } = draft;
  const by = (name: keyof Settings) => Number(after[name]) - Number(before[name]); // of times alone
  for (const record of state.instances) {
    record.deadlineMs += by("startTimeoutMs");
    if (record.leavingUntilMs !== null) record.leavingUntilMs += by("drainTimeoutMs");
    // Of who was told to end init shortens the grace, and lengthens none.
    if (record.stopping === null || after.killTimeoutMs >= record.stopping.graceMs) continue;
    record.stopping = { ...record.stopping, graceMs: after.killTimeoutMs };
    effectStop(draft, record);
  }
  for (const node of state.nodes) {
    const pauseMs = (settings: Settings) => restartPauseMs(node.attempts - 1, node.index, settings); // it was counted when it began
    if (node.restartAtMs !== null) node.restartAtMs += pauseMs(after) - pauseMs(before);
  }
  for (const regeneration of state.current === null ? state.ended : [...state.ended, state.current]) {
    const { deadline } = lifecycle[regeneration.mode][regeneration.phase];
    if (regeneration.deadlineMs === null || deadline === null) continue;
    regeneration.deadlineMs += by(deadline) + (regeneration.phase === "warming" ? by("minReadyMs") : 0);
  }
  if (state.rollout?.watchUntilMs != null) state.rollout.watchUntilMs += by("releaseWatchMs");
}

/** Who waits for its turn is found again while its reason stands, and what is said of that then is new; that it was found aging is not. */
function judgeAnew({ state }: Draft): void {
  state.queue = state.queue.filter(({ origin }) => !isAutomatic(origin));
  state.told = state.told.filter((key) => key.endsWith(" aging-found"));
  for (const node of state.nodes) node.waits = null;
}
