/** The rules of the store over its file, without a process around it. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { SessionAnswer, SessionRequest } from "../../src/model/session.ts";
import { isDamage, SessionFile } from "../../src/replicator/session-file.ts";
import { SessionStore } from "../../src/replicator/session-store.ts";
import { Tally } from "../../src/state/tally.ts";

type WithoutNumber<T> = T extends unknown ? Omit<T, "n" | "store"> : never;

async function withStore(
  body: (stage: {
    file: SessionFile;
    store: SessionStore;
    /** Its answers. */
    execute: (request: WithoutNumber<SessionRequest>, nowMs: number, text?: string, n?: number) => Promise<SessionAnswer[]>;
  }) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "coppice-store-"));
  const file = new SessionFile(join(directory, "s.mdb"), () => {});
  const store = new SessionStore(file);
  let last = 0;
  await body({
    file,
    store,
    execute: async (request, nowMs, text = "", n = last + 1) => {
      last = n;
      const answers: SessionAnswer[] = [];
      const caller = {
        writer: "web-1.1",
        tally: new Tally(),
        revoked: () => false,
        answer: (answer: SessionAnswer) => answers.push(answer),
        drained: async () => {},
      };
      await store.execute({ ...request, n, store: "s" } as SessionRequest, Buffer.from(text), caller, nowMs); // what was left out
      return answers;
    },
  });
  await file.close();
  rmSync(directory, { recursive: true });
}

test("sweep: a session that is touched at its last moment stays", () =>
  withStore(async ({ file, store, execute }) => {
    await execute({ kind: "write", id: "a", base: -1, expiresAtMs: 1_000 }, 0, "{}");
    const touch = execute({ kind: "touch", id: "a", expiresAtMs: 10_000 }, 999);
    await Promise.all([touch, store.sweep(1_001, 1)]);
    assert.equal(file.get("s", "a")?.expiresAtMs, 10_000);
  }));

test("a destroy whose acknowledgement was lost does not end, sent again, what was made anew under the same identifier", () =>
  withStore(async ({ file, execute }) => {
    const write = { kind: "write", id: "a", expiresAtMs: 60_000 } as const;
    await execute({ ...write, base: -1 }, 0, "{}");
    await execute({ kind: "destroy", id: "a" }, 1, "", 1_000);
    assert.deepEqual(await execute({ ...write, base: -1 }, 2, "{}"), [{ n: 1_001, kind: "dropped" }]);
    await execute({ ...write, base: 0 }, 3, '{"anew":1}');
    assert.deepEqual(await execute({ kind: "destroy", id: "a" }, 4, "", 1_000), [{ n: 1_000, kind: "done" }]);
    assert.equal(file.get("s", "a")?.text, '{"anew":1}');
    await execute({ kind: "destroy", id: "a" }, 5, "", 1_001);
    assert.equal(file.get("s", "a")?.tombstone, true);
  }));

test("sweep: where the last one still waits for the disk, none begins", () =>
  withStore(async ({ store, execute }) => {
    for (const id of ["a", "b", "c"]) await execute({ kind: "write", id, base: -1, expiresAtMs: 1_000 }, 0, "{}");
    await Promise.all([store.sweep(1_001, 3), store.sweep(1_001, 3)]);
    assert.equal(store.sessions, 2);
  }));

test("sweep: however many there are, all that have expired are gone after so many calls", () =>
  withStore(async ({ store, execute }) => {
    const write = (id: string) => execute({ kind: "write", id, base: -1, expiresAtMs: 1_000 }, 0, "{}");
    await Promise.all(Array.from({ length: 5_000 }, (_, index) => write(`id-${index}`)));
    await store.sweep(1_001, 2);
    assert.equal(store.sessions, 2_500);
    for (let calls = 0; calls < 3; calls += 1) await store.sweep(1_001, 2);
    assert.ok(store.sessions < 700, `${store.sessions} are left`);
  }));

test("sweep: few sessions are looked at one by one, though the file's own mark comes before them all", () =>
  withStore(async ({ store, execute }) => {
    const write = (id: string) => execute({ kind: "write", id, base: -1, expiresAtMs: 1_000 }, 0, "{}");
    await write("first");
    await store.sweep(1_001, 1); // its version stays known by the mark
    await Promise.all(["a", "b", "c"].map(write));
    for (let calls = 0; calls < 6; calls += 1) await store.sweep(1_001, 3);
    assert.equal(store.sessions, 0);
  }));

