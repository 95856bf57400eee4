/** Where all places are taken, an idle connection gives way to a new one; one that is in use never does. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { type Idler, Idlers } from "../../src/forwarder/idlers.ts";
import { endHeaders, endStream, FrameClient, frame, frameType, get } from "./http2-frames.ts";
import { withTls } from "./secure-stage.ts";
import { type Stage, withStage } from "./stage.ts";

const places = 6;
const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const connections = (stage: Stage) => {
  const last = stage.heard.findLast((one) => one.kind === "traffic");
  return last?.kind === "traffic" ? last.connections : -1;
};
/** Longer than what counts as having the next request on its way. */
const idleFor = (stage: Stage, ms: number) => {
  const endMs = Date.now() + ms;
  return stage.until(() => Date.now() > endMs);
};

class Asking {
  heard = "";
  closed = false;
  readonly socket;

  constructor({ port }: Stage) {
    this.socket = connect(port, "127.0.0.1").setEncoding("latin1");
    this.socket.on("error", () => {});
    this.socket.on("data", (text: string) => {
      this.heard += text;
    });
    this.socket.on("close", () => {
      this.closed = true;
    });
  }

  async ask(stage: Stage, path: string): Promise<string> {
    this.heard = "";
    this.socket.write(request(path));
    await stage.until(() => this.closed || this.heard.includes("\r\n\r\n"));
    return this.heard.slice(9, 12);
  }
}

/** All were just used. Where the machine stood still meanwhile, they had been idle for long after all: once more. */
async function noneGivesWay(stage: Stage, all: readonly Asking[]): Promise<void> {
  const beganMs = performance.now();
  for (const one of all) assert.equal(await one.ask(stage, "/"), "200");
  const newcomer = new Asking(stage);
  if ((await newcomer.ask(stage, "/")) === "") return;
  assert.ok(performance.now() - beganMs > 1_000, "who came took the place of one that was just used");
  await stage.until(() => all.some(({ closed }) => closed));
  return noneGivesWay(stage, [...all.filter(({ closed }) => !closed), newcomer]);
}

withStage("at connectionsMax an idle connection gives way; those in use stay", { connectionsMax: places }, async (stage) => {
  const held: ServerResponse[] = [];
  await stage.instance("web-1.1", (incoming, response) => {
    if (incoming.url === "/hold") held.push(response);
    else response.end("ok");
  });
  await stage.route({ "web-1.1": "available" });
  const all = Array.from({ length: places }, () => new Asking(stage));
  const [busy, partial, ...idle] = all;
  assert.ok(busy !== undefined && partial !== undefined);
  busy.socket.write(request("/hold"));
  partial.socket.write("GET /half HTTP/1.1\r\nHost:");
  for (const one of idle) assert.equal(await one.ask(stage, "/"), "200");
  await stage.until(() => held.length === 1 && connections(stage) === places);

  await idleFor(stage, 1_500);
  const newcomers: Asking[] = [];
  for (let count = 0; count < idle.length; count += 1) {
    const newcomer = new Asking(stage);
    newcomers.push(newcomer);
    assert.equal(await newcomer.ask(stage, "/"), "200");
    await stage.until(() => idle.filter(({ closed }) => closed).length === count + 1);
  }
  await noneGivesWay(stage, newcomers);
  held[0]?.end("at last");
  await stage.until(() => busy.heard.endsWith("at last"));
  partial.socket.write(" x\r\n\r\n");
  await stage.until(() => partial.heard.endsWith("ok"));
  assert.equal(busy.closed || partial.closed, false);
});

withTls("at connectionsMax a session of HTTP/2 without streams gives way, and is told so", { connectionsMax: 3 }, async ({ stage }) => {
  const held: ServerResponse[] = [];
  await stage.instance("web-1.1", (_, response) => void held.push(response));
  await stage.route({ "web-1.1": "available" });
  const [busy, idle] = [await FrameClient.open(stage), await FrameClient.open(stage)];
  busy.send(frame(frameType.settings, 1, 0), frame(frameType.headers, endHeaders | endStream, 1, get("/")));
  idle.send(frame(frameType.settings, 1, 0));
  const third = await FrameClient.open(stage);
  await stage.until(() => held.length === 1 && connections(stage) === 3);
  await idleFor(stage, 1_500);
  third.send(frame(frameType.ping, 0, 0, Buffer.alloc(8)));
  await stage.until(() => third.of(frameType.ping, 0) !== undefined);

  const newcomer = await FrameClient.open(stage);
  await stage.until(() => idle.ended);
  assert.equal(idle.codeOf(0), 0);
  newcomer.send(frame(frameType.headers, endHeaders | endStream, 1, get("/")));
  await stage.until(() => held.length === 2);
  for (const response of held) response.end("ok");
  await stage.until(() => [busy, newcomer].every((one) => one.of(frameType.data, 1) !== undefined));
  assert.equal(busy.ended || third.ended, false);
  for (const { socket } of [busy, third, newcomer]) socket.destroy();
  await once(busy.socket, "close");
});

test("who gives way has been idle the longest of those that were looked at; all are looked at in turn", () => {
  const gone: string[] = [];
  const idler = (name: string, idleSinceMs: number, idles = true): Idler => ({
    idleSinceMs,
    idles,
    giveWay: () => void gone.push(name),
  });
  const plain = new Set<Idler>(Array.from({ length: 200 }, (_, at) => idler(`${at}`, 5_000, false)));
  const secure = new Set<Idler>();
  const idlers = new Idlers([plain, secure]);
  const rounds = (nowMs: number) => Array.from({ length: 4 }, () => idlers.makeRoom(nowMs)).includes(true);
  assert.equal(rounds(9_000), false);
  secure.add(idler("young", 8_500)).add(idler("older", 4_000)).add(idler("old", 5_000));
  assert.equal(rounds(9_000), true);
  assert.deepEqual(gone, ["older"]);
  assert.equal(new Idlers([secure]).makeRoom(4_500), false, "none for a second");
  assert.equal(new Idlers([]).makeRoom(9_000), false);
});
