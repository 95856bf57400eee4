/** The package itself: what its checkers say of it, and what its users do with it first, in an empty folder. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bin, root } from "../e2e/cluster.ts";
import { runtimes } from "../inside/runtimes.ts";
import { beginners } from "./beginners.ts";
import { emptyFolder, install, launcherIn, pack } from "./packed.ts";
import { readmeCommands, runTranscript } from "./transcript.ts";

const tool = (name: string, ...args: string[]): string =>
  execFileSync(process.execPath, [join(root, "node_modules/.bin", name), ...args], { encoding: "utf8" });

test("publint and attw find nothing in the package", { timeout: 300_000 }, () => {
  const tarball = pack(emptyFolder());
  assert.match(tool("publint", "run", tarball, "--strict"), /All good/);
  // It ends with 1, and this throws, where one of the profile's ways leads nowhere or to wrong types; that of Node 10 knows no exports.
  const types = tool("attw", tarball, "--profile", "node16", "--format", "ascii");
  const ways = types.split("\n").filter((line) => /^(?:node16|bundler)/.test(line));
  assert.equal(ways.length, 6, types);
  for (const way of ways) assert.match(way, /🟢/);
});

test("the README's first minute, to the letter, in an empty folder with Express", { timeout: 300_000 }, async () => {
  const [express] = beginners;
  assert.ok(express !== undefined && readmeCommands().length > 4);
  const { lines, requests, failed, left } = await runTranscript(express, pack(emptyFolder()));
  for (const { command, code, output } of lines) assert.equal(code, 0, `${command}\n${output}`);
  assert.equal(lines.length, readmeCommands().length);
  assert.ok(requests > 100, `only ${requests} requests`);
  assert.deepEqual([failed, left], [[], []]);
});

describe("installed from its tarball into an empty folder", () => {
  const folder = emptyFolder();
  before(() => install(folder, pack(emptyFolder())));
  after(() => rmSync(folder, { recursive: true }));

  test("each document that the README names, or that a command does, is in the package", () => {
    const packed = join(folder, "node_modules/coppice");
    const readme = readFileSync(join(packed, "README.md"), "utf8");
    const linked = [...readme.matchAll(/\]\(([^)#:]+)[^)]*\)/g)].map(([, path = ""]) => path);
    assert.ok(linked.length > 8, readme);
    const missing = [...linked, "docs/start-up-check.md", "docs/configuration.md"].filter((path) => !existsSync(join(packed, path)));
    assert.deepEqual(missing, []);
  });

  const older = runtimes().find(({ version }) => Number(version.split(".")[0]) < 22)?.path;
  const skip = older === undefined ? "no Node older than 22 is here" : false;
  const start = (launcher: string, path: string) =>
    spawnSync(older ?? "", [launcher, "--version"], { cwd: folder, env: { PATH: path }, encoding: "utf8" });

  test("under a Node that is too old for Coppice, one that is installed or on the PATH takes over", { timeout: 180_000, skip }, () => {
    // Beside this repository's launcher there is npm's package `node`, beside the installed one there is none.
    for (const [launcher, path] of [
      [bin, "/nowhere"],
      [launcherIn(folder), `/nowhere${delimiter}${dirname(process.execPath)}`],
    ] as const) {
      const { status, stdout, stderr } = start(launcher, path);
      assert.deepEqual([status, stdout.trim()], [0, "0.1.0"], stderr);
    }
  });

  test("and where there is none, it says what to do", { timeout: 180_000, skip }, () => {
    const { status, stderr } = start(launcherIn(folder), dirname(older ?? ""));
    assert.equal(status, 1);
    assert.match(stderr, /needs Node 22\.19 or later.*npm install --save-dev node@24.*--node /s);
  });
});
