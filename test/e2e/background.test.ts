/** A cluster in the background, as a team on one machine has it: start, logs, restart, stop, and what goes wrong. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ClusterStatus } from "../../src/model/admin.ts";
import { endAfterTest } from "../left-open.ts";
import { notRoot, SmallDisk } from "../small-disk.ts";
import { bin, type CommandResult, freePort } from "./cluster.ts";

const expressApp = fileURLToPath(new URL("./fixtures/express-app.cjs", import.meta.url));
const plainApp = fileURLToPath(new URL("./fixtures/plain-app.mjs", import.meta.url));

function coppice(home: string, env: Readonly<Record<string, string>>, ...args: string[]): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [bin, ...args],
      { env: { ...process.env, COPPICE_HOME: home, ...env } },
      (error, stdout, stderr) => {
        ended();
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
    const ended = endAfterTest(() => child.kill("SIGKILL"));
  });
}

/** A home, a port for the app, and the commands of both; what is started is ended after the test. */
async function stage() {
  const home = mkdtempSync(join(tmpdir(), "coppice-e2e-"));
  const port = await freePort();
  const run = (...args: string[]) => coppice(home, { APP_PORT: String(port) }, ...args);
  endAfterTest(() => run("stop"));
  return { home, port, run };
}

test("start waits until it serves, a second one is an answer, logs tell the nodes apart, restart starts anew, stop ends it", {
  timeout: 300_000,
}, async () => {
  const { home, port, run } = await stage();
  const started = await run("start", expressApp, "-n", "2", "--name", "shop");
  assert.equal(started.code, 0, started.stderr);
  assert.match(started.stdout, new RegExp(`2 of 2 nodes serve on .*:${port}`));
  assert.equal((await fetch(`http://127.0.0.1:${port}/items`)).status, 200, "it serves when the command returns");
  const again = await run("start", expressApp, "--name", "shop");
  assert.equal(again.code, 1);
  assert.match(again.stderr, /is running already \(pid \d+\)/);

  const logs = await run("logs", "--name", "shop");
  assert.match(logs.stdout, /^web-1 \| /m);
  assert.match(logs.stdout, /^coppice \| web-2.1 serves/m);
  const ofOne = await run("logs", "--node", "web-1");
  assert.ok(ofOne.stdout.length > 0 && ofOne.stdout.split("\n").every((line) => line === "" || line.startsWith("web-1 | ")));
  const unread = spawn(process.execPath, [bin, "events", "--follow"], { env: { ...process.env, COPPICE_HOME: home } });
  endAfterTest(() => unread.kill("SIGKILL"));
  let complaint = "";
  unread.stderr.on("data", (chunk: Buffer) => {
    complaint += chunk;
  });
  const unreadEnded = once(unread, "close");
  await once(unread.stdout, "data");
  unread.stdout.destroy();
  const follower = spawn(process.execPath, [bin, "logs", "--follow", "--node", "coppice", "--lines", "1"], {
    env: { ...process.env, COPPICE_HOME: home },
  });
  endAfterTest(() => follower.kill("SIGKILL"));
  let followed = "";
  follower.stdout.on("data", (chunk: Buffer) => {
    followed += chunk;
  });
  const followerEnded = once(follower, "close");
  await once(follower.stdout, "data");
  truncateSync(join(home, "shop.log")); // as `copytruncate` does

  const status = async () => JSON.parse((await run("status", "--json")).stdout) as ClusterStatus; // our own command's JSON
  const before = await status();
  const restarted = await run("restart", "--json");
  assert.equal(restarted.code, 0, restarted.stderr);
  const after = await status();
  assert.notEqual(after.init.pid, before.init.pid);
  assert.equal(after.nodes.length, 2);
  assert.equal((await fetch(`http://127.0.0.1:${port}/items`)).status, 200);

  assert.deepEqual([await unreadEnded, complaint], [[0, null], ""], "its reader went before the cluster said more");
  assert.equal((await run("stop")).code, 0);
  await followerEnded;
  assert.match(followed, /the cluster is being stopped/, "a follower sees the end, and ends");
  assert.deepEqual(readdirSync(home), ["shop.log"], "the log alone outlives it");
  assert.match((await run("logs", "--name", "shop", "--lines", "2")).stdout, /is being stopped/);
  rmSync(home, { recursive: true });
});

