/** What people start that is no script: npm start, a directory, a tool of node_modules/.bin, a server that is not Node. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { endAfterTest } from "../left-open.ts";
import { freePort, TestCluster } from "./cluster.ts";
import { SessionLoad } from "./session-load.ts";

const expressApp = fileURLToPath(new URL("./fixtures/express-app.cjs", import.meta.url));

/** An application's directory: its server, and what package.json says of it. */
function application(scripts: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), "coppice-app-"));
  writeFileSync(join(directory, "server.cjs"), `require(${JSON.stringify(expressApp)});\n`);
  writeFileSync(join(directory, "package.json"), JSON.stringify({ name: "app", version: "1.0.0", main: "server.cjs", scripts }));
  return directory;
}

async function regenerateUnderLoad(cluster: TestCluster): Promise<void> {
  const before = await cluster.status();
  const load = new SessionLoad({ port: cluster.port, clients: 8, thinkMs: 5 });
  await cluster.until("load runs", () => load.result.requests > 100);
  const outcome = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
  assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr);
  assert.deepEqual((await load.end()).failed, []);
  const after = await cluster.status();
  for (const [index, node] of before.nodes.entries()) {
    assert.notEqual(after.nodes[index]?.pid, node.pid);
    assert.ok((after.nodes[index]?.pid ?? 0) > 0);
  }
}

const seenAt = async (port: number) => (await (await fetch(`http://127.0.0.1:${port}/seen`)).json()) as Record<string, unknown>; // the fixture's JSON

test("npm start: the process that listens is the node, it sees its own environment, and its sessions stay", {
  timeout: 300_000,
}, async () => {
  // A hook that runs Node first, options of the script's own, a shell in between.
  const directory = application({
    prestart: "node -e 0",
    start: "NODE_OPTIONS=--no-deprecation node server.cjs --flag",
  });
  const cluster = await TestCluster.start({ script: "npm", rest: ["start"], cwd: directory });
  const seen = await seenAt(cluster.port);
  assert.equal(seen["nodeOptions"], "--no-deprecation");
  assert.deepEqual((seen["argv"] as string[]).slice(1), ["--flag"]);
  assert.equal(seen["remoteAddress"], "::ffff:127.0.0.1");
  assert.deepEqual((seen["own"] as string[]).sort(), ["COPPICE_GENERATION", "COPPICE_HOME", "COPPICE_NODE", "COPPICE_NODE_INDEX"]);
  const { nodes } = await cluster.status();
  assert.ok(
    nodes.some(({ pid }) => pid === seen["pid"]),
    "the node's pid is the server's, not npm's",
  );
  await regenerateUnderLoad(cluster);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(directory, { recursive: true });
});

test("a directory with a package.json: its start script, or its main", { timeout: 300_000 }, async () => {
  for (const scripts of [{ start: "node server.cjs" }, {}]) {
    const directory = application(scripts);
    const cluster = await TestCluster.start({ script: directory });
    assert.ok(Number((await seenAt(cluster.port))["pid"]) > 0);
    assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
    rmSync(directory, { recursive: true });
  }
});

test("a script that waits for the server that it starts, and does nothing else meanwhile", { timeout: 300_000 }, async () => {
  const starters = [
    'spawnSync(process.execPath, ["server.cjs"], { stdio: "inherit" })',
    'execSync("node server.cjs", { stdio: "inherit" })',
  ];
  for (const starter of starters) {
    const directory = application({ start: "node start.cjs" });
    writeFileSync(
      join(directory, "start.cjs"),
      `const { spawnSync, execSync } = require("node:child_process"); console.log(spawnSync("true").output.length + " outputs"); ${starter};`,
    );
    const cluster = await TestCluster.start({ script: directory });
    assert.match(cluster.output, /3 outputs/);
    await regenerateUnderLoad(cluster);
    assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
    rmSync(directory, { recursive: true });
  }
});

test("a tool of node_modules/.bin that starts the server as its child", { timeout: 300_000 }, async () => {
  const directory = application({});
  const tools = join(directory, "node_modules/.bin");
  mkdirSync(tools, { recursive: true });
  // As dev servers and process runners do: a first process that stays, and passes signals or not.
  const tool = [
    "#!/usr/bin/env node",
    'const { spawn } = require("node:child_process");',
    'const child = spawn(process.execPath, process.argv.slice(2), { stdio: "inherit" });',
    'child.on("exit", (code) => process.exit(code ?? 0));',
  ];
  writeFileSync(join(tools, "serve-it"), tool.join("\n"));
  chmodSync(join(tools, "serve-it"), 0o755);
  const cluster = await TestCluster.start({ script: "serve-it", rest: ["server.cjs"], cwd: directory });
  await regenerateUnderLoad(cluster);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(directory, { recursive: true });
});

