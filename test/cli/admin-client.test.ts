/** Calls of the admin API against a monitor that dies in the middle of its answer. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import Fastify from "fastify";
import { callAdmin } from "../../src/cli/admin-client.ts";
import { readEvents } from "../../src/cli/events.ts";
import { clusterPaths } from "../../src/init/home.ts";
import { startTicksOf } from "../../src/init/process-identity.ts";
import { adminRoutes } from "../../src/model/admin.ts";
import { endAfterTest } from "../left-open.ts";

const launcher = fileURLToPath(new URL("../../bin/coppice.js", import.meta.url));
const whole = 'HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{"here":"x"}';

test("an answer that its monitor's death cut short: a question is asked again, an order is not given twice", {
  timeout: 30_000,
}, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-admin-"));
  const paths = clusterPaths(home, "t");
  mkdirSync(dirname(paths.adminSocket), { recursive: true });
  writeFileSync(paths.initFile, JSON.stringify({ pid: process.pid, startTicks: startTicksOf(process.pid) }));
  let calls = 0;
  const monitor = createServer((socket) => {
    calls += 1;
    const answer = [whole.slice(0, -4), whole, whole.slice(0, -4), ""][calls - 1];
    socket.on("error", () => {});
    socket.once("data", () => socket.end(answer ?? ""));
  });
  monitor.listen(paths.adminSocket);
  await once(monitor, "listening");
  assert.deepEqual(await callAdmin(paths, { method: "GET", path: "/status" }), { here: "x" });
  assert.equal(calls, 2);
  for (const callsThen of [3, 4]) {
    await assert.rejects(callAdmin(paths, { method: "POST", path: "/regenerate", body: {} }), {
      code: "COPPICE_CLUSTER_NOT_RUNNING",
      message: "the cluster's monitor ended in the middle of its answer; coppice events shows what became of this",
    });
    assert.equal(calls, callsThen);
  }
  monitor.close();
  rmSync(home, { recursive: true });
});

test("a question whose answer is cut short each time is not asked for ever", { timeout: 30_000 }, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-admin-"));
  const paths = clusterPaths(home, "t");
  mkdirSync(dirname(paths.adminSocket), { recursive: true });
  writeFileSync(paths.initFile, JSON.stringify({ pid: process.pid, startTicks: startTicksOf(process.pid) }));
  const monitor = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(whole.slice(0, -4)));
  });
  monitor.listen(paths.adminSocket);
  await once(monitor, "listening");
  await assert.rejects(callAdmin(paths, { method: "GET", path: "/status" }), { code: "COPPICE_CLUSTER_NOT_RUNNING" });
  monitor.close();
  rmSync(home, { recursive: true });
});

test("a command that the cluster's older monitor does not know says so, and what to do", { timeout: 30_000 }, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-admin-"));
  const paths = clusterPaths(home, "t");
  mkdirSync(dirname(paths.adminSocket), { recursive: true });
  writeFileSync(paths.initFile, JSON.stringify({ pid: process.pid, startTicks: startTicksOf(process.pid) }));
  const older = Fastify();
  older.get(adminRoutes.status.path, () => ({ version: "0.0.7" }));
  older.get("/v1/requests/:id", (_, reply) => reply.code(404).send({ code: "COPPICE_ARGUMENT", message: "there is no request x" }));
  await older.listen({ path: paths.adminSocket });
  for (const call of [adminRoutes.resume, adminRoutes.settings])
    await assert.rejects(callAdmin(paths, { ...call, body: {} }), {
      code: "COPPICE_OLDER_CLUSTER",
      message:
        /^the cluster runs an older Coppice \(0\.0\.7\), which does not know this command yet; coppice restart starts it anew with this one/,
    });
  await assert.rejects(callAdmin(paths, { method: "GET", path: "/v1/requests/x" }), { code: "COPPICE_ARGUMENT" });
  await older.close();
  rmSync(home, { recursive: true });
});

test("coppice events: what a monitor's death cut short goes on where it ended, or is said to be a part", { timeout: 60_000 }, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-admin-"));
  const paths = clusterPaths(home, "t");
  mkdirSync(dirname(paths.adminSocket), { recursive: true });
  writeFileSync(paths.initFile, JSON.stringify({ pid: process.pid, startTicks: startTicksOf(process.pid) }));
  const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
  const event = (sequence: number) =>
    `${JSON.stringify({ sequence, atMs: 0, kind: "notice", text: `e${sequence}\u001b[2J`, facts: {} })}\n`;
  const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
  let answers: string[] = [];
  const asked: string[] = [];
  const monitor = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (data: Buffer) => {
      asked.push(data.toString().split(" ")[1] ?? "");
      socket.end(answers.shift() ?? `${head}${chunk(event(1))}`);
    });
  });
  endAfterTest(() => {
    monitor.close();
    rmSync(home, { recursive: true });
  });
  monitor.listen(paths.adminSocket);
  await once(monitor, "listening");
  const events = () =>
    promisify(execFile)(process.execPath, [launcher, "events", "--name", "t"], { env: { ...process.env, COPPICE_HOME: home } });
  answers = [`${head}${chunk(event(1))}${chunk(event(2).slice(0, 9))}`, `${head}${chunk(event(2))}0\r\n\r\n`];
  const { stdout } = await events();
  assert.deepEqual(stdout.match(/e\d/g), ["e1", "e2"]);
  assert.equal(stdout.includes("\u001b"), false, "what an application said is no order to the terminal");
  assert.deepEqual(asked, ["/v1/events?after=0", "/v1/events?after=1"]);
  await assert.rejects(events(), { code: 1 });
});

test("coppice events --follow ends in order at the cluster's end alone: a monitor that stays away is said", {
  timeout: 60_000,
}, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-admin-"));
  const paths = clusterPaths(home, "t");
  mkdirSync(dirname(paths.adminSocket), { recursive: true });
  const monitor = createServer((socket) => {
    const event = `${JSON.stringify({ sequence: 1, atMs: 0, kind: "notice", text: "one", facts: {} })}\n`;
    socket.on("error", () => {});
    socket.once("data", () => socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${event}`));
    monitor.close();
  });
  for (const lives of [true, false]) {
    if (lives) writeFileSync(paths.initFile, JSON.stringify({ pid: process.pid, startTicks: startTicksOf(process.pid) }));
    monitor.listen(paths.adminSocket);
    await once(monitor, "listening");
    const told: string[] = [];
    const followed = readEvents(
      paths,
      true,
      (_, { text }) => {
        told.push(text);
        if (!lives) rmSync(paths.initFile);
      },
      300,
    );
    if (lives) await assert.rejects(followed, { code: "COPPICE_CLUSTER_NOT_RUNNING", message: /monitor does not answer/ });
    else await followed;
    assert.deepEqual(told, ["one"]);
  }
  rmSync(home, { recursive: true });
});
