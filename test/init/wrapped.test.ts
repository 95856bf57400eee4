/** The `node` that the tree of a command finds first. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { wrappedEnvironment } from "../../src/init/wrapped.ts";
import { notRoot, SmallDisk } from "../small-disk.ts";

test("wrapped: where COPPICE_HOME's file system runs no programs, as a container's /dev/shm, the Node of --node is found first all the same", {
  skip: notRoot,
}, async () => {
  const place = mkdtempSync(join(tmpdir(), "coppice-node-"));
  const nodePath = join(place, "node-18");
  writeFileSync(nodePath, "#!/bin/sh\necho the named one\n", { mode: 0o755 });
  for (const options of ["exec", "noexec"]) {
    const { path: directory } = await SmallDisk.mount(1, options);
    const wrapping = { instance: "web-1.1", nodePath, probePath: "/probe.js", directory, listenDirectory: directory, heapLimitBytes: null };
    const env = wrappedEnvironment({ PATH: process.env["PATH"] }, wrapping);
    const { stdout } = spawnSync("sh", ["-c", "node"], { env, encoding: "utf8" });
    assert.equal(stdout, "the named one\n", options);
    renameSync(nodePath, `${nodePath}-away`);
    wrappedEnvironment({}, wrapping);
    assert.equal(existsSync(nodePath), false, "nothing is written where it was");
    renameSync(`${nodePath}-away`, nodePath);
  }
  rmSync(place, { recursive: true });
});
