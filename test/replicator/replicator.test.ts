/** The real store process and the instances' own client: versions, merges, hand-off, and kill -9. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { ReplicatedStore } from "../../src/inside/session/replicated-store.ts";
import { absentBase, anyBase } from "../../src/state/session-record.ts";
import { notRoot, SmallDisk } from "../small-disk.ts";
import { ReplicatorStage } from "./stage.ts";

const withStage = (name: string, body: (stage: ReplicatorStage) => Promise<void>) =>
  test(name, { timeout: 300_000 }, async () => {
    const stage = new ReplicatorStage();
    await stage.listen();
    await body(stage);
    await stage.close();
  });

withStage("what one instance wrote another reads; unchanged costs no data; a destroyed session stays destroyed", async (stage) => {
  const one = new ReplicatedStore(stage.client("web-1.1"), "s");
  const two = new ReplicatedStore(stage.client("web-2.1"), "s");
  assert.equal(await one.read("a"), null);
  await one.write("a", null, '{"n":1}', null);
  const read = await two.read("a");
  assert.equal(read?.base.text, '{"n":1}');
  assert.deepEqual((await two.read("a"))?.base, read?.base, "from its own copy");
  const late = await one.read("a");
  await two.destroy("a");
  assert.equal(await one.read("a"), null);
  assert.equal(await one.write("a", late?.base ?? null, '{"n":2}', null), null, "a late write is dropped");
  assert.equal(await two.read("a"), null);
});

withStage("sessions expire, a touch moves the expiry, stores are kept apart", async (stage) => {
  const client = stage.client("web-1.1");
  const [first, second] = [new ReplicatedStore(client, "first"), new ReplicatedStore(client, "second")];
  await first.write("a", null, '{"n":1}', Date.now() - 1);
  await first.write("b", null, '{"n":2}', Date.now() + 60_000);
  await second.write("b", null, '{"n":3}', null);
  assert.equal(await first.read("a"), null);
  const untilMs = Date.now() + 120_000;
  await first.touch("b", untilMs);
  assert.equal((await first.read("b"))?.expiresAtMs, untilMs);
  assert.deepEqual([await first.count(), await second.count()], [1, 1]);
  assert.deepEqual(await first.all(), [{ id: "b", text: '{"n":2}', expiresAtMs: untilMs }]);
  await first.clear();
  assert.deepEqual([await first.count(), await second.count()], [0, 1]);
});

withStage("a store with more in it than may wait for a reader is listed whole", async (stage) => {
  const store = new ReplicatedStore(stage.client("web-1.1", 60_000), "s");
  for (let index = 0; index < 70; index += 1) await store.write(`id-${index}`, null, JSON.stringify("x".repeat(1024 * 1024)), null);
  assert.equal((await store.all()).length, 70);
});

withStage("parallel requests of one session on two instances: changes to different keys are all kept", async (stage) => {
  const stores = [new ReplicatedStore(stage.client("web-1.1"), "s"), new ReplicatedStore(stage.client("web-2.1"), "s")];
  await stores[0]?.write("a", null, "{}", null);
  const request = async (store: ReplicatedStore, key: string) => {
    const base = (await store.read("a"))?.base ?? null;
    const session = { ...(JSON.parse(base?.text ?? "{}") as object), [key]: 1 };
    const next = await store.write("a", base, JSON.stringify(session), null);
    // The same request saves a second time, from the object it has in hand.
    await store.write("a", next, JSON.stringify({ ...session, [`${key}-again`]: 1 }), null);
  };
  await Promise.all(Array.from({ length: 40 }, (_, index) => request(stores[index % 2] ?? assert.fail(), `key-${index}`)));
  const kept = JSON.parse((await stores[1]?.read("a"))?.base.text ?? "{}") as object;
  assert.equal(Object.keys(kept).length, 80);
});

test("instances of a new boot have the names of the last one's: their writes are writes of their own", async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-boots-"));
  const visit = async (stage: ReplicatorStage) => {
    const store = new ReplicatedStore(stage.client("web-1.1"), "s");
    const base = (await store.read("a"))?.base ?? null;
    const visits = base === null ? 0 : (JSON.parse(base.text) as { visits: number }).visits;
    await store.write("a", base, JSON.stringify({ visits: visits + 1 }), null);
    return (await new ReplicatedStore(stage.client("web-2.1"), "s").read("a"))?.base.text;
  };
  for (const visits of [1, 2, 3]) {
    const boot = new ReplicatorStage(directory);
    await boot.listen();
    assert.equal(await visit(boot), `{"visits":${visits}}`);
    await boot.close();
  }
  rmSync(directory, { recursive: true });
});

withStage("a write whose acknowledgement was lost is not executed again upon what another instance wrote since", async (stage) => {
  const other = new ReplicatedStore(stage.client("web-2.1"), "s");
  const request = { n: 1, store: "s", kind: "write", id: "a", base: -1, expiresAtMs: null } as const;
  await stage.sendAgain("web-1.1", request, Buffer.from('{"n":1}'));
  await stage.killAndRestart();
  const base = (await other.read("a"))?.base ?? null;
  assert.equal(base?.text, '{"n":1}');
  await other.write("a", base, '{"n":2}', null);
  const answer = await stage.sendAgain("web-1.1", request, Buffer.from('{"n":1}'));
  assert.deepEqual(answer, { n: 1, kind: "written", version: 2, merged: true, conflicts: 0 });
  assert.equal((await other.read("a"))?.base.text, '{"n":2}');
});

withStage(
  "a removal whose acknowledgement was lost is not executed again upon what another instance has put there since",
  async (stage) => {
    const other = new ReplicatedStore(stage.client("web-2.1"), "map.m");
    const nothing = Buffer.alloc(0);
    await other.put("a", anyBase, "1", null);
    const found = { n: 1, store: "map.m", kind: "remove", id: "a", base: -1 } as const;
    const vain = { ...found, n: 2, id: "b" } as const;
    const answers = [await stage.sendAgain("web-1.1", found, nothing), await stage.sendAgain("web-1.1", vain, nothing)];
    assert.deepEqual(answers, [
      { n: 1, kind: "done" },
      { n: 2, kind: "absent" },
    ]);
    await stage.killAndRestart();
    assert.deepEqual([await other.read("a"), await other.count()], [null, 0]);
    for (const id of ["a", "b"]) await other.put(id, absentBase, "2", null);
    assert.deepEqual([await stage.sendAgain("web-1.1", found, nothing), await stage.sendAgain("web-1.1", vain, nothing)], answers);
    for (const id of ["a", "b"]) assert.equal((await other.read(id))?.base.text, "2");
  },
);

withStage("behind a file that was set aside nothing is taken for unchanged that an instance knows from before", async (stage) => {
  const [one, two] = [new ReplicatedStore(stage.client("web-1.1"), "map.m"), new ReplicatedStore(stage.client("web-2.1"), "map.m")];
  await one.put("a", absentBase, '"before"', null);
  await stage.killAndRestart(() => writeFileSync(join(stage.directory, "sessions.mdb"), Buffer.alloc(20_000, 171)), 3);
  await two.put("a", absentBase, '"after"', null);
  assert.equal((await one.read("a"))?.base.text, '"after"');
  await stage.killAndRestart();
  await two.put("b", absentBase, "1", null);
  assert.ok(((await two.read("b"))?.base.version ?? 0) > 1, "nor by the next process");
});

withStage("a clear whose acknowledgement was lost is not executed again upon what others have set since", async (stage) => {
  const other = new ReplicatedStore(stage.client("web-2.1"), "map.m");
  const nothing = Buffer.alloc(0);
  const put = { n: 1, store: "map.m", kind: "put", id: "a", base: -1, expiresAtMs: null } as const;
  await stage.sendAgain("web-1.1", put, Buffer.from("1"));
  const clear = { n: 2, store: "map.m", kind: "clear" } as const;
  assert.deepEqual(await stage.sendAgain("web-1.1", clear, nothing), { n: 2, kind: "done" });
  const sessions = new ReplicatedStore(stage.client("web-3.1"), "s");
  const empty = { n: 3, store: "s", kind: "clear" } as const;
  await stage.sendAgain("web-1.1", empty, nothing);
  await stage.killAndRestart();
  assert.deepEqual([await other.read("a"), await other.count()], [null, 0]);
  for (const id of ["a", "b"]) await other.put(id, absentBase, "2", null);
  await sessions.write("x", null, "{}", null);
  assert.deepEqual(await stage.sendAgain("web-1.1", clear, nothing), { n: 2, kind: "done" });
  assert.deepEqual(await stage.sendAgain("web-1.1", empty, nothing), { n: 3, kind: "done" });
  await stage.sendAgain("web-1.1", put, Buffer.from("1")); // which came before the clear
  for (const id of ["a", "b"]) assert.equal((await other.read(id))?.base.text, "2");
  assert.equal(await sessions.count(), 1);
});

withStage("the hand-off waits for what was called before it, and for nothing that background work calls meanwhile", async (stage) => {
  const client = stage.client("web-1.1");
  const store = new ReplicatedStore(client, "map.m");
  await store.put("a", anyBase, "0", null);
  const large = JSON.stringify("x".repeat(30 * 1024 * 1024)); // on its way for many turns of the loop
  const done: string[] = [];
  const put = (id: string, text: string) => store.put(id, anyBase, text, null).then(() => done.push(id));
  const calls = [put("a", "1")];
  const flushed = client.flush();
  calls.push(put("b", large));
  const { writes } = await flushed;
  await nextTurn(); // what was answered with it is told
  assert.deepEqual([writes, done], [2, ["a"]]);
  await Promise.all(calls);
  const { writes: all, checksum } = await client.flush();
  const revoked = await stage.revoke("web-1.1");
  assert.deepEqual([revoked.writes, revoked.checksum], [all, checksum]);
});

withStage("the hand-off: both sides counted the same writes, and the instance writes no more", async (stage) => {
  const client = stage.client("web-1.1");
  const store = new ReplicatedStore(client, "s");
  const writes = Array.from({ length: 300 }, (_, index) => store.write(`id-${index % 40}`, null, JSON.stringify({ index }), null));
  const flushed = await client.flush();
  await Promise.all(writes);
  const { writes: count, checksum } = await stage.revoke("web-1.1");
  assert.deepEqual(flushed, { writes: count, checksum });
  assert.equal(count, 300);
  await assert.rejects(store.write("id-1", null, "{}", null), /handed off/);
  assert.ok((await store.read("id-1")) !== null, "it may still read");
  assert.deepEqual((await stage.revoke("nobody.1")).writes, 0);
});

withStage("a session that is too long is refused at once, and nothing of it is left to be sent again", async (stage) => {
  const client = stage.client("web-1.1", 60_000);
  const store = new ReplicatedStore(client, "s");
  await store.write("a", null, "{}", null);
  await assert.rejects(store.write("b", null, JSON.stringify("x".repeat(32 * 1024 * 1024)), null), /longer than 33554432/);
  await stage.killAndRestart();
  assert.equal((await store.read("a"))?.base.text, "{}");
  assert.equal((await client.flush()).writes, 0, "on this connection");
});

withStage("a session that only merged would be too long is refused, and can be read still", async (stage) => {
  const [one, two] = [new ReplicatedStore(stage.client("web-1.1"), "s"), new ReplicatedStore(stage.client("web-2.1"), "s")];
  const base = await one.write("a", null, "{}", null);
  const large = "x".repeat(20 * 1024 * 1024);
  const first = JSON.stringify({ first: large });
  await one.write("a", base, first, null);
  await assert.rejects(two.write("a", base, JSON.stringify({ second: large }), null), /with what others wrote it is longer/);
  assert.equal((await two.read("a"))?.base.text, first);
});

withStage("a replicator that hangs longer than the deadline: what it does afterwards is in both tallies", async (stage) => {
  const patient = new ReplicatedStore(stage.client("web-2.1"), "s");
  await patient.write("a", null, '{"n":1}', null);
  const client = stage.client("web-1.1", 1_000);
  const store = new ReplicatedStore(client, "s");
  await store.write("a", null, '{"n":2}', null);
  stage.hang();
  await assert.rejects(store.write("a", null, '{"n":3}', null), /did not answer within 1000 ms/);
  stage.goOn();
  assert.equal((await store.read("a"))?.base.text, '{"n":3}');
  const flushed = await client.flush();
  const { writes, checksum } = await stage.revoke("web-1.1");
  assert.deepEqual(flushed, { writes, checksum });
});

withStage("a replicator that hangs and reads nothing: what waits for it leaves the memory at its deadline", async (stage) => {
  const patient = new ReplicatedStore(stage.client("web-2.1"), "s");
  await patient.write("a", null, "{}", null);
  const client = stage.client("web-1.1", 1_000);
  const store = new ReplicatedStore(client, "s");
  await store.read("a");
  stage.hang();
  const writes = Array.from({ length: 40 }, (_, index) => store.write(`id-${index}`, null, JSON.stringify("x".repeat(1024 * 1024)), null));
  for (const outcome of await Promise.allSettled(writes)) assert.equal(outcome.status, "rejected");
  await client.flush();
  stage.goOn();
  await patient.read("a");
  assert.equal(await store.count(), 1, "none of them was still on its way");
});

withStage("kill -9 under 200 writers, three times: nothing acknowledged is lost, nobody sees an error, versions go on", async (stage) => {
  const stores = [new ReplicatedStore(stage.client("web-1.1"), "s"), new ReplicatedStore(stage.client("web-2.1"), "s")];
  const acknowledged = new Map<string, number>();
  let running = true;
  const writer = async (index: number) => {
    const store = stores[index % 2] ?? assert.fail();
    const id = `id-${index}`;
    for (let n = 1; running; n += 1) {
      const base = (await store.read(id))?.base ?? null;
      const seen = base === null ? 0 : (JSON.parse(base.text) as { n: number }).n;
      assert.ok(seen >= (acknowledged.get(id) ?? 0), `${id}: read ${seen} after ${acknowledged.get(id)} was acknowledged`);
      await store.write(id, base, JSON.stringify({ n }), null);
      acknowledged.set(id, n);
    }
  };
  const writers = Array.from({ length: 200 }, (_, index) => writer(index));
  const written = () => [...acknowledged.values()].reduce((sum, n) => sum + n, 0);
  for (let kill = 0; kill < 3; kill += 1) {
    const before = written();
    await stage.until(() => written() >= before + 3_000);
    await stage.killAndRestart();
  }
  running = false;
  await Promise.all(writers);
  const fresh = new ReplicatedStore(stage.client("web-3.1"), "s");
  for (const [id, n] of acknowledged) {
    const stored = (JSON.parse((await fresh.read(id))?.base.text ?? "{}") as { n: number }).n;
    assert.ok(stored >= n, `${id}: ${stored} is stored, ${n} was acknowledged`);
  }
});

test("a disk that stays full: so much waits for it, and no more; what waited is kept", { timeout: 300_000, skip: notRoot }, async () => {
  const disk = await SmallDisk.mount(256);
  const stage = new ReplicatorStage(disk.path);
  await stage.listen();
  const store = new ReplicatedStore(stage.client("web-1.1", 240_000), "s");
  await store.write("first", null, "{}", null);
  disk.fill();
  const text = JSON.stringify("x".repeat(1024 * 1024));
  const ends = { kept: 0, refused: 0 };
  const writes = Array.from({ length: 120 }, (_, index) =>
    store.write(`id-${index}`, null, text, null).then(
      () => (ends.kept += 1),
      () => (ends.refused += 1),
    ),
  );
  await stage.until(() => ends.refused > 40);
  await assert.rejects(Promise.all(Array.from({ length: 5_000 }, () => store.read("id-30"))), /No space left/);
  assert.equal((await store.read("first"))?.base.text, "{}");
  disk.empty();
  await Promise.all(writes);
  assert.ok(ends.kept >= 60, `${ends.kept} were kept`);
  assert.equal(await store.count(), 1 + ends.kept);
  assert.equal(stage.output.match(/full/g)?.length, 1, stage.output);
});

test("a disk that is full again and again: writes wait and go on, by one process, and none acknowledged is lost", {
  timeout: 300_000,
  skip: notRoot,
}, async () => {
  const disk = await SmallDisk.mount(64);
  const stage = new ReplicatorStage(disk.path);
  await stage.listen();
  const store = new ReplicatedStore(stage.client("web-1.1"), "s");
  const acknowledged = new Map<string, number>();
  const times = (text: string) => stage.output.split(text).length - 1;
  let running = true;
  const writer = async (index: number) => {
    for (let n = 1; running; n += 1) {
      const id = `id-${index}-${n % 2 === 0 ? 0 : n}`; // every second write is of the one session, the others are new ones
      const base = (await store.read(id))?.base ?? null;
      await store.write(id, base, JSON.stringify({ n, text: "x".repeat((n * 7_919) % 20_000) }), null);
      acknowledged.set(id, n);
    }
  };
  const writers = Array.from({ length: 16 }, (_, index) => writer(index));
  await stage.until(() => acknowledged.size > 16);
  for (let time = 1; time <= 6; time += 1) {
    disk.fill();
    await stage.until(() => times("cannot be written (its disk is full)") === time);
    disk.empty();
    await stage.until(() => times("can be written again") === time);
  }
  running = false;
  await Promise.all(writers);
  const fresh = new ReplicatedStore(stage.client("web-2.1"), "s");
  for (const [id, n] of acknowledged) {
    const stored = (JSON.parse((await fresh.read(id))?.base.text ?? "{}") as { n: number }).n;
    assert.equal(stored, n, id);
  }
  assert.doesNotMatch(stage.output, /could not be stored/);
});
