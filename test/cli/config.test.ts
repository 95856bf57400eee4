/** `coppice config` as people read it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeChange, describeSettings } from "../../src/cli/config.ts";
import { changesOf } from "../../src/config/changes.ts";
import { defaultSettings, settingsInForce } from "../../src/config/declared.ts";
import { parseSettings } from "../../src/config/settings.ts";

test("config: each setting with its value, its unit, whether it was set, and when a change acts", () => {
  const inForce = parseSettings({ drainTimeoutMs: "60_000", affinityCookies: "", forbiddenTimes: "Mon-Fri 08:00-18:00,Sat 10:00-12:00" });
  const lines = describeSettings({ settings: settingsInForce(inForce, defaultSettings) }).split("\n");
  const cells = (name: string) => lines.find((line) => line.startsWith(`${name} `))?.split(/ {2,}/);
  assert.deepEqual(cells("drainTimeoutMs"), ["drainTimeoutMs", "60000", "ms", "set (default 30000)", "at once"]);
  assert.deepEqual(cells("saveBytesMax"), ["saveBytesMax", "268435456", "bytes", "default", "at once"]);
  assert.deepEqual(cells("quietMs"), ["quietMs", "100", "ms", "default", "for each instance started from now on"]);
  assert.deepEqual(cells("mode"), ["mode", "automatic", "default", "at once"]);
  assert.deepEqual(cells("proxyProtocol")?.at(-1), "at the next start of the cluster");
  assert.deepEqual(cells("affinityCookies"), ["affinityCookies", "-", "set (default connect.sid,sessionId,sid)", "at once"]);
  assert.deepEqual(cells("forbiddenTimes")?.slice(1, 3), ["Mon-Fri 08:00-18:00,Sat 10:00-12:00", "set (default -)"]);
  assert.equal(lines.length, Object.keys(defaultSettings).length + 2);
});

test("config set: what changed, when each acts, and how the next start has it; or why it is not in force", () => {
  const changes = changesOf(defaultSettings, {
    quietMs: 200,
    affinityCookies: "",
    watermarks: "rssBytes:500000000",
    forbiddenTimes: "Sat 10:00-12:00",
  });
  const said = describeChange({ changes, inForce: true }, false).split("\n");
  assert.deepEqual(said, [
    "quietMs: 100 -> 200 ms, for each instance started from now on",
    "affinityCookies: connect.sid,sessionId,sid -> -, at once",
    "forbiddenTimes: - -> Sat 10:00-12:00, at once",
    "watermarks: - -> rssBytes:500000000, at once",
    "until the cluster ends; to start it so the next time: --set quietMs=200 --set affinityCookies= --set forbiddenTimes='Sat 10:00-12:00' --set watermarks=rssBytes:500000000",
    "",
  ]);
  assert.match(describeChange({ changes, inForce: false }, false), /^not in force yet: the journal cannot be written/m);
  assert.match(describeChange({ changes, inForce: false }, true), /^a dry run: nothing was changed$/m);
  assert.equal(describeChange({ changes: [], inForce: true }, false), "nothing changes: it is so already\n");
});
