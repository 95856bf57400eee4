/**
 * The rules that a tool can check: sizes, names, purity, openings, what must not be committed. The
 * rules are data at the top; each looks at the files that git tracks.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const fileLinesMax = 500;
const functionLinesMax = 70;
const pureRooms = ["model", "wire", "aging", "routing", "state", "config", "monitor", "sim"];

/** A room, and the rooms that it may import. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  model: [],
  wire: ["model"],
  aging: ["model"],
  routing: ["model"],
  state: ["model"],
  config: ["model"],
  monitor: ["model", "aging"],
  sim: ["model", "wire", "aging", "routing", "state", "config", "monitor"],
  link: ["model", "wire"],
  inside: ["model", "wire", "state", "link"],
  forwarder: ["model", "wire", "routing", "link"],
  replicator: ["model", "wire", "state", "link"],
  regenerators: ["model"],
  init: ["model", "wire", "link"],
  daemon: ["model", "wire", "link", "aging", "routing", "state", "config", "monitor", "regenerators"],
  cli: ["model", "config", "aging", "monitor", "sim", "init"],
};

const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" })
  .split("\n")
  .filter((path) => path !== "" && existsSync(join(root, path)));
const code = tracked.filter((path) => /\.(ts|js|cjs|mjs)$/.test(path));
const source = code.filter((path) => path.startsWith("src/"));
const text = (path: string) => readFileSync(join(root, path), "utf8");

/** Fails with every offender, not only the first. */
function none(what: string, offenders: readonly string[]): void {
  assert.deepEqual(offenders, [], what);
}

test("tidy: no file is longer than it can be read", () => {
  none(
    `longer than ${fileLinesMax} lines`,
    code.filter((path) => text(path).split("\n").length > fileLinesMax),
  );
});

test("tidy: a function fits a screen", () => {
  none(`functions of more than ${functionLinesMax} lines`, source.flatMap(longFunctions));
});

