/** With what Coppice's own processes are started. */
import assert from "node:assert/strict";
import childProcess, { type ForkOptions } from "node:child_process";
import { syncBuiltinESMExports } from "node:module";
import { Writable } from "node:stream";
import { test } from "node:test";
import { Log } from "../../src/init/log.ts";
import { OwnProcess, type OwnProcessOptions } from "../../src/init/own-process.ts";
import { endAfterTest } from "../left-open.ts";

const gibibyte = 1024 ** 3;

test("own processes: where memory is scarce V8 makes the monitor's code for size, else for speed; NODE_OPTIONS are the server's", async ({
  mock,
}) => {
  const started: ForkOptions[] = [];
  const fork = mock.method(childProcess, "fork", (_main: string, _args: string[], options: ForkOptions) => {
    started.push(options);
    throw new Error("it is enough to know how");
  });
  syncBuiltinESMExports();
  endAfterTest(() => {
    fork.mock.restore();
    syncBuiltinESMExports();
  });
  process.env["NODE_OPTIONS"] = "--inspect";
  endAfterTest(() => delete process.env["NODE_OPTIONS"]);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  for (const memory of [{ limitBytes: gibibyte }, { limitBytes: 4 * gibibyte }, null]) {
    const own = new OwnProcess({
      welcome: { role: "monitor", id: "monitor", spec: { memory } } as unknown as OwnProcessOptions["welcome"], // what decides it
      log: new Log({ stdout: nowhere, stderr: nowhere, format: "text" }),
      user: null,
      onMessage: () => {},
      onStarted: () => {},
    });
    await own.finish(null, 0);
  }
  assert.deepEqual(
    started.map(({ execArgv }) => execArgv),
    [["--max-semi-space-size=1", "--optimize-for-size"], ["--max-semi-space-size=4"], ["--max-semi-space-size=4"]],
  );
  assert.deepEqual(
    started.map(({ env }) => env?.["NODE_OPTIONS"]),
    [undefined, undefined, undefined],
  );
});
