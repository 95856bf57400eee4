/** What a command's tree finds in its environment. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { wrappedEnvironment } from "../../src/init/wrapped.ts";

const mebibyte = 1024 * 1024;

test("a command's script that sets NODE_OPTIONS itself: its own heap limit stands, and the probe is loaded all the same", () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-wrapped-"));
  const probePath = join(directory, "probe.cjs");
  writeFileSync(probePath, "globalThis.probed = true;");
  const environment = wrappedEnvironment(process.env, {
    instance: "web-1.1",
    nodePath: process.execPath,
    probePath,
    directory,
    listenDirectory: directory,
    heapLimitBytes: 1_000 * mebibyte,
  });
  const limitOf = (script: string) => {
    const code = "console.log(probed, require('node:v8').getHeapStatistics().heap_size_limit)";
    const env = { ...environment, COPPICE_BIRTH_FD: "3", CODE: code };
    const [probed, bytes] = execFileSync("sh", ["-c", `${script} node -e "$CODE"`], { env, encoding: "utf8" }).split(" ");
    assert.equal(probed, "true");
    return Number(bytes) / mebibyte;
  };
  assert.ok(limitOf("") >= 1_000);
  assert.ok(limitOf("NODE_OPTIONS=--no-deprecation") >= 1_000);
  assert.ok(limitOf("NODE_OPTIONS=--max-old-space-size=300") < 500);
  assert.ok(limitOf('NODE_OPTIONS="$NODE_OPTIONS --max-old-space-size=300"') < 500);
  rmSync(directory, { recursive: true });
});
