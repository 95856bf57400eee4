/** Stores are known by the cookies of their sessions, where these can be seen. In a process of its own: see express-stage.ts. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { FastifyPluginCallback } from "fastify";
import { Sessions } from "../../src/inside/session/install.ts";
import { ReplicatedStore } from "../../src/inside/session/replicated-store.ts";
import { StartUpCheck } from "../../src/inside/start-up/check.ts";
import { called, type Package } from "./express-stage.ts";
import { ReplicatorStage } from "./stage.ts";

test("a session's store is its cookie's, whichever session is set up in front of it", { timeout: 300_000 }, async () => {
  const stage = new ReplicatorStage();
  await stage.listen();
  const { client, birth } = stage.born("web-1.1");
  const sessions = new Sessions(client);
  new StartUpCheck();
  const require = createRequire(import.meta.url);
  const session = require("express-session") as Package & ((options: object) => unknown);
  const setUp = (options: object) => {
    const store = new session.MemoryStore();
    session({ store, secret: "s", resave: false, saveUninitialized: false, ...options });
    return store;
  };
  const names: [string, Package["MemoryStore"]["prototype"]][] = [["cookie-1-shop", setUp({ name: "shop" })]]; // in the first turn
  await nextTurn();
  sessions.begin(birth, () => {});
  const cookie = { originalMaxAge: 60_000, expires: new Date(Date.now() + 60_000).toISOString() };
  names.push(["cookie-1-connect.sid", setUp({})], ["cookie-2-shop", setUp({ key: "shop" })], ["store-1", setUp({ name: "no;name" })]);
  names.push(["store-2", new session.MemoryStore()]);
  for (const [name, store] of names) await called((callback) => store["set"]?.(`of ${name}`, { cookie }, callback));

  const app = (require("fastify") as typeof import("fastify")).fastify();
  app.register(require("@fastify/cookie") as FastifyPluginCallback);
  app.register(require("@fastify/session") as FastifyPluginCallback<Record<string, unknown>>, {
    secret: "a secret of more than thirty-two characters",
    cookieName: "office",
    idGenerator: () => "of cookie-1-office",
    cookie: { secure: false },
  });
  app.get("/", async () => "");
  await app.inject("/");
  await app.close();

  for (const name of [...names.map(([known]) => known), "cookie-1-office"]) {
    const store = new ReplicatedStore(stage.client("web-2.1"), name);
    assert.deepEqual(
      (await store.all()).map(({ id }) => id),
      [`of ${name}`],
    );
  }
  await stage.close();
});
