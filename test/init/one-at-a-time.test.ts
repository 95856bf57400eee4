/** The lock of a dead owner, found by several at once: a named pipe in its place stops a process exactly where it reads whose it is. */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { constants, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { startTicksOf } from "../../src/init/process-identity.ts";
import { endAfterTest } from "../left-open.ts";

const timeout = 180_000;
const module = new URL("../../src/init/one-at-a-time.ts", import.meta.url).href;

/** Of a process that is no more. */
function dead(): { readonly text: string; readonly name: string } {
  const { pid } = spawnSync("true");
  return { text: `${pid} 1`, name: `${pid}-1` };
}

interface Taker {
  readonly output: () => string;
  readonly closed: Promise<unknown>;
}

/** Takes the lock, says so, and ends. @param first a statement before that, with `lock`. */
function taker(lock: string, first = ""): Taker {
  const code = `
    const fs = await import("node:fs");
    const { oneAtATime } = await import(${JSON.stringify(module)});
    const lock = ${JSON.stringify(lock)};
    ${first}
    oneAtATime(lock, () => fs.writeSync(1, "mine"));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const ended = endAfterTest(() => child.kill("SIGKILL"));
  return { output: () => output, closed: once(child, "close").then(ended) };
}

/** The pipe's other end, once the taker waits to read it; until then it has no lock. */
async function asked(pipe: string, { output }: Taker): Promise<FileHandle> {
  for (;;) {
    assert.equal(output(), "", "it took a lock that another one had");
    try {
      return await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch {
      await nextTurn(); // nobody reads it yet
    }
  }
}

test("the lock of a dead owner is taken over, also where others died while they did so", { timeout }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-lock-"));
  const lock = join(directory, "l");
  const owner = dead();
  writeFileSync(lock, owner.text);
  writeFileSync(`${lock}.of-${owner.name}`, dead().text);
  const samePid = taker(lock, 'fs.linkSync(lock, [lock, process.pid].join("."));'); // one of its pid was killed when it had the lock
  await samePid.closed;
  assert.equal(samePid.output(), "mine");
  assert.deepEqual(readdirSync(directory), []);
  rmSync(directory, { recursive: true });
});

test("a lock that a loss of power tore is nobody's", { timeout }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-lock-"));
  const lock = join(directory, "l");
  for (const torn of ["", "\0".repeat(12), "1 x"]) {
    writeFileSync(lock, torn);
    const next = taker(lock);
    await next.closed;
    assert.equal(next.output(), "mine");
    assert.deepEqual(readdirSync(directory), []);
  }
  rmSync(directory, { recursive: true });
});

test("the lock of a dead owner: who has found it does not remove what another one has made in its place meanwhile", {
  timeout,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-lock-"));
  const lock = join(directory, "l");
  execFileSync("mkfifo", [lock, `${lock}.next`]);
  const slow = taker(lock);
  const first = await asked(lock, slow); // it looks whose the lock is,
  renameSync(`${lock}.next`, lock); // which we have taken over by now,
  await first.writeFile(dead().text); // and reads what was there before
  await first.close();
  const second = await asked(lock, slow); // so it must look again
  rmSync(lock); // we give it back
  await second.writeFile(`${process.pid} ${startTicksOf(process.pid)}`);
  await second.close();
  await slow.closed;
  assert.equal(slow.output(), "mine");
  assert.deepEqual(readdirSync(directory), []);
  rmSync(directory, { recursive: true });
});
