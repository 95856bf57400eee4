/** The line that says where a long run is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ProgressLine } from "../../src/cli/progress-line.ts";

function linesOf(total: number, { terminal = true, resultSeen = false } = {}): string[] {
  const written: string[] = [];
  const line = new ProgressLine(total, { isTTY: terminal, write: (text) => written.push(text) }, { isTTY: resultSeen }, 0);
  for (let count = 1; count <= total; count += 1) line.done(count, count * 100);
  line.end();
  line.end();
  return written;
}

test("progress: twice a second where the run is, and nothing of it is left at the end", () => {
  assert.deepEqual(linesOf(12), ["\r\u001b[K5 of 12 files judged", "\r\u001b[K10 of 12 files judged", "\r\u001b[K"]);
});

test("progress: nothing where nobody looks, where the result is seen itself, for one file, and for a short run", () => {
  assert.deepEqual([linesOf(12, { terminal: false }), linesOf(12, { resultSeen: true }), linesOf(1), linesOf(4)], [[], [], [], []]);
});