test("what was set before is counted, listed and cleared, though nobody waited for it", () =>
  withStore(async ({ store, execute }) => {
    const write = (id: string) => execute({ kind: "write", id, base: -1, expiresAtMs: null }, 0, "{}");
    const count = async () => (await execute({ kind: "count" }, 1)).map((answer) => (answer.kind === "counted" ? answer.sessions : null));
    const list = async () => (await execute({ kind: "all" }, 1)).flatMap((answer) => (answer.kind === "record" ? [answer.id] : []));
    const destroy = (id: string) => execute({ kind: "destroy", id }, 1);
    await Promise.all(["b", "d"].map(write));
    const [, counted, , listed] = await Promise.all([write("c"), count(), destroy("d"), list(), write("a")]);
    assert.deepEqual([counted, listed], [[3], ["b", "c"]]);
    const ids = Array.from({ length: 1_200 }, (_, index) => `id-${index}`);
    const [, , left] = await Promise.all([Promise.all(ids.map(write)), execute({ kind: "clear" }, 1), count()]);
    assert.deepEqual(left, [0]);
    assert.equal(store.sessions, 1, "the mark of the destroyed one");
  }));

test("whatever a session is called, it is counted, listed, swept and cleared", () =>
  withStore(async ({ store, execute }) => {
    const strange = ["\u0000", "\u001f", "\u007f", "\u007f0000", "\ud800", "\udfff", "\ue000", "\ufffd"];
    const long = ["", ...strange].map((one) => `x${one}${"x".repeat(100)}`);
    const ids = ["", "a", "ü", "\u{1f600}", "\uffff", ...strange, ...long, ...[50, 60, 64, 500, 1_900].map((length) => "x".repeat(length))];
    const write = (id: string, expiresAtMs: number) => execute({ kind: "write", id, base: -1, expiresAtMs }, 0, "{}");
    await Promise.all(ids.map((id) => write(id, 1_000)));
    const listed = (await execute({ kind: "all" }, 1)).flatMap((answer) => (answer.kind === "record" ? [answer.id] : []));
    assert.deepEqual(listed.sort(), [...ids].sort());
    const [counted] = await execute({ kind: "count" }, 1);
    assert.equal(counted?.kind === "counted" ? counted.sessions : null, ids.length);
    for (let calls = 0; calls <= ids.length; calls += 1) await store.sweep(1_001, 2);
    assert.equal(store.sessions, 0, "swept");
    await Promise.all(ids.map((id) => write(id, 1_000)));
    await execute({ kind: "clear" }, 1);
    assert.equal(store.sessions, 0, "cleared");
  }));

test("records that a loss of power tore hold up none beside them: what cannot be read is none, what cannot be removed stays", async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-store-"));
  const path = join(directory, "s.mdb");
  const before = new SessionFile(path, () => {});
  const record = { version: 7, expiresAtMs: null, tombstone: false, text: "whole", writes: [] };
  for (const id of ["a", "d"]) await before.set("s", id, record);
  for (const id of ["b", "c"]) await before.set("s", id, { ...record, expiresAtMs: 500, text: `of ${id} `.repeat(5_000) });
  await before.set("s", "e", { ...record, expiresAtMs: 500 });
  await before.close();
  const bytes = readFileSync(path);
  const tear = (text: string, length: number) => {
    const at = bytes.indexOf(text);
    bytes.fill(171, at - (at % 4096), at - (at % 4096) + length);
  };
  tear("of b of b", 4096); // its first page
  tear("of c of c", 16); // what LMDB says of the page
  writeFileSync(path, bytes);
  const file = new SessionFile(path, () => {});
  const store = new SessionStore(file);
  const listed = () => file.page(10, null, "s").map(({ id }) => id);
  assert.deepEqual([listed(), file.get("s", "b")], [["a", "c", "d", "e"], null]);
  await store.sweep(1_000, 1);
  assert.deepEqual(listed(), ["a", "c", "d"]);
  await file.close();
  rmSync(directory, { recursive: true });
});

test("sweep: few sessions are looked at one by one, past those that a loss of power tore", async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-store-"));
  const path = join(directory, "s.mdb");
  const before = new SessionFile(path, () => {});
  const record = { version: 7, expiresAtMs: 500, tombstone: false, writes: [] };
  for (const id of ["a", "b"]) await before.set("s", id, { ...record, text: `of ${id} `.repeat(5_000) });
  for (const id of ["c", "d"]) await before.set("s", id, { ...record, text: "whole" });
  await before.close();
  const bytes = readFileSync(path);
  for (const text of ["of a of a", "of b of b"]) bytes.fill(171, bytes.indexOf(text) - 16, bytes.indexOf(text) + 4_000);
  writeFileSync(path, bytes);
  const file = new SessionFile(path, () => {});
  const store = new SessionStore(file);
  for (let calls = 0; calls < 8; calls += 1) await store.sweep(1_000, 1_000);
  assert.deepEqual(
    ["c", "d"].filter((id) => file.get("s", id) !== null),
    [],
  );
  await file.close();
  rmSync(directory, { recursive: true });
});

