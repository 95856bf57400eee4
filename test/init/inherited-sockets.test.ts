/** Socket activation: a socket that another process bound is taken, and accepted on. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { endAfterTest } from "../left-open.ts";

const room = new URL("../../src/init/inherited-sockets.ts", import.meta.url).href;

/** Takes what it was handed as descriptor 3, twice, says so, and answers one client. */
const taker = `
  import { createServer } from "node:net";
  import { InheritedSockets } from ${JSON.stringify(room)};
  const sockets = new InheritedSockets();
  const at = { address: null, port: Number(process.argv[1]) };
  const [first, second] = [sockets.take("3000", at), sockets.take("3000", at)];
  const environment = Object.keys(process.env).filter((name) => name.startsWith("LISTEN_"));
  console.log(JSON.stringify({ taken: first !== null, again: second !== null, environment }));
  if (first !== null) createServer((socket) => socket.end("here")).listen(first.handle).once("connection", () => process.exit());`;

/** `whose`: in the shell's words. */
async function hand(whose: string): Promise<{ said: unknown; answer: string | null }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = Object(server.address());
  const descriptor = Number(Reflect.get(Object(Reflect.get(server, "_handle")), "fd")); // Node's own, in no declaration
  const script = `LISTEN_PID=${whose} LISTEN_FDS=1 LISTEN_FDNAMES=shop exec "$@"`;
  const command = [process.execPath, "--input-type=module", "-e", taker, String(port)];
  const child = spawn("sh", ["-c", script, "sh", ...command], { stdio: ["ignore", "pipe", "inherit", descriptor] });
  endAfterTest(() => child.kill("SIGKILL"));
  server.close();
  const [line] = await once(child.stdout ?? assert.fail(), "data");
  const said: unknown = JSON.parse(String(line));
  return { said, answer: Object(said).taken === true ? await text(connect(port, "127.0.0.1")) : null };
}

test("socket activation: the socket that was handed on is taken once, and the environment says nothing of it", {
  timeout: 60_000,
}, async () => {
  assert.deepEqual(await hand("$$"), { said: { taken: true, again: false, environment: [] }, answer: "here" });
});

test("socket activation: what was handed to another process is left alone, and not passed on", { timeout: 60_000 }, async () => {
  assert.deepEqual(await hand("1"), { said: { taken: false, again: false, environment: [] }, answer: null });
});
