/** Settings as they are given, checked against their declarations: from a command line, to a running cluster. Pure. */
import { WeekCalendar } from "../model/calendar.ts";
import { CoppiceError } from "../model/errors.ts";
import { savedShare } from "../model/memory.ts";
import { nearName } from "../model/near-name.ts";
import type { Settings } from "../model/settings.ts";
import {
  type ChoiceKey,
  choiceSettings,
  type ListKey,
  listSettings,
  type NumberKey,
  numberSettings,
  switchSettings,
} from "./declarations.ts";
import { declaredSettings, defaultSettings, unitOf } from "./declared.ts";

/** What is so where nobody says otherwise, with so much memory. */
export function defaultsWithin(limitBytes: number): Settings {
  return { ...defaultSettings, saveBytesMax: Math.min(defaultSettings.saveBytesMax, savedShare(limitBytes)) };
}

/**
 * Defaults (or what is in force) with the given values over them. Values may be text, as from a command line.
 * @throws CoppiceError COPPICE_SETTING that names the key, the value and what is accepted.
 */
export function parseSettings(given: Readonly<Record<string, unknown>>, base: Settings = defaultSettings): Settings {
  const settings: Record<string, unknown> = { ...base };
  for (const key of Object.keys(given).sort()) settings[key] = parseSetting(key, given[key]);
  const parsed = settings as unknown as Settings; // every key was checked against the declarations
  if (parsed.forbiddenTimes.length > 0 && !new WeekCalendar(parsed).has("open"))
    throw refusal(
      "forbiddenTimes",
      parsed.forbiddenTimes.join(","),
      "what leaves some time for regenerations, inside of maintenanceWindows",
    );
  return parsed;
}

function parseSetting(key: string, value: unknown): unknown {
  if (Object.hasOwn(numberSettings, key)) return parseNumber(key as NumberKey, value); // its own key, just seen
  if (Object.hasOwn(switchSettings, key)) {
    if (value === true || value === "true") return true;
    if (value === false || value === "false") return false;
    throw refusal(key, value, "true or false");
  }
  if (Object.hasOwn(choiceSettings, key)) {
    const { choices } = choiceSettings[key as ChoiceKey]; // its own key, just seen
    if (choices.some((choice) => choice === value)) return value;
    throw refusal(key, value, choices.join(" or "));
  }
  if (Object.hasOwn(listSettings, key)) {
    const { accepts, accepted } = listSettings[key as ListKey]; // its own key, just seen
    const items =
      typeof value === "string"
        ? value
            .split(",")
            .map((item) => item.trim())
            .filter((item) => item !== "")
        : value;
    if (Array.isArray(items) && items.every((item) => typeof item === "string" && accepts(item))) return items;
    throw refusal(key, value, `${accepted}, separated by commas`);
  }
  throw noSetting(key);
}

const unitWords = { ms: " milliseconds", bytes: " bytes", none: "" };

function parseNumber(key: NumberKey, value: unknown): number {
  const { min, max } = numberSettings[key];
  const number = typeof value === "string" && /^\d+$/.test(value.replaceAll("_", "")) ? Number(value.replaceAll("_", "")) : value;
  if (typeof number === "number" && Number.isInteger(number) && number >= min && number <= max) return number;
  const unit = unitWords[unitOf(key) ?? "none"];
  throw refusal(key, value, `a whole number from ${min} to ${max}${unit}, without a unit`);
}

function refusal(key: string, value: unknown, accepted: string): CoppiceError {
  return new CoppiceError("COPPICE_SETTING", `${key} is ${JSON.stringify(value)}; accepted is ${accepted}`, {
    facts: { key, value, accepted },
  });
}

/** What somebody may have meant is named. */
export function noSetting(key: string): CoppiceError {
  return new CoppiceError("COPPICE_SETTING", `there is no setting "${key}"${suggestion(key)}`, { facts: { key } });
}

function suggestion(key: string): string {
  const known = declaredSettings.map(({ name }) => name);
  const near = nearName(key, known);
  return near === null ? `; known are: ${known.join(", ")}` : `; did you mean "${near}"?`;
}
