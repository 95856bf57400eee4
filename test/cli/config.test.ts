/** `coppice config` as people read it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeSettings } from "../../src/cli/config.ts";
import { defaultSettings, settingsInForce } from "../../src/config/declared.ts";
import { parseSettings } from "../../src/config/settings.ts";

test("config: each setting with its value, its unit, whether it was set, and when a change acts", () => {
  const inForce = parseSettings({ drainTimeoutMs: "60_000", affinityCookies: "", forbiddenTimes: "Mon-Fri 08:00-18:00,Sat 10:00-12:00" });
  const lines = describeSettings({ settings: settingsInForce(inForce, defaultSettings) }).split("\n");
  const cells = (name: string) => lines.find((line) => line.startsWith(`${name} `))?.split(/ {2,}/);
  assert.deepEqual(cells("drainTimeoutMs"), ["drainTimeoutMs", "60000", "ms", "set (default 30000)", "at once"]);
  assert.deepEqual(cells("saveBytesMax"), ["saveBytesMax", "268435456", "bytes", "default", "at once"]);
  assert.deepEqual(cells("replaceSessionStore"), ["replaceSessionStore", "true", "default", "for each instance started from now on"]);
  assert.deepEqual(cells("proxyProtocol")?.at(-1), "at the next start of the cluster");
  assert.deepEqual(cells("affinityCookies"), ["affinityCookies", "-", "set (default connect.sid,sessionId,sid)", "at once"]);
  assert.deepEqual(cells("forbiddenTimes")?.slice(1, 3), ["Mon-Fri 08:00-18:00,Sat 10:00-12:00", "set (default -)"]);
  assert.equal(lines.length, Object.keys(defaultSettings).length + 2);
});
