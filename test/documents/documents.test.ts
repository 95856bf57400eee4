/** Documents that follow from the code: the settings' page is generated, the errors' page is complete. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { choiceSettings, listSettings, numberSettings, switchSettings } from "../../src/config/settings.ts";

const file = (path: string) => new URL(`../../${path}`, import.meta.url);

test("docs/configuration.md is what the declarations say", () => {
  const rows = Object.entries(numberSettings).map(
    ([key, { default: value, min, max, doc }]) => `| \`${key}\` | ${value} | ${min} to ${max} | ${doc} |`,
  );
  const page = [
    "# Configuration",
    "",
    "Settings are given to `coppice run` as `--set key=value`, as often as needed. Durations end in `Ms` (milliseconds), sizes in",
    "`Bytes`. This page is generated from `src/config/settings.ts`.",
    "",
    "| setting | default | range | |",
    "|---|---|---|---|",
    ...rows,
    ...Object.entries(switchSettings).map(([key, { default: value, doc }]) => `| \`${key}\` | ${value} | true, false | ${doc} |`),
    ...Object.entries(listSettings).map(
      ([key, { default: value, accepted, doc }]) => `| \`${key}\` | ${value.join(",")} | ${accepted}, by commas | ${doc} |`,
    ),
    ...Object.entries(choiceSettings).map(([key, { choices, doc }]) => `| \`${key}\` | ${choices[0]} | ${choices.join(", ")} | ${doc} |`),
    "",
    "Environment: `COPPICE_HOME` is the directory for run-time files (default `~/.coppice`). Each server process is given `COPPICE_NODE`",
    "(`web-2`), `COPPICE_NODE_INDEX` (`2`) and `COPPICE_GENERATION`.",
    "",
  ].join("\n");
  if (process.env["UPDATE"] === "1") writeFileSync(file("docs/configuration.md"), page);
  assert.equal(readFileSync(file("docs/configuration.md"), "utf8"), page, "UPDATE=1 npm run test:pure writes it anew");
});

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
