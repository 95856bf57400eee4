/** express-session's own default store, as the probe makes it one on the replicator: its methods answer what they answered. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Sessions } from "../../src/inside/session/install.ts";
import { ReplicatorStage } from "./stage.ts";

interface Package {
  readonly MemoryStore: new () => Record<string, (...args: unknown[]) => void>;
}
interface Session {
  left?: number;
  save(callback: (error: unknown) => void): void;
}

const called = (call: (callback: (error: unknown, result?: unknown) => void) => void) =>
  new Promise<unknown>((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result)));
  });

test("the default store lists what was touched with its new expiry; what is loaded without a request is saved, or says that it was not", {
  timeout: 300_000,
}, async () => {
  const stage = new ReplicatorStage();
  await stage.listen();
  const { client, birth } = stage.born("web-1.1");
  const sessions = new Sessions(client);
  const { MemoryStore } = createRequire(import.meta.url)("express-session") as Package; // as its documents say
  await nextTurn(); // it was looked at
  sessions.begin(birth, () => {});
  const store = new MemoryStore();
  const ask = (name: string, ...args: unknown[]) => called((callback) => store[name]?.(...args, callback));
  const session = (inMs: number) => ({ cookie: { originalMaxAge: 60_000, expires: new Date(Date.now() + inMs).toISOString() } });

  const later = session(120_000);
  await ask("set", "a", session(60_000));
  await ask("touch", "a", later);
  assert.deepEqual({ ...((await ask("all")) as object) }, { a: later }); // by identifier
  assert.deepEqual(await ask("get", "a"), later);

  const loaded = (await ask("load", "a")) as Session; // express-session's own
  loaded.left = 2;
  await called((callback) => loaded.save(callback));
  assert.equal(((await ask("load", "a")) as Session).left, 2); // express-session's own
  await stage.revoke("web-1.1");
  await assert.rejects(
    called((callback) => loaded.save(callback)),
    /handed off/,
  );
  await stage.close();
});