test("a file whose tree a loss of power bent into a circle is damaged, as LMDB says in a name of its own", async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-store-"));
  const path = join(directory, "s.mdb");
  const before = new SessionFile(path, () => {});
  const record = { version: 7, expiresAtMs: null, tombstone: false, text: "x".repeat(300), writes: [] };
  await Promise.all(Array.from({ length: 300 }, (_, index) => before.set("s", `id-${index}`, record)));
  await before.close();
  const bytes = readFileSync(path);
  const pages = Array.from({ length: bytes.length / 4096 }, (_, page) => page);
  const of = (kind: number) => pages.filter((page) => bytes.readUInt16LE(page * 4096 + 18) === kind); // in a page's head
  const [branch = assert.fail()] = of(1);
  for (const leaf of of(2)) bytes.copyWithin(leaf * 4096, branch * 4096, (branch + 1) * 4096);
  writeFileSync(path, bytes);
  assert.throws(
    () => new SessionFile(path, () => {}),
    (error) => isDamage(error),
  );
  assert.ok(isDamage(new Error("MDB_PROBLEM: Unexpected problem - txn should abort: expected node to be branch, but was not")));
  rmSync(directory, { recursive: true });
});

test("a file whose keys a loss of power left in no order is damaged: nobody goes through it without end", async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-store-"));
  const path = join(directory, "s.mdb");
  const before = new SessionFile(path, () => {});
  const record = { version: 7, expiresAtMs: null, tombstone: false, text: "whole", writes: [] };
  for (const id of ["a", "b", "c"]) await before.set("s", id, record);
  await before.close();
  const bytes = readFileSync(path);
  for (let at = bytes.indexOf("s:c"); at >= 0; at = bytes.indexOf("s:c")) bytes.write("s:A", at); // behind which comes "s:a"
  writeFileSync(path, bytes);
  const file = new SessionFile(path, () => {});
  const seen: string[] = [];
  const walk = (after: string | null): void => {
    for (const { key } of file.page(1, after)) {
      assert.ok(seen.push(key) < 10, `without end: ${seen.join(" ")}`);
      walk(key);
    }
  };
  assert.throws(
    () => walk(null),
    (error) => isDamage(error),
  );
  await file.close();
  rmSync(directory, { recursive: true });
});

test("a clear gets past what cannot be removed, as its pages are torn, and says that it is there still", async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-store-"));
  const path = join(directory, "s.mdb");
  const before = new SessionFile(path, () => {});
  const record = { version: 7, expiresAtMs: null, tombstone: false, writes: [] };
  await before.set("s", "a", { ...record, text: "of a ".repeat(5_000) });
  const others = Array.from({ length: 600 }, (_, index) => `id-${index}`);
  await Promise.all(others.map((id) => before.set("s", id, { ...record, text: "whole" })));
  await before.close();
  const bytes = readFileSync(path);
  const at = bytes.indexOf("of a of a");
  bytes.fill(171, at - (at % 4096), at - (at % 4096) + 16); // what LMDB says of the page
  writeFileSync(path, bytes);
  const file = new SessionFile(path, () => {});
  const caller = { writer: "web-1.1", tally: new Tally(), revoked: () => false, answer: () => {}, drained: async () => {} };
  const clear = new SessionStore(file).execute({ n: 1, store: "s", kind: "clear" }, new Uint8Array(0), caller, 1_000);
  await assert.rejects(clear, /MDB_PROBLEM/);
  assert.deepEqual(
    file.page(1_000, null, "s").map(({ id }) => id),
    ["a"],
  );
  await file.close();
  rmSync(directory, { recursive: true });
});

test("the file's own mark is no session before it is written, as on a full disk, and none afterwards", () =>
  withStore(async ({ file, store, execute }) => {
    await execute({ kind: "write", id: "a", base: -1, expiresAtMs: null }, 0, "{}");
    const raised = file.raiseFloor(7);
    assert.equal(store.sessions, 1);
    await raised;
    assert.equal(store.sessions, 1);
  }));

test("a clear that is sent again while it is under way removes nothing twice", () =>
  withStore(async ({ store, file, execute }) => {
    const write = (id: string) => execute({ kind: "write", id, base: -1, expiresAtMs: null }, 0, "{}");
    const ids = Array.from({ length: 1_200 }, (_, index) => `id-${1_000 + index}`);
    await Promise.all(ids.map(write));
    const first = execute({ kind: "clear" }, 1, "", 5_000);
    await write("id-1000"); // behind it
    const answers = await Promise.all([first, execute({ kind: "clear" }, 1, "", 5_000)]);
    const done = [{ n: 5_000, kind: "done" }];
    assert.deepEqual(answers, [done, done]);
    assert.deepEqual(
      ids.filter((id) => file.get("s", id) !== null),
      ["id-1000"],
    );
    assert.equal(store.sessions, 1);
  }));

test("while a store is counted others have their turn", () =>
  withStore(async ({ execute }) => {
    const write = (id: string) => execute({ kind: "write", id, base: -1, expiresAtMs: null }, 0, "{}");
    await Promise.all(Array.from({ length: 1_000 }, (_, index) => write(`id-${index}`)));
    const order: string[] = [];
    const count = execute({ kind: "count" }, 1).then(([answer]) => order.push(answer?.kind ?? ""));
    await Promise.all([count, execute({ kind: "read", id: "id-1" }, 1).then(() => order.push("read"))]);
    assert.deepEqual(order, ["read", "counted"]);
  }));
