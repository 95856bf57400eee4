/** Saves of express-session's session objects, in their order and out of it. In a process of its own: see express-stage.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expressStage, type LiveSession } from "./express-stage.ts";

test("saves of one session object that do not wait for each other: the last one's values stand; a session that was made anew is no late write", {
  timeout: 300_000,
}, async () => {
  const { stage, client, store, ask, save, load: loadOf } = await expressStage();
  const load = () => loadOf("a");
  const cookie = { originalMaxAge: 60_000, expires: new Date(Date.now() + 60_000).toISOString() };

  const fresh = { cookie, left: 0 };
  const first = ask("set", "a", fresh);
  fresh.left = 1;
  await Promise.all([first, ask("set", "a", fresh)]);
  fresh.left = 0;
  await ask("set", "a", fresh);
  assert.equal((await load()).left, 0);

  const session = await load();
  const other = await load();
  other.other = "kept";
  const saves = [];
  for (const left of [1, 0, 2, 0]) {
    session.left = left;
    saves.push(save(session));
    if (left === 2) saves.push(save(other));
  }
  await Promise.all(saves);
  const { left, other: kept } = await load();
  assert.deepEqual([left, kept], [0, "kept"]);
  session.left = 3;
  await save(session);
  session.left = 0;
  await save(session);
  assert.deepEqual([(await load()).left, (await load()).other], [0, "kept"]);

  // Of two that do not wait for each other the first one fails: what it was to change, the second one says too.
  const [mine, theirs] = [await load(), await load()];
  theirs.other = "theirs";
  await save(theirs);
  const call = client.call.bind(client);
  client.call = () => {
    client.call = call;
    return Promise.reject(new Error("no answer"));
  };
  mine.left = 9;
  const failed = assert.rejects(save(mine), /no answer/);
  mine.late = 1;
  await Promise.all([failed, save(mine)]);
  const { left: mended, other: kept2, late } = await load();
  assert.deepEqual([mended, kept2, late], [9, "theirs", 1]);

  // Where nobody answers the last one is not told so after as many deadlines as there are saves.
  let calls = 0;
  client.call = async () => {
    calls += 1;
    await nextTurn();
    throw new Error("no answer");
  };
  const unanswered = [4, 5, 6, 5].map((value) => {
    mine.left = value;
    return assert.rejects(save(mine), /no answer/);
  });
  await Promise.all(unanswered);
  client.call = call;
  assert.equal(calls, 2);
  await save(mine);
  assert.equal((await load()).left, 5);

  // As with `genid: () => "a"`: one identifier, and one session after the other.
  const request: { session?: LiveSession } = {};
  Object.assign(store, { generate: (made: { session?: object }) => Object.assign(made, { session: { cookie, left: 7 } }) });
  await ask("destroy", "a");
  await ask("set", "a", { cookie, left: 6 });
  await save(session);
  assert.equal(await ask("get", "a"), undefined, "what was made before its end is over");
  store["generate"]?.(request);
  await ask("set", "a", request.session);
  assert.equal((await load()).left, 7);
  await save(session);
  assert.equal((await load()).left, 7, "saved once more, it is of before all the same");
  await stage.close();
});