const pythonServer = `
import http.server, json, os, signal, socket, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps({"pid": os.getpid(), "path": self.path, "headers": self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if "SIX" in os.environ else socket.AF_INET
Server(("::1" if "SIX" in os.environ else "127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
`;

const hasIPv6 = networkInterfaces()["lo"]?.some(({ family }) => family === "IPv6") === true;

function python(): string | null {
  try {
    return execFileSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" }).trim();
  } catch {
    return null;
  }
}

test("a server that is not Node: any command with PORT is balanced, watched from outside and regenerated", {
  timeout: 300_000,
  skip: python() === null ? "no python3 on this machine (scripts/debian-packages.sh installs it)" : false,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-app-"));
  writeFileSync(join(directory, "app.py"), pythonServer);
  const probe = await TestCluster.startOnly({ script: expressApp });
  await probe.stop("SIGKILL");
  const port = probe.port;
  const cluster = await TestCluster.start({ script: python() ?? "", rest: ["app.py"], cwd: directory, args: ["--port", String(port)] });
  const get = async (headers: Record<string, string> = {}) => {
    const answer = await fetch(`http://127.0.0.1:${port}/a?b=1`, { headers });
    return (await answer.json()) as { pid: number; path: string; headers: [string, string][] }; // the server's above
  };
  const seen = await get({ "X-Forwarded-For": "6.6.6.6", Forwarded: "for=6.6.6.6" });
  assert.equal(seen.path, "/a?b=1");
  const forwarded = seen.headers.filter(([name]) => /forwarded/i.test(name));
  assert.deepEqual(Object.fromEntries(forwarded.map(([name, value]) => [name.toLowerCase(), value])), {
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-proto": "http",
    "x-forwarded-host": `127.0.0.1:${port}`,
    forwarded: `for=127.0.0.1;proto=http;host="127.0.0.1:${port}"`,
  });
  await cluster.until("memory is seen from outside", async () =>
    (await cluster.status()).nodes.every(({ indicators }) => (indicators["rssBytes"] ?? 0) > 1e6),
  );
  await cluster.until("it is judged by the node's share, of which nothing is Node's", async () => {
    const { nodes, memory } = await cluster.status();
    const limits = nodes.map(({ report }) => report?.trends.find(({ indicator }) => indicator === "rssBytes")?.limit);
    return limits.every((limit) => limit !== undefined && limit === memory?.instanceBytes);
  });

  const before = await cluster.status();
  let ended = false;
  endAfterTest(() => (ended = true));
  const failures: string[] = [];
  const clients = Array.from({ length: 6 }, async () => {
    while (!ended) await get().catch((error: unknown) => failures.push(String(error)));
  });
  const outcome = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
  ended = true;
  await Promise.all(clients);
  assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr);
  assert.deepEqual(failures, []);
  const pids = new Set([(await get()).pid, (await get()).pid, (await get()).pid]);
  for (const { pid } of before.nodes) assert.equal(pids.has(pid ?? 0), false, "the old processes serve no more");
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  assert.doesNotMatch(cluster.output, /has ended, with code 0/, "who is told to end is given no advice");
  rmSync(directory, { recursive: true });
});

test("a Node server that was started without its parent's environment: that the probe is lost is said, with the reason", {
  timeout: 180_000,
}, async () => {
  const directory = application({});
  writeFileSync(
    join(directory, "starter.sh"),
    `#!/bin/sh\nexec env -i PORT=$PORT APP_PORT=$PORT PATH=$PATH ${process.execPath} ${join(directory, "server.cjs")}\n`,
  );
  chmodSync(join(directory, "starter.sh"), 0o755);
  const port = await freePort();
  const cluster = await TestCluster.start({
    script: "./starter.sh",
    cwd: directory,
    args: ["--port", String(port)],
    settings: { stuckTimeoutMs: 1_000 },
  });
  const { notices, monitor } = await cluster.status();
  assert.deepEqual(
    notices.map(({ code }) => code),
    ["probe-lost"],
  );
  assert.match(notices[0]?.text ?? "", /did not reach ".*server\.cjs", which was started without the NODE_OPTIONS/);
  assert.equal((await fetch(`http://127.0.0.1:${port}/items`)).status, 200);

  process.kill(monitor.pid, "SIGKILL");
  await cluster.until("the next monitor has watched for a while", async () => {
    const { monitor: next, nodes } = await cluster.status();
    return next.pid !== monitor.pid && nodes.every(({ report }) => (report?.atMs ?? 0) > next.startedAtMs + 3_000);
  });
  const journal = readFileSync(join(cluster.home, "t", "journal.jsonl"), "utf8");
  assert.doesNotMatch(journal, /instance-stuck/, "nobody is expected to be heard who has no probe");
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(directory, { recursive: true });
});

