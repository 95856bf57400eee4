/** The start-up check in a cluster: told once, shown as long as it is so, mended by a deploy. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { TestCluster } from "./cluster.ts";

const unsoundApp = fileURLToPath(new URL("./fixtures/unsound-app.cjs", import.meta.url));

test("what breaks with several nodes is told once and stands in status, until a release mends it", { timeout: 300_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-app-"));
  const script = join(directory, "server.cjs");
  writeFileSync(script, `require(${JSON.stringify(unsoundApp)});\n`);
  const cluster = await TestCluster.start({ script, settings: { releaseWatchMs: 500 } });
  const standing = async () => (await cluster.status()).notices.filter(({ level }) => level === "advice").map(({ code }) => code);
  const told = async () =>
    (await cluster.events()).flatMap(({ kind, facts }) => (kind === "notice" && facts["level"] === "advice" ? [facts["code"]] : []));
  await cluster.until("both are told", async () => (await told()).length === 2);
  assert.deepEqual((await standing()).toSorted(), ["rate-limit-in-memory", "secret-differs"]);
  const { stdout } = await cluster.command("status", "--name", "t");
  assert.match(stdout, /to mend in the application.*secret-differs: the secret of express-session is another one in each process/s);

  const { monitor } = await cluster.status();
  process.kill(monitor.pid, "SIGKILL");
  await cluster.until("the next monitor knows as much", async () => {
    const status = await cluster.status();
    return status.monitor.pid !== monitor.pid && (await standing()).length === 2;
  });
  assert.equal((await told()).length, 2, "and does not tell it again");

  writeFileSync(script, `process.env.SECRET = "the same everywhere";\nrequire(${JSON.stringify(unsoundApp)});\n`);
  const reload = await cluster.command("reload", "--wait", "--name", "t");
  assert.equal(reload.code, 0, reload.stdout + reload.stderr);
  await cluster.until("nothing is left to mend", async () => (await standing()).length === 0);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(directory, { recursive: true });
});

test("what a server says of locks while it runs well is no advice when it is stopped", { timeout: 180_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-app-"));
  const script = join(directory, "server.cjs");
  writeFileSync(
    script,
    'console.error("Error: the queue is already running"); require("node:http").createServer((q, r) => r.end()).listen(process.env.APP_PORT);\n',
  );
  const cluster = await TestCluster.start({ script });
  const { code } = await cluster.command("regenerate", "web-1", "--wait", "--name", "t");
  assert.equal(code, 0);
  const events = await cluster.events();
  assert.ok(events.some(({ kind }) => kind === "instance-exited"));
  assert.deepEqual(
    events.filter(({ kind }) => kind === "notice").map(({ text }) => text),
    [],
  );
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(directory, { recursive: true });
});
