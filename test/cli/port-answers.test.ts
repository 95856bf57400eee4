/** Whether somebody answers at a port: the kernel alone does not count. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { silentPort } from "../../src/cli/port-answers.ts";
import { endAfterTest } from "../left-open.ts";

test("a port where the process hangs is silent, though the kernel takes its connections; it answers when the process goes on", async () => {
  const listens = "const s = require('net').createServer((c) => c.resume()).listen(0, '127.0.0.1', () => console.log(s.address().port))";
  const child = spawn(process.execPath, ["-e", listens], { stdio: ["ignore", "pipe", "inherit"] });
  endAfterTest(() => child.kill("SIGKILL"));
  const [line] = await once(child.stdout, "data");
  const listener = { address: "127.0.0.1", port: Number(line) };
  assert.equal(await silentPort([listener], 10_000), null);
  child.kill("SIGSTOP");
  assert.equal(await silentPort([listener], 300), listener.port);
  const waits = silentPort([listener], 20_000);
  child.kill("SIGCONT");
  assert.equal(await waits, null);
  child.kill("SIGKILL");
  await once(child, "close");
  assert.equal(await silentPort([listener], 300), listener.port, "nobody is there any more");
});

test("one that listens on all addresses answers, and of several ports the silent one is named", async () => {
  const server = createServer((socket) => socket.end()).listen(0);
  endAfterTest(() => server.close());
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address !== "string");
  const { port } = address;
  assert.equal(
    await silentPort(
      [null, "0.0.0.0", "127.0.0.1"].map((one) => ({ address: one, port })),
      5_000,
    ),
    null,
  );
  assert.equal(
    await silentPort(
      [
        { address: null, port },
        { address: "127.0.0.1", port: 1 },
      ],
      200,
    ),
    1,
  );
});
