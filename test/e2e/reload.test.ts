/** Deploys in a real cluster: releases behind a link, as deploy tools lay them out, under load. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { TestCluster } from "./cluster.ts";
import { Releases } from "./releases.ts";
import { SessionLoad } from "./session-load.ts";

interface Seen {
  readonly release: string;
  readonly greeting: string | null;
}

async function seen(cluster: TestCluster): Promise<Seen> {
  const answer = await fetch(`http://127.0.0.1:${cluster.port}/seen`);
  return (await answer.json()) as Seen; // what the fixture answers
}

async function seenOften(cluster: TestCluster): Promise<string[]> {
  const answers = await Promise.all(Array.from({ length: 60 }, () => seen(cluster)));
  return [...new Set(answers.map(({ release }) => release))];
}

test("reload, there and back under load: nothing fails, nothing goes back once all have moved; crash restarts stay on the release", {
  timeout: 240_000,
}, async () => {
  const releases = new Releases();
  releases.add("a");
  releases.add("b");
  releases.point("a");
  const cluster = await TestCluster.start({ script: releases.script, settings: { releaseWatchMs: 500, minReadyMs: 200 } });
  const load = new SessionLoad({ port: cluster.port, clients: 20, thinkMs: 5 });
  assert.deepEqual(await seenOften(cluster), ["a"]);
  for (const release of ["b", "a", "b"]) {
    releases.point(release);
    const { code, stdout } = await cluster.command("reload", "--wait", "--name", "t");
    assert.equal(code, 0, stdout);
    assert.match(stdout, /serves on all nodes/);
    assert.deepEqual(await seenOften(cluster), [release]);
  }
  const { failed, lost, stale, doubled } = await load.end();
  assert.deepEqual([failed, lost, stale, doubled], [[], 0, 0, 0]);

  // The link moves on, nobody said reload: a node that dies comes back as what runs.
  releases.point("a");
  const before = (await cluster.status()).nodes[0] ?? assert.fail();
  process.kill(before.pid ?? assert.fail(), "SIGKILL");
  await cluster.until("it was started again", async () => {
    const [node] = (await cluster.status()).nodes;
    return node?.state === "ready" && node.pid !== before.pid;
  });
  assert.deepEqual(await seenOften(cluster), ["b"]);

  process.env["GREETING"] = "hello";
  assert.equal((await cluster.command("reload", "--wait", "--name", "t")).code, 0);
  delete process.env["GREETING"];
  assert.equal((await seen(cluster)).greeting, "hello", "the caller's environment came along");
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(releases.directory, { recursive: true });
});

test("reload to a release that does not start, or answers worse: the one before serves on, and the command says why", {
  timeout: 300_000,
}, async () => {
  const releases = new Releases();
  releases.add("good");
  releases.add("broken", 'throw new Error("no database");');
  releases.add(
    "worse",
    'const { emit } = require("node:http").Server.prototype;\n' +
      'require("node:http").Server.prototype.emit = function (event, request, response) {\n' +
      '  if (event !== "request" || request.url !== "/report") return emit.apply(this, arguments);\n' +
      "  response.writeHead(500).end();\n};",
  );
  releases.point("good");
  const cluster = await TestCluster.start({ script: releases.script, settings: { releaseWatchMs: 20_000, minReadyMs: 200 } });
  const load = new SessionLoad({ port: cluster.port, clients: 20, thinkMs: 5 });
  releases.point("broken");
  const broken = await cluster.command("reload", "--wait", "--name", "t");
  assert.equal(broken.code, 1);
  assert.match(broken.stdout, /given up, the one before serves on all nodes.*no database/);
  const { failed, lost, stale, doubled } = await load.end();
  assert.deepEqual([failed, lost, stale, doubled], [[], 0, 0, 0]);

  releases.point("worse");
  const going = cluster.command("reload", "--wait", "--name", "t", "--json");
  await cluster.until("the first node is on it", async () => (await seenOften(cluster)).includes("worse"));
  assert.match((await cluster.command("reload", "--name", "t")).stderr, /a reload is under way/);
  await cluster.until("clients see its errors, and it is taken back", async () => {
    await Promise.all(Array.from({ length: 40 }, () => fetch(`http://127.0.0.1:${cluster.port}/report`)));
    return (await cluster.status()).reloadingTo === null;
  });
  const worse = await going;
  assert.equal(worse.code, 1);
  assert.match(worse.stdout, /"outcome": "rolled-back"/);
  assert.match(worse.stdout, /answered with 5xx/);
  assert.deepEqual(await seenOften(cluster), ["good"]);

  rmSync(join(releases.directory, "current"));
  const gone = await cluster.command("reload", "--name", "t");
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /does not exist/);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(releases.directory, { recursive: true });
});
