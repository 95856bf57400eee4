/** `coppice/state` over a real replicator: several instances change the same maps. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoreClient } from "../../src/inside/session/store-client.ts";
import { InstanceState } from "../../src/inside/state/instance-state.ts";
import { SharedMap } from "../../src/inside/state/shared-map.ts";
import type { FromInstance } from "../../src/model/control.ts";
import { ReplicatorStage } from "./stage.ts";

interface Instance {
  readonly client: StoreClient;
  readonly state: InstanceState;
  readonly told: FromInstance[];
  /** How often it was said that nothing is being restored any more. */
  readonly restored: () => number;
  map<V>(name: string, ttlMs?: number): SharedMap<V>;
}

async function withStage(
  body: (stage: ReplicatorStage, instance: (id: string, timeoutMs?: number) => Instance) => Promise<void>,
): Promise<void> {
  const stage = new ReplicatorStage();
  await stage.listen();
  await body(stage, (id, timeoutMs) => {
    const { client, birth } = stage.born(id, timeoutMs);
    const state = new InstanceState(client, () => {});
    const told: FromInstance[] = [];
    let restored = 0;
    state.begin(
      birth,
      (message) => told.push(message),
      () => {
        restored += 1;
      },
    );
    const map = <V>(name: string, ttlMs?: number) => new SharedMap<V>(() => state, name, ttlMs === undefined ? {} : { ttlMs });
    return { client, state, told, restored: () => restored, map };
  });
  await stage.close();
}

test("a map: what one instance sets another one gets; maps are apart, and so are sessions", () =>
  withStage(async (_, instance) => {
    const [one, other] = [instance("web-1.1"), instance("web-2.1")];
    const stock = one.map<{ left: number }>("stock");
    await stock.set("apples", { left: 3 });
    await one.map("prices").set("apples", 7);
    const seen = other.map<{ left: number }>("stock");
    assert.deepEqual(await seen.get("apples"), { left: 3 });
    assert.equal(await seen.get("pears"), undefined);
    await stock.set("apples", { left: 2 });
    assert.deepEqual(await seen.get("apples"), { left: 2 }, "no old copy");
    await seen.set("Äpfel: süß", { left: 1 });
    assert.deepEqual(await stock.entries(), [
      ["apples", { left: 2 }],
      ["Äpfel: süß", { left: 1 }],
    ]);
    assert.deepEqual(
      [await stock.size(), await stock.has("apples"), await stock.delete("apples"), await seen.delete("apples")],
      [2, true, true, false],
    );
    assert.deepEqual([await seen.has("apples"), await seen.size()], [false, 1]);
    await seen.set("apples", { left: 9 });
    assert.deepEqual(await stock.get("apples"), { left: 9 }, "what was deleted may be set again");
    await stock.clear();
    assert.deepEqual([await seen.size(), await one.map("prices").size()], [0, 1]);
  }));

test("a map: parallel updates by two instances are all made, over a death of the replicator too", () =>
  withStage(async (stage, instance) => {
    const maps = ["web-1.1", "web-2.1"].map((id) => instance(id).map<number>("count"));
    const rounds = 60;
    const updates = maps.flatMap((map) => Array.from({ length: rounds }, () => map.update("hits", (hits = 0) => hits + 1)));
    await Promise.race(updates);
    await stage.killAndRestart();
    const results = await Promise.all(updates);
    assert.equal(await maps[0]?.get("hits"), 2 * rounds);
    assert.equal(new Set(results).size, 2 * rounds, "each saw its own");
  }));

test("a map: an update that gives nothing deletes, one that throws changes nothing, values expire", () =>
  withStage(async (_, instance) => {
    const map = instance("web-1.1").map<number>("m");
    await map.set("a", 1);
    await assert.rejects(
      map.update("a", () => {
        throw new Error("not today");
      }),
      /not today/,
    );
    assert.equal(await map.update("a", (value) => (value ?? 0) + 1), 2);
    assert.equal(await map.update("a", () => undefined), undefined);
    assert.equal(await map.has("a"), false);
    const brief = instance("web-2.1").map<number>("m", 30);
    await brief.set("b", 1);
    const untilMs = Date.now() + 30;
    while (Date.now() <= untilMs) await brief.size();
    assert.deepEqual([await brief.get("b"), await map.size()], [undefined, 0]);
    assert.equal(await map.update("b", (value = 5) => value), 5);
  }));

test("a hand-off: writes of maps are in both tallies, and refused once it was revoked", () =>
  withStage(async (stage, instance) => {
    const { client, state, map } = instance("web-1.1");
    await map("m").set("a", 1);
    await map("m").update("a", () => 2);
    await state.save();
    const { writes, checksum } = await client.flush();
    const revoked = await stage.revoke("web-1.1");
    assert.deepEqual([revoked.writes, revoked.checksum], [writes, checksum]);
    await assert.rejects(map("m").set("a", 3), /handed off/);
    assert.equal(await map("m").get("a"), 2);
  }));

