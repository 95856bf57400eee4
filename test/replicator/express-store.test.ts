/** express-session's own default store, as the probe makes it one on the replicator: its methods answer what they answered. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { expressStage } from "./express-stage.ts";

test("the default store lists what was touched with its new expiry; what is loaded without a request is saved, or says that it was not; the cookie is known by its identifier", {
  timeout: 300_000,
}, async () => {
  const { stage, store, ask, told, load, save } = await expressStage();
  const session = (inMs: number) => ({ cookie: { originalMaxAge: 60_000, expires: new Date(Date.now() + inMs).toISOString() } });

  const later = session(120_000);
  await ask("set", "a", session(60_000));
  await ask("touch", "a", later);
  assert.deepEqual({ ...((await ask("all")) as object) }, { a: later }); // by identifier
  assert.deepEqual(await ask("get", "a"), later);

  const loaded = await load("a");
  loaded.left = 2;
  await save(loaded);
  assert.equal((await load("a")).left, 2);

  for (const [name, id] of Object.entries({ plain: "a", base64: "a+b/c==", emoji: "🌳" })) {
    await ask("set", id, session(60_000));
    const cookie = `first=1; ${name}=${encodeURIComponent(`s:${id}.signed`)}; last=1`;
    store["createSession"]?.({ headers: { cookie }, sessionID: id }, (await ask("get", id)) as object);
  }
  const cookies = told.filter(({ kind }) => kind === "affinity-cookie");
  assert.deepEqual(
    cookies,
    ["plain", "base64", "emoji"].map((name) => ({ kind: "affinity-cookie", name })),
  );

  await stage.revoke("web-1.1");
  await assert.rejects(save(loaded), /handed off/);
  await stage.close();
});
