/** A file of lines that a disk may refuse and an operator may move: real files, and a device that is always full. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { AppendedFile, keptLengthMax } from "../../src/forwarder/appended-file.ts";

interface Place {
  readonly path: string;
  readonly said: string[];
  readonly file: AppendedFile;
  /** Ticks until it holds. */
  readonly until: (holds: () => boolean) => Promise<void>;
}

async function withFile(name: string, body: (place: Place) => Promise<void>, prepare: (path: string) => void = () => {}): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "coppice-log-"));
  const path = join(directory, name);
  prepare(path);
  const said: string[] = [];
  const file = new AppendedFile(path, "the log", (text) => said.push(text));
  const until = async (holds: () => boolean) => {
    const endMs = performance.now() + 30_000;
    while (!holds()) {
      assert.ok(performance.now() < endMs, `not within 30 s: ${holds}; ${said.join("; ")}`);
      file.tick();
      await new Promise(setImmediate);
    }
  };
  try {
    await body({ path, said, file, until });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const read = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : "");

test("a file whose directory is not there: said once, lines are kept, and written when it is there", () =>
  withFile("not-yet/log", async ({ path, said, file, until }) => {
    for (let line = 0; line < 1_000; line += 1) file.write(`line ${line}\n`);
    for (let turn = 0; turn < 10; turn += 1) file.tick();
    assert.equal(said.length, 1);
    assert.match(said[0] ?? "", /^the log cannot be written: ENOENT/);
    mkdirSync(join(path, ".."));
    await until(() => said.length > 1);
    assert.equal(read(path), Array.from({ length: 1_000 }, (_, line) => `line ${line}\n`).join(""));
    assert.deepEqual(said.slice(1), ["the log is written again; 0 lines of it are lost"]);
  }));

test("a disk that is full: said once, lines are kept up to a bound, then counted; when there is room, it goes on", () =>
  withFile(
    "log",
    async ({ path, said, file, until }) => {
      const line = `${"x".repeat(1_023)}\n`;
      const most = 2 * (keptLengthMax / line.length); // a block that was not taken, and what came behind it
      for (let count = 0; count < 2 * most; count += 1) {
        file.write(line);
        if (count % 1_000 === 0) await until(() => said.length > 0);
      }
      assert.equal(said.length, 1);
      assert.match(said[0] ?? "", /^the log cannot be written: ENOSPC/);
      unlinkSync(path); // of the device's name
      await until(() => said.length === 2);
      file.write("the last\n");
      await until(() => read(path).endsWith("the last\n"));
      const written = (read(path).length - "the last\n".length) / line.length;
      const [, lost] = /(\d+) lines of it are lost$/.exec(said[1] ?? "") ?? [];
      assert.equal(written + Number(lost), 2 * most);
      assert.ok(written >= most / 2 && written <= most, `${written} lines were kept`);
    },
    (path) => symlinkSync("/dev/full", path),
  ));

test("moved away, and another made in its place, as logrotate does: lines go there, none is lost", () =>
  withFile("log", async ({ path, file, until }) => {
    file.write("first\n");
    await until(() => read(path) === "first\n");
    renameSync(path, `${path}.1`);
    writeFileSync(path, "");
    file.tick();
    file.write("second\n");
    await until(() => read(path) === "second\n");
    renameSync(path, `${path}.2`);
    await until(() => existsSync(path)); // a write that is under way yet keeps its file
    file.write("third\n");
    file.finish();
    assert.deepEqual([read(`${path}.1`), read(`${path}.2`), read(path)], ["first\n", "second\n", "third\n"]);
  }));

test("moved away while it is being written to: that tick is enough, when the write has ended", () =>
  withFile("log", async ({ path, file }) => {
    const line = `${"x".repeat(1_023)}\n`;
    for (let count = 0; count < 8; count += 1) file.write(line); // a block, which goes out at once
    renameSync(path, `${path}.1`);
    file.tick();
    const endMs = performance.now() + 30_000;
    while (!existsSync(path)) {
      assert.ok(performance.now() < endMs, "not begun anew within 30 s");
      await new Promise(setImmediate);
    }
  }));
