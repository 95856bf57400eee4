/** The rules of the store over its file, without a process around it. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SessionFile } from "../../src/replicator/session-file.ts";
import { SessionStore } from "../../src/replicator/session-store.ts";
import { Tally } from "../../src/state/tally.ts";

test("sweep: a session that is touched at its last moment stays", async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-sweep-"));
  const file = new SessionFile(join(directory, "s.mdb"), () => {});
  const store = new SessionStore(file);
  const caller = { tally: new Tally(), revoked: () => false, answer: () => {} };
  await store.execute({ n: 1, store: "s", kind: "write", id: "a", base: -1, expiresAtMs: 1_000 }, Buffer.from("{}"), caller, 0);
  const touch = store.execute({ n: 2, store: "s", kind: "touch", id: "a", expiresAtMs: 10_000 }, Buffer.alloc(0), caller, 999);
  await Promise.all([touch, store.sweep(1_001, 100)]);
  assert.equal(file.get("s", "a")?.expiresAtMs, 10_000);
  await file.close();
  rmSync(directory, { recursive: true });
});
