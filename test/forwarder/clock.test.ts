/** Deadlines towards clients: none is early, and none counts against a client what the forwarder itself has slept through. And clocks that are set back. */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { forwarderNodeOptions } from "../../src/init/own-process.ts";
import { listener, Stage, withStage } from "./stage.ts";

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

/** Its clock goes back by an hour at SIGUSR2. */
const clockThatIsSet =
  "data:text/javascript,const now = Date.now; let lateMs = 0; process.on('SIGUSR2', () => (lateMs = 3600000)); Date.now = () => now() - lateMs;";

test("a clock that is set back makes no node wait for its requests: neither one set aside nor a regrown one", {
  timeout: 180_000,
}, async () => {
  const stage = await Stage.open({ slowStartMs: 1_000 }, { nodeOptions: [...forwarderNodeOptions, "--import", clockThatIsSet] });
  try {
    let met = 0;
    await stage.rawInstance("ill.1", (socket) =>
      socket.on("data", () => {
        met += 1;
        if (met <= 3) socket.destroy();
        else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      }),
    );
    const held: { readonly id: string; readonly response: ServerResponse }[] = [];
    for (const id of ["old.1", "young.2"])
      await stage.instance(id, (incoming, response) => (incoming.url === "/held" ? held.push({ id, response }) : response.end()));
    const route = (id: string) => ({ id, availability: "available" as const, sockets: { [listener]: stage.socketOf(id) } });
    const young = { ...route("young.2"), slowStart: true, availableSinceMs: Date.now() };
    await stage.routeTo(route("ill.1"), route("old.1"), young);
    const asking = async (path: string) => (await fetch(`http://127.0.0.1:${stage.port}${path}`)).arrayBuffer();
    while (met < 3) await asking("/");
    stage.process.kill("SIGUSR2");
    const seconds = stage.seconds + 3;
    await stage.until(() => stage.seconds >= seconds);
    for (let asked = 0; asked < 60; asked += 1) await asking("/");
    assert.ok(met > 3, "it has its share again");
    await stage.routeTo(route("old.1"), young);
    const answers: Promise<unknown>[] = [];
    for (let asked = 1; asked <= 40; asked += 1) {
      answers.push(asking("/held"));
      await stage.until(() => held.length === asked);
    }
    const share = held.filter(({ id }) => id === "young.2").length;
    for (const { response } of held) response.end();
    await Promise.all(answers);
    assert.ok(share >= 15, `${share} of 40`);
  } finally {
    await stage.close();
  }
});
