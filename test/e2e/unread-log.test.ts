/** What nodes print, where it is read slowly or not at all. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { TestCluster } from "./cluster.ts";

const mebibyte = 1024 * 1024;
const lineBytes = 1024;

/** `POST /?first=…&lines=…` prints numbered lines as fast as they are taken, and answers when the last one is. */
const printer = `
require("node:http").createServer(async (request, response) => {
  const query = new URL(request.url, "http://x").searchParams;
  const end = Number(query.get("first")) + Number(query.get("lines"));
  for (let at = Number(query.get("first")); at < end; at += 1)
    if (!process.stdout.write(\`line \${at} \`.padEnd(${lineBytes - 1}, "x") + "\\n")) await new Promise((taken) => process.stdout.once("drain", taken));
  process.stdout.write("", () => response.end("printed"));
}).listen(Number(process.env.APP_PORT));
`;

function residentBytes(pid: number | undefined): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

test("a log that is read as it comes loses nothing; one that nobody reads holds up no node and fills no memory", {
  timeout: 300_000,
}, async () => {
  const place = mkdtempSync(join(tmpdir(), "coppice-app-"));
  const script = join(place, "printer.cjs");
  writeFileSync(script, printer);
  const cluster = await TestCluster.start({ script, nodes: 1 });
  const print = async (first: number, lines: number) => {
    const answer = await fetch(`http://127.0.0.1:${cluster.port}/?first=${first}&lines=${lines}`, { method: "POST" });
    assert.equal(await answer.text(), "printed");
  };
  await print(0, 4_000);
  await cluster.until("all is read", () => cluster.output.includes("line 3999 "));
  assert.equal(cluster.output.match(/^web-1 \| line \d+ x+$/gm)?.length, 4_000);

  cluster.process.stdout?.pause();
  const beforeBytes = residentBytes(cluster.process.pid);
  await print(4_000, 100_000);
  const grownBytes = residentBytes(cluster.process.pid) - beforeBytes;
  assert.ok(grownBytes < 50 * mebibyte, `init grew by ${(grownBytes / mebibyte).toFixed(0)} MiB`);

  cluster.output = "";
  cluster.process.stdout?.resume();
  await cluster.until("what was lost is said", () => /coppice \| \d+ lines of the log could not be written/.test(cluster.output));
  await print(900_000, 1);
  await cluster.until("it is written again", () => cluster.output.includes("line 900000 "));
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(place, { recursive: true });
});
