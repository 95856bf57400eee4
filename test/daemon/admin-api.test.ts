/** The admin API while the disk, or a reader, takes nothing. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { serveAdmin } from "../../src/daemon/admin-api.ts";
import { Engine } from "../../src/daemon/engine.ts";
import { EventLog } from "../../src/daemon/event-log.ts";
import { Journal } from "../../src/daemon/journal.ts";
import { Orders } from "../../src/daemon/orders.ts";
import { adminRoutes, type ClusterStatus } from "../../src/model/admin.ts";
import type { MonitorState } from "../../src/monitor/state.ts";
import { simSpec } from "../../src/sim/sim-spec.ts";
import { endAfterTest } from "../left-open.ts";

test("admin API: an order that cannot be journalled is not said to be accepted; it is done once the disk has room", async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-admin-"));
  const socketPath = join(directory, "a");
  const away = join(directory, "away");
  mkdirSync(away);
  const journal = new Journal<MonitorState>(join(away, "journal.jsonl"));
  const engine = new Engine(journal, () => {});
  const spec = simSpec(2);
  engine.accept({ kind: "cluster-started", spec });
  const server = await serveAdmin({
    socketPath,
    events: new EventLog(join(directory, "events")),
    orders: new Orders({ engine, spec: () => spec }),
    status: () => ({ nodes: [{ name: "web-1" }, { name: "web-2" }] }) as unknown as ClusterStatus, // as much as is looked at
  });
  const order = ({ method, path }: { readonly method: string; readonly path: string }, body: object) =>
    new Promise<number | undefined>((resolve, reject) => {
      const headers = { "content-type": "application/json" };
      request({ socketPath, method, path, headers }, (answer) => resolve(answer.resume().statusCode))
        .on("error", reject)
        .end(JSON.stringify(body));
    });
  assert.equal(await order(adminRoutes.regenerate, { nodes: ["web-1"] }), 202);
  for (let failures = 0; engine.state.halted === null; failures += 1) {
    if (failures > 0) engine.accept({ kind: "regenerate", request: `r-${failures}`, nodes: ["web-1"] });
    const replacement = engine.state.current?.replacement ?? assert.fail("nothing is under way");
    engine.accept({ kind: "instance-exited", instance: replacement, code: 1, signal: null, tail: [] });
  }
  journal.close();
  rmSync(away, { recursive: true });
  const { kind, script, arguments: args, workingDirectory, asTyped } = spec.release;
  const place = { kind, script, arguments: args, workingDirectory, asTyped };
  assert.deepEqual(
    [
      await order(adminRoutes.resume, { nodes: "all" }),
      await order(adminRoutes.regenerate, { nodes: "all" }),
      await order(adminRoutes.scale, { nodes: 3 }),
      await order(adminRoutes.reload, { ...place, environment: {} }),
    ],
    [507, 507, 507, 507],
  );
  mkdirSync(away);
  while (engine.state.rollout === null) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual([engine.state.wanted, engine.state.halted], [3, null]);
  engine.stop();
  await server.close();
  rmSync(directory, { recursive: true });
});

test("admin API: a reload is taken as it is declared, or not at all; what it does not name stays as it is", async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-admin-"));
  const socketPath = join(directory, "a");
  const engine = new Engine(new Journal<MonitorState>(join(directory, "journal.jsonl")), () => {});
  const spec = simSpec(1);
  engine.accept({ kind: "cluster-started", spec });
  const server = await serveAdmin({
    socketPath,
    events: new EventLog(join(directory, "events")),
    orders: new Orders({ engine, spec: () => spec }),
    status: () => ({ nodes: [{ name: "web-1" }] }) as unknown as ClusterStatus, // as much as is looked at
  });
  endAfterTest(async () => {
    engine.stop();
    await server.close();
    rmSync(directory, { recursive: true });
  });
  const reload = (body: unknown) =>
    new Promise<number | undefined>((resolve, reject) => {
      const headers = { "content-type": "application/json" };
      const { method, path } = adminRoutes.reload;
      request({ socketPath, method, path, headers }, (answer) => resolve(answer.resume().statusCode))
        .on("error", reject)
        .end(JSON.stringify(body));
    });
  const { kind, script, arguments: args, workingDirectory, asTyped } = spec.release;
  const whole = { kind, script, arguments: args, workingDirectory, asTyped, environment: { A: "1" } };
  const wrong = [
    null,
    [whole],
    { ...whole, kind: "shell" },
    { ...whole, arguments: "--verbose" },
    { ...whole, arguments: [1] },
    { ...whole, script: "/a\u0000b" },
    { ...whole, asTyped: { script, workingDirectory } },
    { ...whole, environment: ["A=1"] },
    { ...whole, environment: { A: 1 } },
    { ...whole, environment: null },
  ];
  for (const body of wrong) assert.equal(await reload(body), 400, JSON.stringify(body));
  assert.equal(engine.state.rollout, null);
  assert.equal(await reload({ ...whole, nodePath: "/another", id: "7" }), 202);
  assert.deepEqual(engine.state.releases.at(-1), { ...spec.release, id: "2", environment: { A: "1" } });
});

test("admin API: who follows events and stops reading is let go, and finds the rest when it asks again", async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-admin-"));
  const socketPath = join(directory, "a");
  const events = new EventLog(join(directory, "events"));
  const spec = simSpec(1);
  const engine = new Engine(new Journal<MonitorState>(join(directory, "journal.jsonl")), () => {});
  engine.accept({ kind: "cluster-started", spec });
  const server = await serveAdmin({
    socketPath,
    events,
    orders: new Orders({ engine, spec: () => spec }),
    status: () => ({ nodes: [] }) as unknown as ClusterStatus, // nobody asks for it
  });
  endAfterTest(async () => {
    engine.stop();
    await server.close();
    rmSync(directory, { recursive: true });
  });
  const { status } = await new Promise<{ status: number | undefined }>((resolve, reject) =>
    request({ socketPath, path: `${adminRoutes.events.path}?after=yesterday` }, (answer) => resolve({ status: answer.resume().statusCode }))
      .on("error", reject)
      .end(),
  );
  assert.equal(status, 400, "and what is no number is none");
  const follow = (after: number) =>
    new Promise<IncomingMessage>((resolve, reject) =>
      request({ socketPath, path: `${adminRoutes.events.path}?after=${after}&follow=true` }, resolve)
        .on("error", reject)
        .end(),
    );
  const text = "x".repeat(64 * 1024);
  const happens = () => events.append({ kind: "listening", text, facts: {} }, 0);
  happens();
  const stopped = await follow(0);
  const letGo = new Promise((resolve) => stopped.on("error", resolve));
  const unread = 500;
  for (let at = 1; at < unread; at += 1) happens();
  stopped.resume();
  await letGo;
  const again = await follow(unread - 1);
  again.once("data", happens);
  const sequences: number[] = [];
  for await (const line of createInterface(again)) {
    sequences.push(Number(/^\{"sequence":(\d+),/.exec(line)?.[1]));
    if (sequences.length === 2) break;
  }
  again.on("error", () => {}).destroy();
  assert.deepEqual(sequences, [unread, unread + 1]);
});