test("a command that closes the descriptor that its tree was given: said by the process that listens, and by status", {
  timeout: 180_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-app-"));
  writeFileSync(
    join(directory, "server.cjs"),
    'require("node:http").createServer((_, response) => response.end("here")).listen(process.env.PORT);',
  );
  const port = await freePort();
  const start = { script: "sh", rest: ["-c", "exec 3<&-; exec node server.cjs"], cwd: directory, nodes: 1 };
  const cluster = await TestCluster.start({ ...start, args: ["--port", String(port)] });
  const { notices } = await cluster.status();
  assert.deepEqual(
    notices.map(({ code }) => code),
    ["probe-lost"],
  );
  assert.match(notices[0]?.text ?? "", /did not pass on the descriptor/);
  assert.match(cluster.output, /this process listens, and cannot be the node: what started it did not pass on descriptor 3/);
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "here");
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(directory, { recursive: true });
});

test("a server without a probe that ends while its command goes on: its node is not called ready, and is started again; on ::1 alone it is found", {
  timeout: 180_000,
  skip: python() === null ? "no python3 on this machine (scripts/debian-packages.sh installs it)" : !hasIPv6 && "this machine has no IPv6",
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-app-"));
  writeFileSync(join(directory, "app.py"), pythonServer);
  const port = await freePort();
  const cluster = await TestCluster.start({
    script: "sh",
    rest: ["-c", `${python()} app.py; exec sleep 600`],
    cwd: directory,
    nodes: 1,
    args: ["--port", String(port)],
    settings: { startTimeoutMs: 10_000 },
    env: { SIX: "1" },
  });
  const served = async () => ((await (await fetch(`http://127.0.0.1:${port}/`)).json()) as { pid: number }).pid; // the server's above
  const before = await served();
  process.kill(before, "SIGKILL");
  await cluster.until("it is no longer called ready", async () => (await cluster.status()).nodes[0]?.state !== "ready");
  assert.notEqual(await served(), before);
  const died = (await cluster.events()).filter(({ kind }) => kind === "instance-exited").map(({ text }) => text);
  assert.deepEqual(died, ["web-1.1 died: it closed its port and did not listen again within 10000 ms"]);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(directory, { recursive: true });
});

test("a command that starts its server anew by itself: the server that died was the node, which is started again", {
  timeout: 180_000,
}, async () => {
  const directory = application({});
  writeFileSync(join(directory, "forever.sh"), "#!/bin/sh\nwhile :; do node server.cjs; done\n");
  chmodSync(join(directory, "forever.sh"), 0o755);
  const cluster = await TestCluster.start({ script: "./forever.sh", cwd: directory, nodes: 1 });
  const before = await seenAt(cluster.port);
  process.kill(Number(before["pid"]), "SIGKILL");
  await cluster.until("another process serves", async () => (await seenAt(cluster.port))["pid"] !== before["pid"]);
  const died = (await cluster.events()).filter(({ kind }) => kind === "instance-exited").map(({ text }) => text);
  assert.deepEqual(died, ["web-1.1 died: its server ended, and the command that had started it went on"]);
  await regenerateUnderLoad(cluster);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(directory, { recursive: true });
});

test("a start script that leaves a daemon behind, which holds all that it inherited: its node is regenerated and stopped as any", {
  timeout: 300_000,
}, async () => {
  const directory = application({ start: "./start.sh" });
  const daemons = join(directory, "daemons");
  endAfterTest(() => {
    for (const pid of readFileSync(daemons, "utf8").trim().split("\n")) process.kill(Number(pid));
    rmSync(directory, { recursive: true });
  });
  writeFileSync(join(directory, "start.sh"), `#!/bin/sh\n(setsid sleep 600 & echo $! >> daemons)\nexec node server.cjs\n`);
  chmodSync(join(directory, "start.sh"), 0o755);
  const cluster = await TestCluster.start({ script: "./start.sh", cwd: directory, nodes: 1, settings: { minReadyMs: 0 } });
  const outcome = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
  assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr);
  assert.equal(readFileSync(daemons, "utf8").trim().split("\n").length, 2);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
});

