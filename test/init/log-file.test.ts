/** The log file of a cluster in the background. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { LogFile, logFilesKept, rotatedName } from "../../src/init/log-file.ts";
import { notRoot, SmallDisk } from "../small-disk.ts";

function end(log: LogFile): Promise<void> {
  return new Promise((resolve) => log.end(resolve));
}

test("log file: rotates by size, keeps so many, loses no line of those it keeps", async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-log-"));
  const path = join(directory, "x.log");
  const log = new LogFile(path, { fileBytesMax: 1_000 });
  for (let line = 0; line < 300; line += 1) log.write(`line ${String(line).padStart(14, "0")}\n`);
  await end(log);
  assert.equal(readdirSync(directory).length, logFilesKept);
  const ages = Array.from({ length: logFilesKept }, (_, age) => readFileSync(rotatedName(path, age), "utf8"));
  assert.ok(ages.every((content) => content.length <= 1_000));
  const kept = ages.reverse().join("").trimEnd().split("\n");
  const expected = Array.from({ length: 300 }, (_, line) => `line ${String(line).padStart(14, "0")}`);
  assert.deepEqual(kept, expected.slice(-kept.length));
  rmSync(directory, { recursive: true });
});

test("log file: goes on where an earlier one ended; a place that cannot be written loses lines and nothing else", async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-log-"));
  const path = join(directory, "x.log");
  for (const word of ["first", "second"]) {
    const log = new LogFile(path);
    log.write(`${word}\n`);
    await end(log);
  }
  assert.equal(readFileSync(path, "utf8"), "first\nsecond\n");
  const lost = new LogFile(join(directory, "missing", "x.log"));
  lost.write("nobody reads this\n");
  await end(lost);
  rmSync(directory, { recursive: true });
});

test("log file: one that was moved away or deleted is begun anew", async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-log-"));
  const path = join(directory, "x.log");
  const log = new LogFile(path, { fileBytesMax: 1_000, lookMs: 0 });
  const write = (text: string) => new Promise((resolve) => log.write(text, resolve));
  await write("first\n");
  renameSync(path, `${path}.moved`);
  await write("second\n");
  assert.equal(readFileSync(path, "utf8"), "second\n");
  rmSync(path);
  await write("third\n");
  await end(log);
  assert.equal(readFileSync(path, "utf8"), "third\n");
  assert.equal(readFileSync(`${path}.moved`, "utf8"), "first\n");
  rmSync(directory, { recursive: true });
});

test("log file: one that was emptied where it is (`copytruncate`) has all of its room again", async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-log-"));
  const path = join(directory, "x.log");
  const log = new LogFile(path, { fileBytesMax: 1_000, lookMs: 0 });
  const write = (text: string) => new Promise((resolve) => log.write(text, resolve));
  await write("a".repeat(900));
  truncateSync(path);
  await write("b".repeat(900));
  await end(log);
  assert.deepEqual(readdirSync(directory), ["x.log"]);
  assert.equal(readFileSync(path, "utf8"), "b".repeat(900));
  rmSync(directory, { recursive: true });
});

test("log file: what a full disk lost is said on a line of its own, in the format of the others", { skip: notRoot }, async () => {
  const disk = await SmallDisk.mount(1);
  const path = join(disk.path, "x.log");
  const log = new LogFile(path, { format: "json" });
  const write = (text: string) => new Promise((resolve) => log.write(`${JSON.stringify({ text })}\n`, resolve));
  await write("before");
  disk.fill();
  truncateSync(join(disk.path, "fill"), statSync(join(disk.path, "fill")).size - 8_192);
  await write("x".repeat(100_000)); // a part of it fits
  await write("y".repeat(100_000));
  disk.empty();
  await write("after");
  await end(log);
  const [before, torn = "", said = "{}", after, ...more] = readFileSync(path, "utf8").split("\n");
  assert.deepEqual([before, after, more], ['{"text":"before"}', '{"text":"after"}', [""]]);
  assert.match(torn, /^\{"text":"x+$/);
  const { source, stream, text } = JSON.parse(said) as Record<string, unknown>;
  assert.deepEqual([source, stream, text], ["coppice", "stderr", "2 pieces of the log could not be written"]);
});
