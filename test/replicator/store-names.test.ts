/** Stores whose cookie nobody has seen are known by the order of their set-up, which all instances have in common. In a process of its own: see express-stage.ts. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Sessions } from "../../src/inside/session/install.ts";
import { ReplicatedStore } from "../../src/inside/session/replicated-store.ts";
import { called, type Package } from "./express-stage.ts";
import { ReplicatorStage } from "./stage.ts";

test("stores that a server sets up in its first turn are named by that order, whichever is used first; what they make anew is new", {
  timeout: 300_000,
}, async () => {
  const stage = new ReplicatorStage();
  await stage.listen();
  const { client, birth } = stage.born("web-1.1");
  const sessions = new Sessions(client);
  const require = createRequire(import.meta.url);
  // As a server's own module does it, without a pause.
  const session = require("express-session") as Package & ((options: object) => unknown);
  const Fastify = require("@fastify/session") as Package;
  const express = [new session.MemoryStore(), new session.MemoryStore()];
  for (const store of express) session({ store, secret: "s", resave: false, saveUninitialized: false, genid: () => "a" });
  const fastify = [new Fastify.MemoryStore(), new Fastify.MemoryStore()];
  await nextTurn();
  sessions.begin(birth, () => {});
  const cookie = { originalMaxAge: 60_000, expires: new Date(Date.now() + 60_000).toISOString() };

  const stores = [...express, ...fastify];
  for (const [at, store] of [...stores.entries()].reverse())
    await called((callback) => store["set"]?.(`of-${at + 1}`, { cookie, at }, callback));
  for (const at of [1, 2, 3, 4]) {
    const named = new ReplicatedStore(stage.client("web-2.1"), `store-${at}`);
    assert.deepEqual(
      (await named.all()).map(({ id }) => id),
      [`of-${at}`],
    );
  }

  const [store] = express;
  await called((callback) => store?.["destroy"]?.("of-1", callback));
  const request: { session?: object } = {};
  store?.["generate"]?.(request);
  await called((callback) => store?.["set"]?.("of-1", request.session, callback));
  assert.notEqual(await called((callback) => store?.["get"]?.("of-1", callback)), undefined);
  await stage.close();
});