test("start waits for a forwarder too: while none answers on the public port it does not say that the nodes serve", {
  timeout: 300_000,
}, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-e2e-"));
  const port = await freePort();
  const go = join(home, "go");
  const waits = join(home, "waits");
  const script = join(home, "late.cjs");
  writeFileSync(
    script,
    `require("node:fs").writeFileSync(${JSON.stringify(waits)}, "");
    const wait = setInterval(() => {
      if (!require("node:fs").existsSync(${JSON.stringify(go)})) return;
      clearInterval(wait);
      require("node:http").createServer((_, res) => res.end("late")).listen(${port});
    }, 20);`,
  );
  const run = (...args: string[]) => coppice(home, {}, ...args, "--name", "late");
  endAfterTest(() => run("stop"));
  // It goes on, or init ends it and starts another.
  for (const goesOn of [true, false]) {
    const starting = run("start", script, "-n", "1");
    let forwarder = 0;
    for (const endMs = Date.now() + 60_000; forwarder === 0 || !existsSync(waits); await pause(50)) {
      assert.ok(Date.now() < endMs, "no forwarder came");
      const { stdout } = await run("status", "--json");
      forwarder = stdout === "" ? 0 : ((JSON.parse(stdout) as ClusterStatus).forwarders[0]?.pid ?? 0);
    }
    process.kill(forwarder, "SIGSTOP");
    writeFileSync(go, "");
    for (const endMs = Date.now() + 60_000; !/ serves \(pid/.test((await run("events")).stdout); await pause(50))
      assert.ok(Date.now() < endMs, "the node does not serve");
    const early = await Promise.race([starting, run("status")]);
    assert.match(early.stdout, /not listening yet[\s\S]* STATE /, "start has not ended before a whole further command did");
    if (goesOn) process.kill(forwarder, "SIGCONT");
    const { code, stdout, stderr } = await starting;
    assert.match(stdout, /1 of 1 nodes serve/, stderr);
    assert.equal(code, 0);
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "late");
    assert.equal((await run("stop")).code, 0);
    for (const file of [go, waits]) rmSync(file);
  }
  rmSync(home, { recursive: true });
});

test("start of what cannot start says why and leaves nothing that runs", { timeout: 300_000 }, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-e2e-"));
  const missing = await coppice(home, {}, "start", "/nowhere/server.js");
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /\/nowhere\/server.js does not exist/);
  assert.deepEqual(readdirSync(home), []);
  const script = join(home, "broken.cjs");
  writeFileSync(script, 'throw new Error("no database");\n');
  const fresh = join(home, "fresh");
  assert.equal((await coppice(fresh, {}, "start", script, "--name", "broken")).code, 1);
  assert.equal(statSync(fresh).mode & 0o777, 0o711, "a server under --user passes through it");
  writeFileSync(join(home, "broken.log"), `${"ü".repeat(20_000)}\n`); // of an earlier life, in any language
  const broken = await coppice(home, {}, "start", script, "--name", "broken");
  assert.equal(broken.code, 1);
  assert.match(broken.stderr, /did not start. The end of its log/);
  assert.match(broken.stderr, /no database/);
  assert.equal(existsSync(join(home, "broken")), false);
  writeFileSync(join(home, "broken.log"), `${"x".repeat(10 * 1024 * 1024 - 200)}\n`); // it rotates at its second line or so
  assert.match((await coppice(home, {}, "start", script, "--name", "broken")).stderr, /no database/);
  const half = join(home, "half.cjs");
  writeFileSync(
    half,
    'if (process.env.COPPICE_NODE_INDEX === "2") throw new Error("no second"); require("node:http").createServer().listen(process.env.APP_PORT);',
  );
  const port = String(await freePort());
  endAfterTest(() => coppice(home, {}, "stop", "--name", "half"));
  const halfStarted = await coppice(home, { APP_PORT: port }, "start", half, "-n", "2", "--name", "half", "--set", "crashLoopRestarts=1");
  assert.equal(halfStarted.code, 1);
  assert.match(halfStarted.stdout, /1 of 2 nodes serve/);
  assert.match(halfStarted.stderr, /web-2 has failed: .*no second/);
  assert.equal((await coppice(home, {}, "stop", "--name", "half")).code, 0);
  const foreground = await coppice(home, {}, "restart", "--name", "broken");
  assert.match(foreground.stderr, /no cluster named "broken" is running/);
  rmSync(home, { recursive: true });
});

