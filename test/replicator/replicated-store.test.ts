/** What the instance bases its next write on, over answers that a test gives. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Copies } from "../../src/inside/session/copies.ts";
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

test("of what is kept, who was not used the longest goes first, and to keep one more costs the same however many there are", () => {
  const copies = new Copies();
  let next = 0;
  const keep = () => {
    copies.keep("store-1", String(next), { version: 1, text: "" });
    next += 1;
  };
  while (next < 10_000) keep();
  assert.ok(copies.get("store-1", "0"));
  keep();
  assert.equal(copies.get("store-1", "1"), undefined, "the oldest");
  assert.ok(copies.get("store-1", "0"), "it was used");

  const few = new Copies();
  const msOf = (body: () => void) => {
    const { user } = process.cpuUsage();
    for (let times = 0; times < 50_000; times += 1) body();
    return process.cpuUsage({ user, system: 0 }).user / 1_000;
  };
  const alone = msOf(() => few.keep("store-1", "0", { version: 1, text: "" }));
  const amongMany = msOf(keep);
  assert.ok(amongMany < 200 + 10 * alone, `${amongMany} ms among 10,000, ${alone} ms alone`);
  const oneRead = msOf(() => copies.get("store-1", "20000"));
  const oneWritten = msOf(() => copies.keep("store-1", "20000", { version: 1, text: "" }));
  assert.ok(
    Math.max(oneRead, oneWritten) < 200 + 10 * alone,
    `${oneRead} ms for one that is read, ${oneWritten} ms for one that is written`,
  );
});

test("what is read or written again and again takes no more memory", () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const copies = new Copies();
  const use = () => {
    for (let times = 0; times < 300_000; times += 1) copies.get("store-1", "a");
    for (let times = 0; times < 2_000; times += 1)
      copies.keep("store-1", String(times % 10), { version: times, text: "x".repeat(10_000 + times) });
    collect();
    return process.memoryUsage().heapUsed;
  };
  copies.keep("store-1", "a", { version: 1, text: "" });
  const before = use();
  const grownBytes = use() - before;
  assert.ok(grownBytes < 4 * 1024 * 1024, `${grownBytes} bytes`);
});
