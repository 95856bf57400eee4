/** Who lives, also where there is no /proc to say so. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { isAlive, startTicksOf } from "../../src/init/process-identity.ts";

const room = new URL("../../src/init/process-identity.ts", import.meta.url).href;
/** Above the kernel's highest: no process has it. */
const gonePid = 2 ** 22 + 1;

test("a process is its pid and when it started", () => {
  const startTicks = startTicksOf(process.pid) ?? assert.fail();
  assert.ok(isAlive(process.pid, startTicks));
  assert.ok(!isAlive(process.pid, startTicks + 1), "another one had this pid");
  assert.ok(!isAlive(gonePid, startTicks));
});

test("without /proc a process is its pid", {
  timeout: 60_000,
  skip: process.getuid?.() === 0 ? false : "only root can make namespaces here",
}, () => {
  const code = `import { isAlive, startTicksOf } from ${JSON.stringify(room)};
    console.log(startTicksOf(process.pid), isAlive(process.pid, 0), isAlive(${gonePid}, 0), isAlive(0, 0));`;
  const bare = ["--mount", "sh", "-c", 'mount -t tmpfs tmpfs /proc && exec "$@"', "sh"];
  const said = execFileSync("unshare", [...bare, process.execPath, "--input-type=module", "-e", code], { encoding: "utf8" });
  assert.equal(said.trim(), "null true false false", "and nobody's, as of a torn file, is nobody");
});
