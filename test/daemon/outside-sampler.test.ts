/** What /proc says of a process, beside what the process and the system say themselves. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { pageBytes, readProcess, readTree } from "../../src/daemon/outside-sampler.ts";
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
  const { indicators, limits } = readTree(pid) ?? assert.fail();
  const first = readProcess(pid) ?? assert.fail();
  assert.equal(limits["openFds"], 60);
  assert.ok((indicators["openFds"] ?? 0) >= (first.indicators["openFds"] ?? 0) + 3);
  assert.ok((indicators["rssBytes"] ?? 0) > (first.indicators["rssBytes"] ?? 0));
});

test("from outside: a tree's time of the processor does not fall when a worker ends", { timeout: 60_000 }, async () => {
  const worker = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo; read line";
  const { pid, goOn } = await shell(`sh -c '${worker}'; echo; read line`);
  const before = readTree(pid)?.cpuTicks ?? 0;
  assert.ok(before >= 5, `${before} ticks`);
  await goOn();
  assert.equal(childrenOf(pid).length, 0);
  assert.ok((readTree(pid)?.cpuTicks ?? 0) >= before);
});
