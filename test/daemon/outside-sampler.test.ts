/** What /proc says of a process, beside what the process and the system say themselves. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { childrenOf, pageBytes, readProcess } from "../../src/daemon/outside-sampler.ts";
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