test("restart in a deploy by links takes the release that the link names now, and reload after it too", { timeout: 300_000 }, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-e2e-"));
  const port = await freePort();
  const link = join(home, "current");
  const use = (release: string) => {
    rmSync(link, { force: true });
    symlinkSync(join(home, release), link);
  };
  for (const release of ["r1", "r2", "r3"]) {
    mkdirSync(join(home, release));
    writeFileSync(join(home, release, "server.cjs"), `require("node:http").createServer((_, r) => r.end("${release}")).listen(${port});`);
  }
  const served = async () => (await fetch(`http://127.0.0.1:${port}/`)).text();
  endAfterTest(() => coppice(join(home, "home"), {}, "stop"));
  use("r1");
  const typed = [
    process.execPath,
    bin,
    "start",
    "server.cjs",
    "-n",
    "1",
    "--name",
    "shop",
    "--set",
    "releaseWatchMs=100",
    "--set",
    "minReadyMs=100",
  ];
  const env = { ...process.env, COPPICE_HOME: join(home, "home") };
  await promisify(execFile)("sh", ["-c", 'cd "$0" && exec "$@"', link, ...typed], { env });
  const run = (...args: string[]) => coppice(env.COPPICE_HOME, {}, ...args);
  assert.equal(await served(), "r1");
  use("r2");
  assert.equal((await run("restart")).code, 0);
  assert.equal(await served(), "r2");
  use("r3");
  assert.equal((await run("reload", "--wait")).code, 0);
  assert.equal(await served(), "r3");
  rmSync(join(home, "r3"), { recursive: true });
  const nowhere = await run("restart");
  assert.deepEqual([nowhere.code, await served()], [1, "r3"], "nothing is stopped for what cannot be started");
  assert.match(nowhere.stderr, /the working directory .*current does not exist any more/);
  assert.match(
    (await run("regenerate", "--all", "--wait")).stdout,
    /cannot be started: the working directory .*r3 does not exist any more/,
  );
  assert.equal((await run("stop")).code, 0);
  rmSync(home, { recursive: true });
});

test("restart from another directory, with a home that is told relative to that one", { timeout: 180_000 }, async () => {
  const { home, port, run } = await stage();
  const started = await run("start", plainApp, "-n", "1", "--name", "shop");
  assert.equal(started.code, 0, started.stderr);
  const env = { ...process.env, COPPICE_HOME: basename(home), APP_PORT: String(port) };
  const restarted = await promisify(execFile)("sh", ["-c", 'cd "$0" && exec "$@"', dirname(home), process.execPath, bin, "restart"], {
    env,
  });
  assert.match(restarted.stdout, /^shop: 1 of 1 nodes serve/);
  assert.equal((await run("stop")).code, 0);
  rmSync(home, { recursive: true });
});

test("help whose reader goes away ends without a complaint, of run too", { timeout: 180_000 }, async () => {
  for (const command of ["run", "status"]) {
    const child = spawn(process.execPath, [bin, command, "--help"], { stdio: ["ignore", "pipe", "pipe"] });
    let complaint = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint += text;
    });
    child.stdout.destroy();
    assert.deepEqual([await once(child, "close"), complaint], [[0, null], ""], command);
  }
});

test("a start that waits says what there is to mend; at Ctrl-C it goes on, and that is said; its log is found when nothing runs any more", {
  timeout: 300_000,
}, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-e2e-"));
  const script = join(home, "late.cjs");
  writeFileSync(script, 'require("node:http").createServer().listen(0);');
  const child = spawn(process.execPath, [bin, "start", script, "--name", "late"], { env: { ...process.env, COPPICE_HOME: home } });
  endAfterTest(() => coppice(home, {}, "stop"));
  let output = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  while (!output.includes("listens on a port drawn at random")) await once(child.stderr, "data");
  child.kill("SIGINT");
  assert.equal(await ended, 130);
  assert.match(output, /"late" goes on starting in the background +end: coppice stop --name late/);
  assert.match((await coppice(home, {}, "status")).stdout, /web-1 .*starting/);
  assert.equal((await coppice(home, {}, "stop")).code, 0);
  assert.match((await coppice(home, {}, "logs")).stdout, /is being stopped/);
  rmSync(home, { recursive: true });
});

test("several starts of one name at once: one of them starts it, and what stands behind -- is the server's", {
  timeout: 300_000,
}, async () => {
  const { home, port, run } = await stage();
  const start = () => run("start", "--name", "shop", "-n", "1", "--json", "--", expressApp, "--json", "--for=it");
  const results = await Promise.all([start(), start(), start()]);
  const [started, ...others] = results.filter(({ code }) => code === 0);
  assert.deepEqual(others, []);
  const { pid } = JSON.parse((await run("status", "--json")).stdout).init as ClusterStatus["init"]; // our own command's JSON
  assert.equal((JSON.parse(started?.stdout ?? "") as { pid: number }).pid, pid); // as above
  const seen = (await (await fetch(`http://127.0.0.1:${port}/seen`)).json()) as { argv: string[] };
  assert.deepEqual(seen.argv, [expressApp, "--json", "--for=it"]);
  assert.equal((await run("stop")).code, 0);
  rmSync(home, { recursive: true });
});

