/** What `coppice run` decides before anything starts. */
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { specificationOf } from "../../src/cli/run.ts";

const script = fileURLToPath(new URL("../e2e/fixtures/plain-app.mjs", import.meta.url));
const mebibyte = 1024 * 1024;

test("run: saved bodies take a twentieth of a small memory, 256 MiB of a large one, and what is set where it is set", () => {
  const saved = (set: Record<string, string>) =>
    specificationOf(script, [], { name: "t", set, tlsCert: [], tlsKey: [], logFormat: "text" }).settings.saveBytesMax;
  assert.equal(saved({ memoryLimitBytes: String(512 * mebibyte) }), Math.floor(25.6 * mebibyte));
  assert.equal(saved({ memoryLimitBytes: String(64 * 1024 * mebibyte) }), 256 * mebibyte);
  assert.equal(saved({ memoryLimitBytes: String(512 * mebibyte), saveBytesMax: "1000000000" }), 1_000_000_000);
});

test("run: an access log in a directory that is not there is refused at once; one that is told lies where it was told from", () => {
  const accessLog = (given: string) =>
    specificationOf(script, [], { name: "t", set: {}, tlsCert: [], tlsKey: [], logFormat: "text", accessLog: given }).accessLog;
  assert.throws(() => accessLog("nowhere/access.log"), {
    code: "COPPICE_ARGUMENT",
    message: /--access-log nowhere\/access\.log: there is no directory/,
  });
  assert.equal(accessLog("access.log"), resolve("access.log"));
  assert.equal(accessLog("-"), "-");
});
