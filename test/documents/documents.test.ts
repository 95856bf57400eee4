/** Documents that follow from the code: the settings' page is generated, the errors' page is complete. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import Fastify from "fastify";
import { choiceSettings, numberSettings } from "../../src/config/declarations.ts";
import { declaredSettings, defaultSettings } from "../../src/config/declared.ts";
import { parseSettings } from "../../src/config/settings.ts";
import type { SettingValue } from "../../src/model/settings.ts";
import { settingsSchema } from "./settings-schema.ts";

const file = (path: string) => new URL(`../../${path}`, import.meta.url);

test("docs/configuration.md is what the declarations say", () => {
  const text = (value: SettingValue) => (typeof value === "object" ? value.join(",") : String(value));
  const rows = declaredSettings.map(
    ({ name, default: value, accepted, acts, doc }) =>
      `| \`${name}\` | ${text(value)} | ${accepted} | ${acts.replace("-", " ")} | ${doc} |`,
  );
  const page = [
    "# Configuration",
    "",
    "Settings are given to `coppice run` as `--set key=value`, as often as needed. Durations end in `Ms` (milliseconds), sizes in",
    "`Bytes`. `coppice config` shows those in force. This page and [configuration.schema.json](configuration.schema.json) are generated from",
    "`src/config/declarations.ts`.",
    "",
    "| setting | default | range | a change acts | |",
    "|---|---|---|---|---|",
    ...rows,
    "",
    "Environment: `COPPICE_HOME` is the directory for run-time files (default `~/.coppice`). Each server process is given `COPPICE_NODE`",
    "(`web-2`), `COPPICE_NODE_INDEX` (`2`) and `COPPICE_GENERATION`.",
    "",
  ].join("\n");
  if (process.env["UPDATE"] === "1") writeFileSync(file("docs/configuration.md"), page);
  assert.equal(readFileSync(file("docs/configuration.md"), "utf8"), page, "UPDATE=1 npm run test:pure writes it anew");
});

test("docs/configuration.schema.json is what the declarations say", () => {
  const text = `${JSON.stringify(settingsSchema(), null, 2)}\n`;
  if (process.env["UPDATE"] === "1") writeFileSync(file("docs/configuration.schema.json"), text);
  assert.equal(readFileSync(file("docs/configuration.schema.json"), "utf8"), text, "UPDATE=1 npm run test:pure writes it anew");
});

test("the schema takes what the command line takes, and refuses unknown names, wrong kinds and what is out of range as it does", async () => {
  const accepts = await validator();
  const values = fc.oneof(fc.integer(), fc.double(), fc.boolean(), fc.constantFrom("a b", null), fc.constant([]));
  const given = fc.dictionary(fc.constantFrom(...declaredSettings.map(({ name }) => name), "nonsense"), values, { maxKeys: 3 });
  assert.ok(accepts(defaultSettings));
  let refused = 0;
  fc.assert(
    fc.property(given, (settings) => {
      const verdict = isParsed(settings);
      refused += verdict ? 0 : 1;
      assert.equal(accepts(settings), verdict);
    }),
    { numRuns: 2_000 },
  );
  assert.ok(refused > 100 && refused < 1_900, `${refused} of 2000 refused`);
  for (const { name } of declaredSettings)
    assert.ok(accepts({ [name]: defaultSettings[name] }) && !accepts({ [name]: { of: "no kind" } }), name);
  for (const [name, { choices }] of Object.entries(choiceSettings))
    assert.ok(
      choices.every((choice) => accepts({ [name]: choice })),
      name,
    );
  for (const [name, { min, max }] of Object.entries(numberSettings)) {
    assert.deepEqual(
      [min - 1, min, max, max + 1, min + 0.5].map((value) => accepts({ [name]: value })),
      [false, true, true, false, false],
      name,
    );
  }
});

function isParsed(settings: Readonly<Record<string, unknown>>): boolean {
  try {
    parseSettings(settings);
    return true;
  } catch {
    return false;
  }
}

/** Of the schema, by Fastify's own. */
async function validator(): Promise<(value: unknown) => boolean> {
  const server = Fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } } });
  return new Promise((resolve) => {
    server.get("/", (request) => {
      const validate = request.compileValidationSchema(settingsSchema());
      resolve((value) => validate(value) === true);
      return "";
    });
    void server.inject("/");
  });
}

test("docs/errors.md has a row for each code, and no other", () => {
  const codes = (text: string) => [...new Set([...text.matchAll(/"?(COPPICE_[A-Z_]+)/g)].map(([, code = ""]) => code))].sort();
  assert.deepEqual(codes(readFileSync(file("docs/errors.md"), "utf8")), codes(readFileSync(file("src/model/errors.ts"), "utf8")));
});

test("the README's commands exist", () => {
  const { scripts } = JSON.parse(readFileSync(file("package.json"), "utf8")) as { scripts: Record<string, string> };
  const named = [...readFileSync(file("README.md"), "utf8").matchAll(/npm run ([\w:]+)/g)].map(([, name = ""]) => name);
  assert.ok(named.length > 0);
  for (const name of named) assert.ok(name in scripts, name);
});