test("restart stops nothing that it could not start again as it was: what was typed is gone, or it is another user's", {
  timeout: 180_000,
}, async () => {
  const { home, port, run } = await stage();
  const logs = join(home, "logs");
  mkdirSync(logs);
  const started = await run("start", plainApp, "-n", "1", "--name", "shop", "--access-log", join(logs, "access.log"));
  assert.equal(started.code, 0, started.stderr);
  rmSync(logs, { recursive: true });
  const restarted = await run("restart");
  assert.equal(restarted.code, 1);
  assert.match(
    restarted.stderr,
    /^coppice: "shop" was not stopped, since it could not be started again: --access-log .*access\.log: there is no directory .*logs$/m,
  );
  assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
  mkdirSync(logs);
  if (process.getuid?.() === 0) {
    chownSync(join(home, "shop"), 54_321, 54_321); // as if it ran as that user
    assert.match(
      (await run("restart")).stderr,
      /^coppice: "shop" is user 54321's, and would be user 0's from then on: restart it as that user$/m,
    );
    assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
    chownSync(join(home, "shop"), 0, 0);
  }
  assert.equal((await run("restart")).code, 0);
  assert.equal((await run("stop")).code, 0);
  rmSync(home, { recursive: true });
});

test("Ctrl-C at a stop says that it goes on; at a restart, that nothing will be started; a stop that is typed again cuts no request", {
  timeout: 300_000,
}, async () => {
  const { home, port, run } = await stage();
  for (const [command, words] of [
    ["stop", '"shop" goes on stopping'],
    ["restart", '"shop" goes on stopping, and is not started again: coppice start does that'],
  ] as const) {
    assert.equal((await run("start", plainApp, "-n", "1", "--name", "shop", "--set", "stopTimeoutMs=60000")).code, 0);
    const held = request({ host: "127.0.0.1", port, method: "POST" }); // it holds up the stop
    const answered = once(held, "response");
    held.write("begun");
    while (!/"inFlight": 1/.test((await run("status", "--json")).stdout)) await pause(50);
    const child = spawn(process.execPath, [bin, command], {
      env: { ...process.env, COPPICE_HOME: home },
      stdio: ["ignore", "ignore", "pipe"],
    });
    endAfterTest(() => child.kill("SIGKILL"));
    let complaint = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint += text;
    });
    const ended = once(child, "close");
    while (!/is being stopped/.test((await run("logs", "--lines", "3")).stdout)) await pause(50);
    child.kill("SIGINT");
    assert.deepEqual([await ended, complaint], [[130, null], `coppice: ${words}\n`]);
    for (const beganMs = Date.now(); Date.now() < beganMs + 1_000; ) await run("logs"); // signals of one moment count once
    const again = run("stop");
    for (const beganMs = Date.now(); Date.now() < beganMs + 1_000; ) assert.match((await run("logs")).stdout, /is being stopped/);
    held.end();
    const [answer] = (await answered) as [IncomingMessage]; // as `response` comes
    assert.equal(answer.resume().statusCode, 200);
    assert.equal((await again).code, 0);
    assert.deepEqual(readdirSync(home), ["shop.log"]);
    rmSync(join(home, "shop.log"));
  }
  rmSync(home, { recursive: true });
});

test("on a full disk start says why it starts nothing, and restart stops nothing", { timeout: 180_000, skip: notRoot }, async () => {
  const disk = await SmallDisk.mount(16);
  const port = await freePort();
  const run = (...args: string[]) => coppice(disk.path, { APP_PORT: String(port) }, ...args);
  endAfterTest(() => run("stop"));
  disk.fill();
  const refused = await run("start", plainApp, "-n", "1", "--name", "shop");
  assert.deepEqual([refused.code, /^coppice: .* its disk is full: 8 MiB must be free/.test(refused.stderr)], [1, true], refused.stderr);
  disk.empty();
  assert.equal((await run("start", plainApp, "-n", "1", "--name", "shop")).code, 0);
  disk.fill();
  const restarted = await run("restart");
  assert.equal(restarted.code, 1);
  assert.match(restarted.stderr, /^coppice: "shop" was not stopped, since it could not be started again: .* its disk is full/);
  assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
  assert.equal((await run("stop")).code, 0);
});
