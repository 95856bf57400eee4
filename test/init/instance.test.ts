/** The stop ladder of one instance, with real processes. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { test } from "node:test";
import { Instance, type InstanceExit, type InstanceOptions } from "../../src/init/instance.ts";
import { Log } from "../../src/init/log.ts";
import type { InstanceBirth } from "../../src/model/birth.ts";
import { endAfterTest } from "../left-open.ts";

/** A command that hears SIGTERM, says so and stays. */
const stays = 'trap "echo no" TERM; echo here; while :; do sleep 0.05; done';

test("stop: a second one with less grace shortens what is under way, one with more does not lengthen it", { timeout: 60_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-instance-"));
  const script = join(directory, "stays");
  writeFileSync(script, `#!/bin/sh\n${stays}\n`, { mode: 0o755 });
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
    nodeArguments: [],
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
  const no = hears("no");
  instance.stop("SIGTERM", 600_000);
  await no;
  instance.stop("SIGTERM", 10);
  instance.stop("SIGTERM", 600_000);
  assert.equal((await exited).signal, "SIGKILL");
  rmSync(directory, { recursive: true });
});
