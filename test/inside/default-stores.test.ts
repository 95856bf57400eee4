/** Classes that are looked at and are no default store go on as without. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import util from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { findDefaultStores } from "../../src/inside/session/default-stores.ts";

test("a class that froze its prototype in the turn in which it called util.inherits: none of its objects is kept", async () => {
  findDefaultStores(() => assert.fail("it is no store"));
  function Shop(this: object): void {
    Object.assign(this, { store: "apples" });
  }
  util.inherits(Shop, EventEmitter);
  Object.freeze(Shop.prototype);
  await nextTurn();
  const open = () => Reflect.construct(Shop, []) as { readonly store: string }; // as it sets it
  assert.deepEqual(Object.entries(open()), [["store", "apples"]]);
  const closed = Array.from({ length: 100 }, () => new WeakRef(open()));
  await nextTurn(); // until then they are held
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)(); // V8's
  assert.equal(closed.filter((shop) => shop.deref() !== undefined).length, 0);
});