test("npm and shells, which end at SIGTERM at once, leave their server the time that it takes to end", { timeout: 300_000 }, async () => {
  const directory = application({ start: "node ending.cjs" });
  const ended = join(directory, "ended");
  writeFileSync(
    join(directory, "ending.cjs"),
    `require("./server.cjs"); process.on("SIGTERM", () => setTimeout(() => {
       require("node:fs").appendFileSync(${JSON.stringify(ended)}, process.env.COPPICE_GENERATION); process.exit(); }, 300));`,
  );
  for (const [script, ...rest] of [
    ["npm", "start"],
    ["sh", "-c", "node ending.cjs; true"],
  ] as const) {
    const cluster = await TestCluster.start({ script, rest, cwd: directory, nodes: 1, settings: { minReadyMs: 0 } });
    const outcome = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
    assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr);
    assert.equal(readFileSync(ended, "utf8"), "1");
    assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
    assert.equal(readFileSync(ended, "utf8"), "12");
    rmSync(ended);
  }
  rmSync(directory, { recursive: true });
});

test("a command's node that has a probe: a monitor that was restarted does not look for it at the port that its listener left, where others may be", {
  timeout: 300_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-app-"));
  const script = join(directory, "serve");
  writeFileSync(script, `#!/bin/sh\nnode ${join(directory, "server.cjs")}\n`);
  chmodSync(script, 0o755);
  writeFileSync(
    join(directory, "server.cjs"),
    'require("node:http").createServer((_, response) => response.end(process.env.PORT)).listen(process.env.PORT);',
  );
  const port = await freePort();
  const cluster = await TestCluster.start({ script, cwd: directory, nodes: 1, args: ["--port", String(port)] });
  const own = async () => (await fetch(`http://127.0.0.1:${port}/`)).text();
  const ownPort = await own();
  const { init, monitor } = await cluster.status();
  process.kill(monitor.pid, "SIGKILL");
  await cluster.until("another monitor begins", () => cluster.processes().some((pid) => pid !== monitor.pid && isMonitor(pid)));
  process.kill(init.pid, "SIGSTOP"); // who lives it says only when the node's probe is there already
  await cluster.until("the probe is there", async () => Object.keys((await cluster.status()).nodes[0]?.indicators ?? {}).length > 0);
  let strangers = 0;
  const stranger = createServer((socket) => {
    strangers += 1;
    socket.destroy();
  }).listen(Number(ownPort), "127.0.0.1");
  endAfterTest(() => stranger.close());
  process.kill(init.pid, "SIGCONT");
  const endMs = Date.now() + 2_000;
  await cluster.until("the monitor has had time to look", () => Date.now() > endMs);
  assert.equal(await own(), ownPort);
  assert.equal(strangers, 0);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(directory, { recursive: true });
});

function isMonitor(pid: number): boolean {
  return /\/daemon\/main\.js|^coppice monitor/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
}

test("a server that looks for a free port itself: what keeps it from being regenerated is said, and with PORT it is as any", {
  timeout: 300_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-app-"));
  writeFileSync(
    join(directory, "server.cjs"),
    `const http = require("node:http"), net = require("node:net");
     const free = (port) => new Promise((resolve) => {
       const server = net.createServer().once("error", () => resolve(free(port + 1)));
       server.listen(port, () => server.close(() => resolve(port)));
     });
     free(Number(process.env.PORT ?? process.env.APP_PORT)).then((port) => http.createServer((_, response) => response.end("pid " + process.pid)).listen(port));`,
  );
  const script = join(directory, "server.cjs");
  const alone = await TestCluster.start({ script, nodes: 1, settings: { startTimeoutMs: 5_000 } });
  const failed = await alone.command("regenerate", "web-1", "--wait", "--name", "t");
  assert.equal(failed.code, 1);
  assert.match(failed.stdout + failed.stderr, new RegExp(`on port ${alone.port}, as web-1.1 does, but on \\d+, .* from PORT`));
  assert.equal((await fetch(`http://127.0.0.1:${alone.port}/`)).status, 200);
  await alone.stop();

  const port = await freePort();
  const cluster = await TestCluster.start({ script: "node", rest: [script], args: ["--port", String(port)], settings: { minReadyMs: 0 } });
  const outcome = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
  assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr);
  const said = (await cluster.events()).filter(({ kind, facts }) => kind === "notice" && facts["code"] === "not-http");
  assert.equal(said.length, 1, "it is not another one with each instance");
  assert.match(said[0]?.text ?? "", new RegExp(`^port ${port} is not HTTP/1.1 .* only looks whether it is free`));
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(directory, { recursive: true });
});
