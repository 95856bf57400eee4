/** The package itself: what its checkers say of it, and what its users do with it first, in an empty folder. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bin, freePort, root, TestCluster } from "../e2e/cluster.ts";
import { SessionLoad } from "../e2e/session-load.ts";
import { runtimes } from "../inside/runtimes.ts";
import { emptyFolder, install, launcherIn, pack } from "./packed.ts";

const tool = (name: string, ...args: string[]): string =>
  execFileSync(process.execPath, [join(root, "node_modules/.bin", name), ...args], { encoding: "utf8" });

test("publint and attw find nothing in the package", { timeout: 120_000 }, () => {
  const tarball = pack(emptyFolder());
  assert.match(tool("publint", "run", tarball, "--strict"), /All good/);
  assert.match(tool("attw", tarball, "--profile", "esm-only", "--format", "ascii"), /No problems found/);
});

/** The versions that this repository is tested with. */
const pinned = (name: string): string => {
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    devDependencies: Record<string, string>;
  };
  return `${name}@${devDependencies[name]}`;
};

/** The README's, to the letter. */
const serverOfReadme = `const express = require("express");
const session = require("express-session");

const app = express();
app.use(session({ secret: "keyboard cat", resave: false, saveUninitialized: false }));
app.use(express.json());
app.get("/items", (req, res) => res.json({ items: req.session.items ?? [] }));
app.post("/items", (req, res) => {
  req.session.items = [...(req.session.items ?? []), req.body.item];
  res.json({ count: req.session.items.length });
});
app.listen(process.env.PORT ?? 3000);
`;

describe("installed from its tarball into an empty folder", () => {
  const folder = emptyFolder();
  before(() => install(folder, pack(emptyFolder()), pinned("express"), pinned("express-session")));
  after(() => rmSync(folder, { recursive: true }));

  test("it runs a server, regenerates it under load and stops", { timeout: 240_000 }, async () => {
    writeFileSync(join(folder, "server.js"), serverOfReadme);
    const port = await freePort();
    const cluster = await TestCluster.start({
      script: "server.js",
      cwd: folder,
      port,
      launcher: launcherIn(folder),
      env: { PORT: String(port) },
    });
    const load = new SessionLoad({ port, clients: 6, thinkMs: 5 });
    await cluster.until("the load runs", () => load.result.requests > 60);
    const outcome = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
    assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr);
    const { failed, lost, stale, doubled } = await load.end();
    assert.deepEqual([failed, lost, stale, doubled], [[], 0, 0, 0]);
    assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  });

  const older = runtimes().find(({ version }) => Number(version.split(".")[0]) < 22)?.path;
  const skip = older === undefined ? "no Node older than 22 is here" : false;
  const start = (launcher: string, path: string) =>
    spawnSync(older ?? "", [launcher, "--version"], { cwd: folder, env: { PATH: path }, encoding: "utf8" });

  test("under a Node that is too old for Coppice, one that is installed or on the PATH takes over", { timeout: 60_000, skip }, () => {
    // Beside this repository's launcher there is npm's package `node`, beside the installed one there is none.
    for (const [launcher, path] of [
      [bin, "/nowhere"],
      [launcherIn(folder), `/nowhere${delimiter}${dirname(process.execPath)}`],
    ] as const) {
      const { status, stdout, stderr } = start(launcher, path);
      assert.deepEqual([status, stdout.trim()], [0, "0.1.0"], stderr);
    }
  });

  test("and where there is none, it says what to do", { timeout: 60_000, skip }, () => {
    const { status, stderr } = start(launcherIn(folder), dirname(older ?? ""));
    assert.equal(status, 1);
    assert.match(stderr, /needs Node 22\.19 or later.*npm install --save-dev node@24.*--node /s);
  });
});