test("a checkpoint: saved once for each cordon, given to the next process of the node alone, and gone with its first request", () =>
  withStage(async (_, instance) => {
    const old = instance("web-1.1");
    let saves = 0;
    assert.equal(
      await old.state.checkpoint(
        "game",
        async () => {
          saves += 1;
          return `{"round":${saves}}`;
        },
        async () => assert.fail("nothing to restore"),
      ),
      false,
    );
    assert.deepEqual(
      old.told.map(({ kind }) => kind),
      ["keeps-checkpoint", "notice"],
    );
    old.state.cordon(true);
    await Promise.all([old.state.save(), old.state.save()]);
    assert.equal(saves, 1);
    const restoredBy = async (id: string) => {
      const next = instance(id);
      const got: string[] = [];
      const restoring = next.state.checkpoint(
        "game",
        async () => "{}",
        async (text) => {
          assert.ok(next.state.isRestoring);
          got.push(text);
        },
      );
      await restoring;
      assert.deepEqual([next.state.isRestoring, next.restored()], [false, 1]);
      return { ...next, got };
    };
    assert.deepEqual((await restoredBy("web-2.1")).got, [], "it is not that node's");
    assert.deepEqual((await restoredBy("web-1.2")).got, ['{"round":1}']);
    const third = await restoredBy("web-1.3"); // the second died before its first request
    assert.deepEqual(third.got, ['{"round":1}']);
    third.state.firstRequest();
    third.state.cordon(true);
    await third.state.save(); // behind the removal
    third.state.cordon(false);
    third.state.cordon(true);
    third.state.cordon(false);
    await third.map("m").size(); // behind all of it
    assert.deepEqual((await restoredBy("web-1.4")).got, [], "it was given up, and served on");
  }));

test("a checkpoint that is set up after the first request is restored, and gone with that", () =>
  withStage(async (_, instance) => {
    const checkpoint = ({ state }: Instance, got: string[] = []) =>
      state.checkpoint(
        "c",
        async () => "1",
        async (text) => void got.push(text),
      );
    const old = instance("web-1.1");
    await checkpoint(old);
    old.state.cordon(true);
    await old.state.save();
    const next = instance("web-1.2");
    next.state.firstRequest();
    const got: string[] = [];
    assert.deepEqual([await checkpoint(next, got), got], [true, ["1"]]);
    const reader = instance("web-2.1").client;
    const read = async () => (await reader.call({ kind: "read", store: "checkpoint.", id: "web-1/c" })).answer.kind;
    for (const endMs = Date.now() + 60_000; (await read()) !== "absent"; ) assert.ok(Date.now() < endMs, "it stays");
  }));

test("a cordon hook that throws, at once or later, is told, and holds nobody up", () =>
  withStage(async (stage, instance) => {
    const { state, told } = instance("web-1.1");
    const called: string[] = [];
    state.onCordon(() => {
      throw new Error("at once");
    });
    state.onCordon(async () => {
      throw new Error("later");
    });
    state.onCordon((isCordoned) => called.push(String(isCordoned)));
    state.cordon(true);
    state.cordon(false);
    assert.deepEqual(called, ["true", "false"]);
    await stage.until(() => told.length === 4);
    assert.match(JSON.stringify(told), /onCordon hook failed: at once.*onCordon hook failed: later/);
  }));

test("a checkpoint that cannot be saved fails the hand-off; one that cannot be restored is told, and holds nobody up", () =>
  withStage(async (_, instance) => {
    const one = instance("web-1.1");
    let broken = true;
    await one.state.checkpoint(
      "c",
      async () => {
        if (broken) throw new Error("the disk is gone");
        return "1";
      },
      async () => {},
    );
    one.state.cordon(true);
    await assert.rejects(one.state.save(), /checkpoint "c" was not saved: the disk is gone/);
    one.state.cordon(false);
    broken = false;
    one.state.cordon(true);
    await one.state.save();
    const two = instance("web-1.2");
    await assert.rejects(
      two.state.checkpoint(
        "c",
        async () => "2",
        async () => {
          throw new Error("of another version");
        },
      ),
      /another version/,
    );
    assert.equal(two.restored(), 1);
    const [warning] = two.told.filter((message) => message.kind === "notice" && message.level === "warning");
    assert.match(JSON.stringify(warning), /not restored: of another version/);
    await assert.rejects(
      two.state.checkpoint(
        "c",
        async () => "2",
        async () => {},
      ),
      /there already/,
    );
  }));

test("a checkpoint of a node that serves on is removed, though the replicator hangs just then and dies", () =>
  withStage(async (stage, instance) => {
    const reader = instance("web-2.1").client;
    const read = async () => (await reader.call({ kind: "read", store: "checkpoint.", id: "web-1/c" })).answer.kind;
    assert.equal(await read(), "absent");
    const { state, map } = instance("web-1.1", 3_000);
    await state.checkpoint(
      "c",
      async () => "1",
      async () => {},
    );
    state.cordon(true);
    await state.save();
    stage.hang();
    state.cordon(false);
    await assert.rejects(map("m").size(), /did not answer/); // and so of the removal
    await stage.killAndRestart();
    for (const endMs = Date.now() + 60_000; (await read()) !== "absent"; ) assert.ok(Date.now() < endMs, "it stays");
    state.cordon(true);
    await state.save();
    assert.equal(await read(), "record", "the next one is saved behind it");
  }));
