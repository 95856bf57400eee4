/** The stop ladder of one instance, with real processes. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { test } from "node:test";
import { promisify } from "node:util";
import { Instance, type InstanceExit, type InstanceOptions } from "../../src/init/instance.ts";
import { Log } from "../../src/init/log.ts";
import { startTicksOf } from "../../src/init/process-identity.ts";
import { descendantsOf } from "../../src/link/process-stat.ts";
import type { InstanceBirth } from "../../src/model/birth.ts";
import { endAfterTest } from "../left-open.ts";
import { notRoot } from "../small-disk.ts";

interface Begun {
  readonly directory: string;
  readonly instance: Instance;
  readonly exited: Promise<InstanceExit>;
  /** Resolves with the next output that has this word in it. */
  readonly hears: (word: string) => Promise<void>;
}

/** A command that does what this shell script says; `here` is its first word. */
async function begin(text: string): Promise<Begun> {
  const directory = mkdtempSync(join(tmpdir(), "coppice-instance-"));
  endAfterTest(() => rmSync(directory, { recursive: true }));
  const script = join(directory, "command");
  writeFileSync(script, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  const said = new Map<string, () => void>();
  const output = new Writable({
    write: (chunk, _encoding, done) => {
      for (const [word, heard] of said) if (String(chunk).includes(word)) heard();
      done();
    },
  });
  const hears = (word: string) => new Promise<void>((resolve) => said.set(word, resolve));
  const here = hears("here");
  const { promise: exited, resolve: onExit } = Promise.withResolvers<InstanceExit>();
  const release = {
    id: "1",
    nodePath: process.execPath,
    kind: "command",
    script,
    arguments: [],
    workingDirectory: directory,
    environment: {},
    asTyped: { script, arguments: [], workingDirectory: directory },
  } satisfies InstanceOptions["order"]["release"];
  const order = { instance: "web-1.1", node: "web-1", nodeIndex: 0, generation: 1, release, heapLimitBytes: null };
  const birth = { instance: "web-1.1", node: "web-1", listenDirectory: directory, givenPort: null };
  const instance = new Instance({
    order: order as unknown as InstanceOptions["order"], // the settings are the probe's, and there is none
    birth: birth as unknown as InstanceBirth, // likewise
    directory,
    user: null,
    log: new Log({ stdout: output, stderr: output, format: "text" }),
    onStarted: () => {},
    onFailed: (reason) => assert.fail(reason),
    onExit,
  });
  endAfterTest(() => instance.stop("SIGKILL", 0));
  await here;
  return { directory, instance, exited, hears };
}

/** Hears SIGTERM, says so and stays. */
const stays = 'trap "echo no" TERM; echo here; while :; do sleep 0.05; done';

test("stop: a second one with less grace shortens what is under way, one with more does not lengthen it", { timeout: 60_000 }, async () => {
  const { instance, exited, hears } = await begin(stays);
  const no = hears("no");
  instance.stop("SIGTERM", 600_000);
  await no;
  instance.stop("SIGTERM", 10);
  instance.stop("SIGTERM", 600_000);
  assert.equal((await exited).signal, "SIGKILL");
});

test("stop: who of a command's tree has left its group (php-fpm, setsid) is told too, and has the grace", { timeout: 60_000 }, async () => {
  const stray = 'trap "sleep 0.3; echo told; exit" TERM; echo here; while :; do sleep 0.05; done';
  const { instance, exited, hears } = await begin(`setsid sh -c '${stray}' &\nexec sleep 600`);
  const told = hears("told");
  instance.stop("SIGTERM", 600_000);
  await told;
  assert.equal((await exited).signal, "SIGTERM");
});

test("stop: what closed all that it was given, as a daemon or what Python started, has the grace as well", {
  timeout: 60_000,
}, async () => {
  const closes = 'exec 4>&1 >/dev/null 2>&1 3>&-; trap "exec 4>&-; sleep 0.3; echo told > told; exit" TERM; echo here >&4; exec 4>&-';
  const { instance, exited, directory } = await begin(`sh -c '${closes}; while :; do sleep 0.05; done' &\nexec sleep 600`);
  instance.stop("SIGTERM", 600_000);
  await exited;
  assert.ok(readdirSync(directory).includes("told"));
});

test("stop: who has left its group and stays is ended after the grace", { timeout: 60_000 }, async () => {
  const { instance, exited } = await begin(`setsid sh -c '${stays}' &\necho $!\nexec sleep 600`);
  const [stray = 0] = descendantsOf(instance.pid);
  assert.ok(startTicksOf(stray) !== null);
  instance.stop("SIGTERM", 200);
  await exited;
  assert.equal(startTicksOf(stray), null);
});

test("stop: who has left its group and may not be signalled, as what sudo starts, is not waited for", {
  timeout: 60_000,
  skip: notRoot,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-instance-"));
  chmodSync(directory, 0o777);
  const source = (name: string) => JSON.stringify(import.meta.resolve(`../../src/init/${name}.ts`));
  // Root's tree is told to end by one who is root no more; the command ends by itself.
  const code = `
    import { Writable } from "node:stream";
    import { Instance } from ${source("instance")};
    import { Log } from ${source("log")};
    const directory = ${JSON.stringify(directory)};
    const command = "setsid sleep 60 & echo $!; exec sleep 0.5";
    const release = { kind: "command", nodePath: process.execPath, script: "/bin/sh", arguments: ["-c", command], workingDirectory: "/", environment: {} };
    const output = new Writable({
      write(line, _encoding, done) {
        console.log(String(line));
        process.setuid(54_321);
        instance.stop("SIGTERM", 100);
        done();
      },
    });
    const instance = new Instance({
      order: { instance: "web-1.1", node: "web-1", nodeIndex: 0, generation: 1, release, heapLimitBytes: null },
      birth: { instance: "web-1.1", node: "web-1", listenDirectory: directory, givenPort: null },
      directory,
      user: null,
      log: new Log({ stdout: output, stderr: output, format: "text" }),
      onStarted: () => {},
      onFailed: console.error,
      onExit: () => process.exit(),
    });
    setTimeout(() => process.exit(1), 20_000);`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", code]).finally(() =>
    rmSync(directory, { recursive: true }),
  );
  const stray = Number(/\d+$/m.exec(stdout)?.[0]);
  assert.ok(startTicksOf(stray) !== null);
  process.kill(stray, "SIGKILL");
});

test("stop: a group that is gone is signalled no more, though somebody else still holds the pipes: its number may be another's", {
  timeout: 60_000,
}, async ({ mock }) => {
  const { instance, exited } = await begin("(setsid sh -c 'echo here; exec sleep 1' &)\nexec sleep 600"); // once it has left the group
  const kill = mock.method(process, "kill").mock;
  instance.stop("SIGTERM", 200);
  await exited;
  const seenGone = kill.calls.findIndex(({ error }) => error !== undefined);
  assert.deepEqual(
    kill.calls.slice(seenGone + 1).map(({ arguments: signalled }) => signalled),
    [[-instance.pid, "SIGKILL"]],
  );
});

test("output: /dev/stdout and /dev/stderr can be opened by their names, as in a terminal or a container", { timeout: 60_000 }, async () => {
  const { exited } = await begin("echo here > /dev/stdout; echo words > /dev/stderr; exit 3");
  assert.deepEqual(await exited, { code: 3, signal: null, tail: ["words"] });
});
