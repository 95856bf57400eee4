/** Writes of one turn are one transaction, durable when they say so, and one that cannot be takes none of the others with it. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { open } from "lmdb";
import { Commits } from "../../src/replicator/commits.ts";

function database(context: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "coppice-commits-"));
  const opened = open<number, string>({ path: join(directory, "x.mdb"), noSubdir: true, noSync: true });
  context.after(async () => {
    await opened.close();
    rmSync(directory, { recursive: true });
  });
  let transactions = 0;
  const commits = new Commits({
    transactionSync: (run) => {
      transactions += 1;
      return opened.transactionSync(run);
    },
  });
  return { opened, commits, transactions: () => transactions };
}

test("commits: what comes in one turn is one transaction, in its order, and there when it is said to be", async (context) => {
  const { opened, commits, transactions } = database(context);
  const writes = Array.from({ length: 50 }, (_, at) => commits.add(() => opened.putSync(`key-${at % 10}`, at)));
  assert.equal(opened.get("key-0"), undefined, "not before the turn's end");
  await writes[0];
  assert.equal(transactions(), 1);
  for (let at = 0; at < 10; at += 1) assert.equal(opened.get(`key-${at}`), 40 + at);
  await Promise.all(writes);
  await commits.add(() => opened.removeSync("key-0"));
  assert.equal(transactions(), 2);
  assert.equal(opened.get("key-0"), undefined);
});

test("commits: one that cannot be written is told so, and those that came with it are written", async (context) => {
  const { opened, commits } = database(context);
  const outcomes = await Promise.allSettled([
    commits.add(() => opened.putSync("first", 1)),
    commits.add(() => {
      opened.putSync("half", 1);
      throw new Error("no more than half");
    }),
    commits.add(() => opened.putSync("last", 1)),
  ]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  assert.deepEqual([opened.get("first"), opened.get("half"), opened.get("last")], [1, undefined, 1]);
});
