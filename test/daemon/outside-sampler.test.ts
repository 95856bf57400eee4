/** What /proc says of a process, beside what the process and the system say themselves. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { ProcessTree, pageBytes, readProcess } from "../../src/daemon/outside-sampler.ts";
import { childrenOf } from "../../src/link/process-stat.ts";
import { endAfterTest } from "../left-open.ts";

test("from outside: resident memory is what the process itself sees, in this machine's pages", () => {
  assert.equal(pageBytes, Number(execFileSync("getconf", ["PAGESIZE"], { encoding: "utf8" })));
  const seen = readProcess(process.pid)?.indicators["rssBytes"] ?? 0;
  const own = process.memoryUsage.rss();
  assert.ok(Math.abs(seen / own - 1) < 0.1, `${seen} from outside, ${own} from inside`);
});

test("from outside: a process has the children of all its threads", { timeout: 60_000 }, async () => {
  const code = `
    const { spawn } = require("node:child_process");
    const { parentPort } = require("node:worker_threads");
    const child = spawn("cat"); // until its input ends
    child.on("close", () => parentPort.close());
    parentPort.on("message", () => child.stdin.end());
    parentPort.postMessage(child.pid);`;
  const worker = new Worker(code, { eval: true });
  const ended = endAfterTest(() => worker.terminate());
  const [pid] = await once(worker, "message");
  assert.ok(childrenOf(process.pid).includes(pid));
  worker.postMessage("end");
  await once(worker, "exit");
  ended();
  assert.ok(!childrenOf(process.pid).includes(pid));
});

/** A shell that has said its first line: its pid, and what sends it one and waits for the next. */
async function shell(script: string): Promise<{ pid: number; goOn: () => Promise<unknown> }> {
  const child = spawn("/bin/sh", ["-c", script], { stdio: ["pipe", "pipe", "inherit"] });
  endAfterTest(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  const goOn = () => {
    child.stdin.write("\n");
    return once(child.stdout, "data");
  };
  return { pid: child.pid ?? assert.fail(), goOn };
}

test("from outside: a tree's descriptors are its fullest process's, against that one's own limit", { timeout: 60_000 }, async () => {
  // As nginx's workers with worker_rlimit_nofile: more open than in the first process, and many more allowed.
  const { pid } = await shell("ulimit -Sn 50; (ulimit -Sn 60; exec 5</dev/null 6</dev/null 7</dev/null; echo; read line); true");
  const { indicators, limits } = new ProcessTree(pid).read() ?? assert.fail();
  const first = readProcess(pid) ?? assert.fail();
  assert.equal(limits["openFds"], 60);
  assert.ok((indicators["openFds"] ?? 0) >= (first.indicators["openFds"] ?? 0) + 3);
  assert.ok((indicators["rssBytes"] ?? 0) > (first.indicators["rssBytes"] ?? 0));
});

test("from outside: what workers have from a fork counts once in a tree, what they write of it in each", { timeout: 60_000 }, async () => {
  const mebibyte = 1024 * 1024;
  // As a server does that loads its application before it forks (gunicorn --preload).
  const code = `
import os, sys
data = bytearray(os.urandom(1)) * (64 * ${mebibyte})
children = []
for _ in range(3):
    ready, write = os.pipe()
    if os.fork() == 0:
        data[: 8 * ${mebibyte}] = bytes([7]) * (8 * ${mebibyte})
        os.write(write, b".")
        sys.stdin.read()
        os._exit(0)
    os.read(ready, 1)
print("ready", flush=True)
sys.stdin.read()`;
  const child = spawn("python3", ["-c", code], { stdio: ["pipe", "pipe", "inherit"] });
  endAfterTest(() => child.stdin.end());
  await once(child.stdout, "data");
  const { indicators } = new ProcessTree(child.pid ?? assert.fail()).read() ?? assert.fail();
  const ofFiles = 4 * 16;
  const mebibytes = (indicators["rssBytes"] ?? 0) / mebibyte;
  assert.ok(mebibytes > 64 + 3 * 8 && mebibytes < 64 + 3 * 8 + ofFiles, `${mebibytes} MiB`);
});

test("from outside: a tree's time of the processor does not fall when a worker ends", { timeout: 60_000 }, async () => {
  const worker = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo; read line";
  const { pid, goOn } = await shell(`sh -c '${worker}'; echo; read line`);
  const before = new ProcessTree(pid).read()?.cpuTicks ?? 0;
  assert.ok(before >= 5, `${before} ticks`);
  await goOn();
  assert.equal(childrenOf(pid).length, 0);
  assert.ok((new ProcessTree(pid).read()?.cpuTicks ?? 0) >= before);
});

test("from outside: what was common to a tree and was given back is not taken from the rest", { timeout: 60_000 }, async () => {
  // As a PHP that throws its compiled scripts away: the same processes, and none of what they shared.
  const code = `
import mmap, os, sys
common = mmap.mmap(-1, 64 * 1024 * 1024)
common.write(bytes([7]) * len(common))
pipes = [os.pipe() + os.pipe() for _ in range(3)]
for (asked, ask, done, tell) in pipes:
    if os.fork() == 0:
        sum(common[0 :: 4096])
        os.write(tell, b".")
        os.read(asked, 1)
        common.close()
        os.write(tell, b".")
        sys.stdin.read()
        os._exit(0)
    os.read(done, 1)
os.write(1, b"ready")
sys.stdin.readline()
common.close()
for (asked, ask, done, tell) in pipes:
    os.write(ask, b".")
    os.read(done, 1)
os.write(1, b"given back")
sys.stdin.read()`;
  const child = spawn("python3", ["-c", code], { stdio: ["pipe", "pipe", "inherit"] });
  endAfterTest(() => child.stdin.end());
  await once(child.stdout, "data");
  const tree = new ProcessTree(child.pid ?? assert.fail());
  const common = tree.read()?.indicators["rssBytes"] ?? 0;
  child.stdin.write("\n");
  await once(child.stdout, "data");
  const rest = tree.read()?.indicators["rssBytes"] ?? 0;
  assert.ok(rest > 8 * 1024 * 1024 && rest < common, `${common} bytes, then ${rest}`);
});
