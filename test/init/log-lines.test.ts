/** What is kept of a process's last lines, and what of it goes on into events and journal. */
import assert from "node:assert/strict";
import { PassThrough, type Readable, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { test } from "node:test";
import { Log } from "../../src/init/log.ts";
import { LogLines } from "../../src/init/log-lines.ts";

async function readAll(pieces: readonly string[]): Promise<{ printed: string; tail: readonly string[] }> {
  let printed = "";
  const output = new Writable({
    write: (chunk, _encoding, done) => {
      printed += chunk;
      done();
    },
  });
  const lines = new LogLines(new Log({ stdout: output, stderr: output, format: "text" }), "web-1", "stderr");
  const from: Readable & Writable = new PassThrough();
  lines.read(from);
  for (const piece of pieces) from.write(piece);
  from.end();
  await finished(from);
  return { printed, tail: lines.tail };
}

test("last lines: a bundle's one line of megabytes is cut, counts as one, and what Node says after it is there", async () => {
  const bundle = `!function(){${"x".repeat(3_000_000)}}()`;
  const { printed, tail } = await readAll(["/app/main.js:1\n", bundle, "\n      ^\n\nError: no more\n", "    at main.js:1:2,999,999\n"]);
  assert.deepEqual(
    tail.map((line) => line.slice(0, 14)),
    ["/app/main.js:1", "!function(){xx", "      ^", "", "Error: no more", "    at main.js"],
  );
  assert.ok(tail.every((line) => line.length <= 1_001));
  assert.equal(printed.replaceAll(/\n?web-1 \| /g, "").includes(bundle), true, "the log has all of it");
});

test("last lines: forty are kept, the last without its end too", async () => {
  const { tail } = await readAll([Array.from({ length: 100 }, (_, at) => `line ${at}\n`).join(""), "and no", " more"]);
  assert.deepEqual([tail.length, tail[0], tail.at(-1)], [40, "line 61", "and no more"]);
});
