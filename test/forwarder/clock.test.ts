/** Deadlines towards clients: none is early, and none counts against a client what the forwarder itself has slept through. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { type Stage, withStage } from "./stage.ts";

interface Client {
  readonly socket: Socket;
  readonly heard: () => string;
  /** When its connection ended; zero: it has not. */
  readonly endedMs: () => number;
}

function client({ port }: Stage, text: string): Client {
  let heard = "";
  let endedMs = 0;
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const over = () => (endedMs ||= performance.now());
  socket.setEncoding("latin1").on("data", (more: string) => (heard += more));
  socket.on("end", over).on("error", over);
  socket.write(text);
  return { socket, heard: () => heard, endedMs: () => endedMs };
}

const begun = {
  head: ["GET /head HTTP/1.1\r\nHos", "t: x\r\n\r\n"],
  body: ["POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe", "llo"],
  idle: ["GET /first HTTP/1.1\r\nHost: x\r\n\r\n", "GET /idle HTTP/1.1\r\nHost: x\r\n\r\n"],
} as const;

const timeoutMs = 4_000;
const timeouts = { headTimeoutMs: timeoutMs, bodyTimeoutMs: timeoutMs, idleTimeoutMs: timeoutMs };

withStage("deadlines: none is early, whenever it begins", timeouts, async (stage) => {
  await stage.instance("web-1.1", (incoming, response) => {
    incoming.on("error", () => {});
    incoming.resume().on("end", () => response.end("ok"));
  });
  await stage.route({ "web-1.1": "available" });
  // At other times each, for deadlines are looked at now and then.
  const clients: { beganMs: number; one: Client }[] = [];
  for (let count = 0; count < 8; count += 1) {
    const beganMs = performance.now();
    for (const [text] of Object.values(begun)) clients.push({ beganMs, one: client(stage, text) });
    await stage.until(() => performance.now() - beganMs > 60);
  }
  await stage.until(() => clients.every(({ one }) => one.endedMs() > 0));
  for (const { beganMs, one } of clients) {
    const tookMs = one.endedMs() - beganMs;
    assert.ok(tookMs >= timeoutMs, `${tookMs} ms: ${one.heard()}`);
  }
});

withStage("deadlines: what came while the forwarder stood still came in time", timeouts, async (stage) => {
  await stage.instance("web-1.1", (incoming, response) => {
    incoming.on("error", () => {});
    incoming.resume().on("end", () => response.end(incoming.url));
  });
  await stage.route({ "web-1.1": "available" });
  // Others keep it busy: it stands still in the midst of something.
  const others = Array.from({ length: 64 }, () => client(stage, "GET /other HTTP/1.1\r\nHost: x\r\n\r\n").socket);
  for (const other of others) other.on("data", () => other.write("GET /other HTTP/1.1\r\nHost: x\r\n\r\n"));
  const clients = Object.entries(begun).map(([path, [first, rest]]) => ({ path, rest, ...client(stage, first) }));
  await stage.until(() => clients.some(({ heard }) => heard().endsWith("/first")));
  stage.process.kill("SIGSTOP");
  const beganMs = performance.now();
  for (const { socket, rest } of clients) socket.write(rest);
  await stage.until(() => performance.now() - beganMs > 1.5 * timeoutMs);
  stage.process.kill("SIGCONT");
  for (const other of others) other.destroy();
  await stage.until(() => clients.every(({ endedMs }) => endedMs() > 0));
  for (const { heard, path } of clients) assert.match(heard(), new RegExp(`/${path}$`));
});
