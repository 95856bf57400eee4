/** What the instance bases its next write on, over answers that a test gives. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { newSession, ReplicatedStore } from "../../src/inside/session/replicated-store.ts";
import { type Operation, StoreClient } from "../../src/inside/session/store-client.ts";
import type { SessionAnswer } from "../../src/model/session.ts";
import { anyBase } from "../../src/state/session-record.ts";

test("a new session's first write that was acknowledged late, when others had written upon it: the next one merges with theirs", async () => {
  const client = new StoreClient();
  const asked: Operation[] = [];
  const answers: SessionAnswer[] = [
    { n: 1, kind: "written", version: 2, merged: true, conflicts: 0 },
    { n: 2, kind: "written", version: 3, merged: true, conflicts: 0 },
  ];
  client.call = async (operation) => {
    asked.push(operation);
    return { answer: answers.shift() ?? assert.fail(), text: '{"mine":1,"theirs":1}', records: [] };
  };
  const store = new ReplicatedStore(client, "s");
  const base = await store.write("a", newSession, '{"mine":1}', null);
  await store.write("a", base, '{"mine":2}', null);
  const [, next] = asked;
  assert.ok(next?.kind === "write" && next.base === 1 && next.baseLength === '{"mine":1}'.length);
});

test("however many stores there are, what is kept of all of them in the application's heap is as little as of one", async () => {
  const client = new StoreClient();
  client.call = async ({ kind }) => ({
    answer: kind === "clear" ? { n: 1, kind: "done" } : { n: 1, kind: "written", version: 1, merged: false, conflicts: 0 },
    text: "",
    records: [],
  });
  const text = "x".repeat(1024 * 1024);
  const stores = Array.from({ length: 100 }, (_, index) => new ReplicatedStore(client, `map.room-${index}`));
  for (const store of stores) await store.put("a", anyBase, text, null);
  const kept = () => stores.filter((store) => store.lastSeen("a") !== null);
  assert.ok(kept().length > 0 && kept().length <= 64, `${kept().length} MiB are kept`);
  assert.notEqual(stores.at(-1)?.lastSeen("a"), null, "the latest");
  await stores.at(-1)?.clear();
  assert.equal(stores.at(-1)?.lastSeen("a"), null);
  assert.notEqual(stores.at(-2)?.lastSeen("a"), null, "of another store");
});
