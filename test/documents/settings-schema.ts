/** The JSON Schema of the settings, from their declarations: of an object of any of them, as `coppice config --json` has the values. */
import { choiceSettings, listSettings, numberSettings, switchSettings } from "../../src/config/declarations.ts";
import { actsWords, declaredSettings } from "../../src/config/declared.ts";
import type { Settings } from "../../src/model/settings.ts";

/** JSON Schema has neither units nor times: both are said. */
export function settingsSchema(): Readonly<Record<string, unknown>> {
  const properties = declaredSettings.map(({ name, default: value, unit, acts, doc }) => {
    const inUnit = unit === null ? "" : ` In ${unit === "ms" ? "milliseconds" : "bytes"}.`;
    return [name, { description: `${doc}${inUnit} A change acts ${actsWords[acts]}.`, ...shapeOf(name), default: value }];
  });
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Settings of a Coppice cluster",
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(properties),
  };
}

function shapeOf(name: keyof Settings): Readonly<Record<string, unknown>> {
  const number = entryOf(numberSettings, name);
  if (number !== undefined) return { type: "integer", minimum: number.min, maximum: number.max };
  if (entryOf(switchSettings, name) !== undefined) return { type: "boolean" };
  const choice = entryOf(choiceSettings, name);
  if (choice !== undefined) return { enum: choice.choices };
  const list = entryOf(listSettings, name);
  return { type: "array", items: { type: "string", description: `One of ${list?.accepted}.` } };
}

function entryOf<T>(declared: Readonly<Record<string, T>>, name: string): T | undefined {
  return declared[name];
}
