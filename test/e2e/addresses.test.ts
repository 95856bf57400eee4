/** The cluster listens where the server asked to listen, and nowhere else. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { TestCluster } from "./cluster.ts";

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
