/** The cluster listens where the server asked to listen, and nowhere else. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runtimes } from "../inside/runtimes.ts";
import { endAfterTest } from "../left-open.ts";
import { bin, TestCluster } from "./cluster.ts";

const plainApp = fileURLToPath(new URL("./fixtures/plain-app.mjs", import.meta.url));

const hasIPv6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === "::1"));

test("a server for IPv6 alone leaves the same port of IPv4 to another one", {
  timeout: 180_000,
  skip: hasIPv6 ? false : "this machine has no IPv6",
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-app-"));
  const script = join(directory, "server.mjs");
  writeFileSync(
    script,
    `import { createServer } from "node:http";
     const port = Number(process.env.APP_PORT);
     const six = createServer((_, response) => response.end("six")).listen({ port, host: "::", ipv6Only: true });
     six.on("listening", () => createServer((_, response) => response.end("four")).listen(port, "127.0.0.1"));`,
  );
  const cluster = await TestCluster.start({ script });
  const said = async (host: string) => (await fetch(`http://${host}:${cluster.port}/`)).text();
  assert.deepEqual([await said("[::1]"), await said("127.0.0.1")], ["six", "four"]);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(directory, { recursive: true });
});

const older = runtimes().find(({ version }) => Number(version.split(".")[0]) < 22)?.path;

test("socket activation: what was handed to a Node that is too old for Coppice, the newer one takes", {
  timeout: 180_000,
  skip: older === undefined ? "no Node older than 22 is here" : false,
}, async () => {
  const home = mkdtempSync(join(tmpdir(), "coppice-e2e-"));
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = Object(server.address());
  const descriptor = Number(Reflect.get(Object(Reflect.get(server, "_handle")), "fd")); // Node's own, in no declaration
  const line = [older ?? "", bin, "run", "-n", "1", "--name", "t", plainApp];
  const child = spawn("sh", ["-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', "sh", ...line], {
    env: { ...process.env, COPPICE_HOME: home, APP_PORT: String(port) },
    stdio: ["ignore", "pipe", "inherit", descriptor],
  });
  const exited = once(child, "exit");
  endAfterTest(() => child.kill("SIGTERM"));
  server.close();
  for await (const said of createInterface(child.stdout ?? assert.fail())) if (said.includes("listening on")) break;
  assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
  child.kill("SIGTERM");
  assert.deepEqual(await exited, [0, null]);
  rmSync(home, { recursive: true });
});