/** Biome's layout makes this simple: a function's last brace stands alone (a method's in a literal before a comma), as far in as its first line. */
function longFunctions(path: string): string[] {
  const lines = text(path).split("\n");
  const starts = /^(\s*)(?:export )?(?:async )?(?:function\b|(?:static |readonly )?(?:async )?[#\w]+\([^;]*\)(?:: [^;=]+)? \{$)/;
  return lines.flatMap((line, at) => {
    const indent = starts.exec(line)?.[1];
    if (indent === undefined || /^\s*(if|for|while|switch)\b/.test(line)) return [];
    const length = lines.slice(at).findIndex((one) => one === `${indent}}` || one === `${indent}},`) + 1;
    return length > functionLinesMax ? [`${path}:${at + 1} (${length} lines)`] : [];
  });
}

test("tidy: no drawer for odds and ends, in a path or an exported name", () => {
  const drawer = /\b(utils?|helpers?|common|misc)\b|Manager\b/;
  none(
    "paths",
    tracked.filter((path) => drawer.test(path)),
  );
  none(
    "names",
    source.flatMap((path) =>
      [...text(path).matchAll(/^export (?:class|function|const|interface|type) (\w+)/gm)].flatMap(([, name = ""]) =>
        /Manager$|[Uu]tils?$|[Hh]elpers?$/.test(name) ? [`${path}: ${name}`] : [],
      ),
    ),
  );
});

test("tidy: a test waits for what it needs, not for time to pass, and none is singled out", () => {
  const tests = code.filter((path) => path.startsWith("test/") && path !== "test/tidy.test.ts");
  none(
    "sleep( in tests",
    tests.filter((path) => text(path).includes("sleep(")),
  );
  none(
    ".only( in tests",
    tests.filter((path) => /\b(test|it|describe)\.only\(/.test(text(path))),
  );
});

test("tidy: pure rooms have no clock, no chance, no process and no Node", () => {
  const impure = /\bnew Date\(|\bDate\.now\(|\bMath\.random\(|\bWeakRef\b|\bprocess\.[a-z]|\bperformance\.|from "node:/;
  const pure = source.filter((path) => pureRooms.some((room) => path.startsWith(`src/${room}/`)));
  assert.ok(pure.length > 20);
  none(
    "impure",
    pure.filter((path) => impure.test(withoutComments(text(path)))),
  );
});

test("tidy: no any, no non-null assertion, and every `as` says why", () => {
  none(
    "any",
    source.filter((path) => /(?::|as|<) ?any\b(?! )/.test(withoutComments(text(path)))),
  );
  none(
    "non-null",
    source.filter((path) => /[\w)\]]!(?:[.;,)\]]|$)/m.test(withoutComments(text(path)))),
  );
  none(
    "as without its reason beside it",
    source.flatMap((path) =>
      text(path)
        .split("\n")
        .flatMap((line, at, lines) => (castsSilently(line, lines[at - 1] ?? "", lines[at + 1] ?? "") ? [`${path}:${at + 1}`] : [])),
    ),
  );
});

function castsSilently(line: string, before: string, after: string): boolean {
  const casts =
    / as (?!const\b)[A-Z({[]|as unknown/.test(line) && !/^\s*(\/\/|\*|\/\*|import|export)/.test(line) && !/["'`].* as .*["'`]/.test(line);
  return casts && !line.includes("//") && !/^\s*(\/\/|\*)/.test(before) && !after.includes("//");
}

test("tidy: every source file opens by saying what it is", () => {
  none(
    "without an opening comment",
    code.filter((path) => /^(src|examples|scripts|bin)\//.test(path) && !/^(#!.*\n)?(\/\*\*|\/\/)/.test(text(path))),
  );
});

test("tidy: rooms import what the design allows, and each import names a file", () => {
  for (const [room, allowed] of Object.entries(mayImport)) {
    const { references = [] } = JSON.parse(text(`src/${room}/tsconfig.json`)) as { references?: { path: string }[] };
    assert.deepEqual(references.map(({ path }) => path.replace("../", "")).sort(), [...allowed].sort(), `references of src/${room}`);
    for (const path of source.filter((one) => one.startsWith(`src/${room}/`))) {
      for (const [, target = ""] of text(path).matchAll(/from "(\.\.?\/[^"]+)"/g)) {
        const imported = resolve("/", dirname(path), target).slice(1);
        const [, other = ""] = imported.split("/");
        assert.ok(other === room || allowed.includes(other), `${path} imports ${target}`);
        assert.ok(existsSync(join(root, imported)), `${path} imports ${target}, which is not there`);
      }
    }
  }
});

test("tidy: the probe and what it brings along depend on nothing but Node", () => {
  const inside = source.filter((path) => /^src\/(inside|link|state|wire|model)\//.test(path));
  none(
    "dependencies",
    inside.filter((path) => /from "(?!node:|\.\.?\/)/.test(text(path))),
  );
});

test("tidy: nothing of one machine, no build output, no secret is committed", () => {
  none(
    "build output",
    tracked.filter((path) => /(^|\/)(dist|node_modules)\/|\.tsbuildinfo$/.test(path)),
  );
  const ofOneMachine = /registry\.npmjs|\/root\/|\/home\/\w|\/work\/|BEGIN [A-Z ]*PRIVATE KEY/;
  none(
    "paths and hosts",
    tracked.filter(
      (path) => path !== "test/tidy.test.ts" && /\.(ts|js|json|md|txt|yml|html|sh)$|\.ci\//.test(path) && ofOneMachine.test(text(path)),
    ),
  );
});

test("tidy: default exports are for configuration files alone", () => {
  none(
    "default exports",
    source.filter((path) => /^export default/m.test(text(path))),
  );
});

test("tidy: links in the documents lead somewhere", () => {
  const documents = tracked.filter((path) => path.endsWith(".md"));
  assert.ok(documents.length > 0);
  const broken = documents.flatMap((path) =>
    [...text(path).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].flatMap(([, target = ""]) =>
      existsSync(join(root, dirname(path), target)) ? [] : [`${path}: ${target}`],
    ),
  );
  none("broken links", broken);
});

function withoutComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "");
}
