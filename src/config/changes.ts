/** What an operator's new values change of the settings in force: all of it is right, or nothing is changed. Pure. */
import type { SettingChange } from "../model/admin.ts";
import { CoppiceError } from "../model/errors.ts";
import { type Settings, settingText } from "../model/settings.ts";
import { declaredSettings } from "./declared.ts";
import { parseSettings } from "./settings.ts";

/**
 * In the order of the documents; none for what is so already.
 * @throws CoppiceError COPPICE_SETTING that says what is accepted, or what is to be done for what cannot change while the cluster runs.
 */
export function changesOf(inForce: Settings, given: Readonly<Record<string, unknown>>): SettingChange[] {
  const wanted = parseSettings(given, inForce);
  const changes = declaredSettings
    .filter(({ name }) => settingText(inForce[name]) !== settingText(wanted[name]))
    .map(({ name, unit, acts }) => ({ name, from: inForce[name], to: wanted[name], unit, acts }));
  const later = changes.filter(({ acts }) => acts === "next-start");
  if (later.length === 0) return changes;
  const options = later.map(({ name, to }) => `--set ${name}=${settingText(to)}`).join(" ");
  throw new CoppiceError(
    "COPPICE_SETTING",
    `${later.map(({ name }) => name).join(", ")} cannot change while the cluster runs: stop it, and start it with ${options}. Nothing was changed`,
    { facts: { names: later.map(({ name }) => name) } },
  );
}
