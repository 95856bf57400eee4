/** @fastify/session's own default store over a real replicator. In a process of its own: see express-stage.ts. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { FastifyPluginCallback } from "fastify";
import { Sessions } from "../../src/inside/session/install.ts";
import { ReplicatorStage } from "./stage.ts";

test("identifiers that come again (idGenerator): who signs in anew is no late write of the session that was destroyed", {
  timeout: 300_000,
}, async () => {
  const stage = new ReplicatorStage();
  await stage.listen();
  const { client, birth } = stage.born("web-1.1");
  const sessions = new Sessions(client);
  const require = createRequire(import.meta.url);
  const app = (require("fastify") as typeof import("fastify")).fastify();
  app.register(require("@fastify/cookie") as FastifyPluginCallback);
  app.register(require("@fastify/session") as FastifyPluginCallback<Record<string, unknown>>, {
    secret: "a secret of more than thirty-two characters",
    idGenerator: () => "of-somebody",
    saveUninitialized: false,
    cookie: { secure: false },
  });
  await nextTurn(); // its store was looked at
  sessions.begin(birth, () => {});
  interface Session {
    user?: string;
    regenerate(): Promise<void>;
    destroy(): Promise<void>;
    save(): Promise<void>;
  }
  let late: Session | undefined;
  app.get("/:what", async (request) => {
    const { session } = request as unknown as { session: Session }; // the plugin's
    const { what } = request.params as { what: string }; // as it is routed
    if (what === "regenerate") await session.regenerate();
    const { session: now } = request as unknown as { session: Session };
    if (what === "login" || what === "regenerate") now.user = what;
    if (what === "logout") {
      late = session;
      await session.destroy();
      return "none";
    }
    return now.user ?? "none";
  });
  let cookie = "";
  const ask = async (what: string) => {
    const answer = await app.inject({ url: `/${what}`, headers: { cookie } });
    cookie = String(answer.headers["set-cookie"] ?? cookie).split(";")[0] ?? "";
    return answer.body;
  };
  const said = [];
  for (const what of ["login", "me", "regenerate", "me", "logout"]) said.push(await ask(what));
  await late?.save();
  for (const what of ["me", "login", "me"]) said.push(await ask(what));
  assert.deepEqual(said, ["login", "login", "regenerate", "regenerate", "none", "none", "login", "login"]);
  await app.close();
  await stage.close();
});
