/** Settings: defaults stand, text is read, and what is wrong is named with what is accepted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { numberSettings } from "../../src/config/declarations.ts";
import { defaultSettings } from "../../src/config/declared.ts";
import { parseSettings } from "../../src/config/settings.ts";
import { CoppiceError } from "../../src/model/errors.ts";

test("settings: nothing given is the defaults, and every default lies in its own range", () => {
  assert.deepEqual(parseSettings({}), defaultSettings);
  for (const [key, { min, max, default: value }] of Object.entries(numberSettings)) assert.ok(value >= min && value <= max, key);
});

test("settings: text from a command line and values from a file mean the same", () => {
  const text = parseSettings({ drainTimeoutMs: "60_000", replaceSessionStore: "false", affinityCookies: "a, b", mode: "observe" });
  const values = parseSettings({ drainTimeoutMs: 60_000, replaceSessionStore: false, affinityCookies: ["a", "b"], mode: "observe" });
  assert.deepEqual(text, values);
  assert.equal(text.drainTimeoutMs, 60_000);
});

test("settings: each mistake names key, value and what is accepted", () => {
  const mistakes: [Record<string, unknown>, RegExp][] = [
    [{ drainTimeoutMs: "5s" }, /drainTimeoutMs is "5s"; accepted is a whole number from 0 to \d+ milliseconds/],
    [{ drainTimeoutMs: -1 }, /-1/],
    [{ parkedMax: 1.5 }, /1\.5/],
    [{ sampleIntervalMs: 1 }, /from 50/],
    [{ mode: "always" }, /automatic or supervised or observe/],
    [{ replaceSessionStore: "yes" }, /true or false/],
    [{ affinityCookies: ["a b"] }, /names of cookies/],
    [{ trustProxy: "10.0.0.0/8,300.1.1.1" }, /addresses or networks/],
    [{ trustProxy: ["1:2:3"] }, /addresses or networks/],
    [{ watermarks: "rssBytes:0" }, /indicators with a level/],
    [{ watermarks: "residentBytes:5" }, /indicators with a level/],
    [{ watermarks: "constructor:5" }, /indicators with a level/],
    [{ maintenanceWindows: "2-5" }, /maintenanceWindows is "2-5"; accepted is times of the week/],
    [{ forbiddenTimes: ["Mon 08:00"] }, /times of the week/],
    [{ draintimeoutms: 5 }, /did you mean "drainTimeoutMs"/],
    [{ drainTimoutMs: 5 }, /did you mean "drainTimeoutMs"/],
    [{ timeoutMs: 5 }, /"timeoutMs"; known are: .*drainTimeoutMs, killTimeoutMs/],
    [{ nonsense: 1 }, /known are/],
    [{ constructor: 1 }, /there is no setting "constructor"/],
  ];
  for (const [given, message] of mistakes) {
    assert.throws(
      () => parseSettings(given),
      (error) => error instanceof CoppiceError && error.code === "COPPICE_SETTING" && message.test(error.message),
    );
  }
});
