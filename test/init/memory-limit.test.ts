/** Whose limit counts: control groups of both versions, as the kernel shows them inside and outside of containers. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { memoryLimitBytes } from "../../src/init/memory-limit.ts";

const mebibyte = 1024 * 1024;

function limitWith(files: Readonly<Record<string, string>>): number {
  const root = mkdtempSync(join(tmpdir(), "coppice-groups-"));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${content}\n`);
  }
  const limit = memoryLimitBytes(root);
  rmSync(root, { recursive: true });
  return limit;
}

test("memory limit: version 2, in a container that sees its own group as the root", () => {
  assert.equal(limitWith({ "proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": String(512 * mebibyte) }), 512 * mebibyte);
});

test("memory limit: version 2, the least of the groups above counts, `max` is none, memory.high is one", () => {
  const group = "sys/fs/cgroup/system.slice/shop.service";
  const files = {
    "proc/self/cgroup": "0::/system.slice/shop.service",
    [`${group}/memory.max`]: "max",
    [`${group}/memory.high`]: String(300 * mebibyte),
    "sys/fs/cgroup/system.slice/memory.max": String(400 * mebibyte),
  };
  assert.equal(limitWith(files), 300 * mebibyte);
  assert.equal(limitWith({ ...files, [`${group}/memory.high`]: "max" }), 400 * mebibyte);
});

test("memory limit: version 1, beside other controllers, in a container whose own path is not visible", () => {
  const files = {
    "proc/self/cgroup": "11:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n1:name=systemd:/docker/abc\n0::/",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": String(256 * mebibyte),
    "sys/fs/cgroup/cpu,cpuacct/memory.limit_in_bytes": "1",
  };
  assert.equal(limitWith(files), 256 * mebibyte);
  const nested = { ...files, "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": String(128 * mebibyte) };
  assert.equal(limitWith(nested), 128 * mebibyte);
});

test("memory limit: a group whose name holds colons", () => {
  const path = "system.slice:docker:abc";
  const files = { "proc/self/cgroup": `0::/${path}`, [`sys/fs/cgroup/${path}/memory.max`]: String(256 * mebibyte) };
  assert.equal(limitWith(files), 256 * mebibyte);
});

test("memory limit: none of a group's (version 1 says so by a huge number), or no groups at all: the machine's", () => {
  const unlimited = { "proc/self/cgroup": "4:memory:/", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712" };
  assert.equal(limitWith(unlimited), totalmem());
  assert.equal(limitWith({}), totalmem());
});
