/** What /proc says of a process, beside what the process and the system say themselves. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { pageBytes, readProcess } from "../../src/daemon/outside-sampler.ts";

test("from outside: resident memory is what the process itself sees, in this machine's pages", () => {
  assert.equal(pageBytes, Number(execFileSync("getconf", ["PAGESIZE"], { encoding: "utf8" })));
  const seen = readProcess(process.pid)?.indicators["rssBytes"] ?? 0;
  const own = process.memoryUsage.rss();
  assert.ok(Math.abs(seen / own - 1) < 0.1, `${seen} from outside, ${own} from inside`);
});
