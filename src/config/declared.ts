/** All settings of the declarations alike: their defaults, and each as the documents, the help and `coppice config` show it. Pure. */
import type { SettingInForce } from "../model/admin.ts";
import type { Acts, Settings } from "../model/settings.ts";
import {
  choiceSettings,
  type ListKey,
  listSettings,
  type NumberKey,
  numberSettings,
  type SwitchKey,
  switchSettings,
} from "./declarations.ts";

export const defaultSettings: Settings = {
  ...(Object.fromEntries(Object.entries(numberSettings).map(([key, setting]) => [key, setting.default])) as Record<NumberKey, number>), // fromEntries loses the keys' type
  ...(Object.fromEntries(Object.entries(switchSettings).map(([key, setting]) => [key, setting.default])) as Record<SwitchKey, boolean>), // as above
  ...(Object.fromEntries(Object.entries(listSettings).map(([key, setting]) => [key, setting.default])) as Record<ListKey, string[]>), // as above
  mode: "automatic",
  regenerate: "auto",
};

/** When a change acts, in words. */
export const actsWords: Readonly<Record<Acts, string>> = {
  "at-once": "at once",
  "new-instances": "for each instance started from now on",
  "next-start": "at the next start of the cluster",
};

/** Any setting, for who shows them all. */
export type DeclaredSetting = Omit<SettingInForce, "value">;

/** Names carry their units. */
export function unitOf(name: string): DeclaredSetting["unit"] {
  return name.includes("Ms") ? "ms" : name.includes("Bytes") ? "bytes" : null;
}

/** In the order of the documents. */
export const declaredSettings: readonly DeclaredSetting[] = [
  ...Object.entries(numberSettings).map(([name, { min, max, ...said }]) => ({ name, ...said, accepted: `${min} to ${max}` })),
  ...Object.entries(switchSettings).map(([name, said]) => ({ name, ...said, accepted: "true, false" })),
  ...Object.entries(listSettings).map(([name, said]) => ({ name, ...said, accepted: `${said.accepted}, by commas` })),
  ...Object.entries(choiceSettings).map(([name, said]) => ({ name, ...said, accepted: said.choices.join(", ") })),
].map(({ name: key, accepted, acts, doc }) => {
  const name = key as keyof Settings; // a key of the tables above
  return { name, default: defaultSettings[name], unit: unitOf(name), accepted, acts, doc };
});

/** @param defaults where they are others than the declared ones. */
export function settingsInForce(inForce: Settings, defaults: Settings): SettingInForce[] {
  return declaredSettings.map((declared) => ({ ...declared, default: defaults[declared.name], value: inForce[declared.name] }));
}
