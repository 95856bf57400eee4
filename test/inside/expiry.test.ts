/** When a session's record expires, by what its cookie says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { expiryOf, idleMsMax, isToBeTouched } from "../../src/inside/session/expiry.ts";

test("a session expires with its cookie, and where that ends with the browser, a day after its last request", () => {
  const nowMs = 1_000_000;
  for (const expires of [new Date(5_000_000), "1970-01-01T01:23:20.000Z"])
    assert.equal(expiryOf({ cookie: { expires } }, nowMs), 5_000_000);
  for (const expires of [undefined, null, false, "not a date", new Date(Number.NaN)])
    assert.equal(expiryOf({ cookie: { expires } }, nowMs), nowMs + idleMsMax);
  assert.equal(expiryOf({}, nowMs), nowMs + idleMsMax);
});

test("one that is read lives on, though its middleware saves it only when it was changed", () => {
  const browser = { cookie: { expires: null } };
  const untilMs = expiryOf(browser, 0);
  assert.equal(isToBeTouched(browser, untilMs, 1), false, "not at each request");
  assert.equal(isToBeTouched(browser, untilMs, idleMsMax * 0.6), true);
  assert.equal(isToBeTouched({ cookie: { expires: "1970-01-02" } }, untilMs, idleMsMax * 0.6), false, "its cookie's end is its end");
  assert.equal(isToBeTouched(browser, null, idleMsMax), false);
});
