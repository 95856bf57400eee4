/** Thousands of clients that go away at any moment: of none of them anything is left, no connection, no request in process, no descriptor. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { seededRandom } from "../../src/sim/random.ts";
import { makeKeyPair } from "./key-pairs.ts";
import { Stage } from "./stage.ts";

const clientsAtOnce = 40;
const nodes = ["web-1.1", "web-2.1"];
const upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/** Its answers are whole, endless, in chunks, early, or never there. */
function answer(incoming: IncomingMessage, response: ServerResponse): void {
  const { url } = incoming;
  if (url === "/early") {
    response.writeHead(413, { connection: "close", "content-length": 0 }).end();
    return;
  }
  if (url === "/never") return;
  if (url === "/endless") {
    response.setHeader("content-type", "text/event-stream");
    response.write("data: 1\n\n");
    return;
  }
  if (url === "/large") {
    for (let part = 0; part < 40; part += 1) response.write(Buffer.alloc(50_000, 97));
    response.end();
    return;
  }
  incoming.resume().on("end", () => response.end("hello"));
}

function requestOf(draw: (n: number) => number): string {
  const host = "Host: x\r\n";
  const kinds = [
    () => `GET /${["small", "large", "endless", "never"][draw(4)]} HTTP/1.1\r\n${host}\r\n`,
    () => `GET /large HTTP/1.0\r\n${host}\r\n`,
    () => `GET /small HTTP/1.1\r\n${host}\r\n`.repeat(1 + draw(50)),
    () => `POST /small HTTP/1.1\r\n${host}Content-Length: 400000\r\n\r\n${"x".repeat(draw(300_000))}`,
    () => `POST /small HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n1000\r\n${"x".repeat(draw(5_000))}`,
    () => `POST /early HTTP/1.1\r\n${host}Content-Length: 2000000\r\n\r\n${"x".repeat(draw(1_000_000))}`,
    () => `POST /small HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 9\r\n\r\n`,
    () => `GET /ws HTTP/1.1\r\n${host}${upgrade}\r\n`,
    () => "GET /par",
    () => "",
  ];
  return kinds[draw(kinds.length)]?.() ?? "";
}

/** Turns of the event loop, or bytes read: whichever comes first of those drawn. */
async function moment(socket: NodeJS.EventEmitter, draw: (n: number) => number): Promise<void> {
  let left = draw(200_000);
  let here = true;
  socket.on("data", (bytes: Buffer) => {
    left -= bytes.length;
  });
  socket.on("close", () => {
    here = false;
  });
  for (let turns = draw(60); turns > 0 && left > 0 && here; turns -= 1) await new Promise((resolve) => setImmediate(resolve));
}

async function closed(socket: Socket): Promise<void> {
  socket.on("error", () => {}); // a reset is what it asked for
  if (!socket.destroyed) await new Promise((resolve) => socket.once("close", resolve));
}

async function goAway(socket: Socket, draw: (n: number) => number): Promise<void> {
  socket.on("error", () => {}); // as above
  if (draw(3) === 0) socket.pause();
  socket.write(requestOf(draw));
  await moment(socket, draw);
  const how = draw(3);
  const gone = closed(socket);
  if (how === 0 && "resetAndDestroy" in socket && !("encrypted" in socket)) socket.resetAndDestroy();
  else if (how === 1) socket.end(() => socket.destroy());
  else socket.destroy();
  await gone;
}

/** Some streams on one connection; each may be reset, then the connection goes. */
async function goAwayOverHttp2(port: number, draw: (n: number) => number): Promise<void> {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false, servername: "shop.example" });
  session.on("error", () => {}); // as above
  for (let streams = 1 + draw(8); streams > 0; streams -= 1) {
    const path = `/${["small", "large", "endless", "never", "early"][draw(5)]}`;
    const stream = session.request({ ":path": path, ":method": draw(2) === 0 ? "GET" : "POST" });
    stream.on("error", () => {}); // as above
    if (draw(2) === 0) stream.resume();
    stream.write("x".repeat(draw(50_000)));
    if (draw(2) === 0) stream.end();
    await moment(stream, draw);
    if (draw(3) === 0) stream.close(8);
  }
  const gone = session.closed || session.destroyed ? Promise.resolve() : once(session, "close").catch(() => {});
  session.destroy();
  await gone;
}

async function storm(stage: Stage, clients: number, client: (draw: (n: number) => number) => Promise<void>): Promise<void> {
  const upstreams = new Set<Socket>();
  for (const id of nodes) {
    const server = await stage.instance(id, answer);
    server.on("connection", (socket) => {
      upstreams.add(socket);
      socket.on("close", () => upstreams.delete(socket));
    });
    server.on("upgrade", (_request, socket: Socket) => {
      socket.on("error", () => {}).resume();
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    });
  }
  await stage.route(Object.fromEntries(nodes.map((id) => [id, "available" as const])));
  const descriptors = () => readdirSync(`/proc/${stage.process.pid}/fd`).length;
  const before = descriptors();
  const random = seededRandom(Number(process.env["FUZZ_SEED"] ?? 1));
  const draw = (n: number) => Math.floor(random() * n);
  let left = clients;
  const worker = async () => {
    for (; left > 0; left -= 1) await client(draw);
  };
  await Promise.all(Array.from({ length: clientsAtOnce }, worker));
  const isCalm = () => {
    const traffic = stage.heard.findLast((message) => message.kind === "traffic");
    return (
      traffic?.kind === "traffic" &&
      traffic.connections === 0 &&
      traffic.parked === 0 &&
      traffic.upstreams.every(({ total }) => total === 0)
    );
  };
  const from = stage.heard.length;
  await stage.until(() => stage.heard.length > from + 1 && isCalm());
  // Kept connections to nodes stand at both ends.
  await stage.until(() => descriptors() <= before + upstreams.size);
  assert.ok(
    stage.heard.some(
      (message) => message.kind === "traffic" && message.upstreams.some(({ requestsTotal }) => requestsTotal > clients / 10),
    ),
  );
}

test("clients that go away at any moment, by whole, half and pipelined requests, uploads, streams and WebSockets, leave nothing behind", {
  timeout: 300_000,
}, async () => {
  const stage = await Stage.open();
  try {
    await storm(stage, 2_000, (draw) => goAway(connect({ port: stage.port, host: "127.0.0.1", allowHalfOpen: draw(2) === 0 }), draw));
  } finally {
    await stage.close();
  }
});

test("clients that go away over TLS and HTTP/2 leave nothing behind", { timeout: 300_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-storm-"));
  const stage = await Stage.open({}, { tls: [makeKeyPair(directory, "shop.example")] });
  try {
    await storm(stage, 600, (draw) => {
      if (draw(3) === 0) return goAway(connectTls({ port: stage.port, host: "127.0.0.1", rejectUnauthorized: false }), draw);
      if (draw(6) === 0) return goAway(connect({ port: stage.port, host: "127.0.0.1" }), draw); // no handshake at all
      return goAwayOverHttp2(stage.port, draw);
    });
  } finally {
    await stage.close();
    rmSync(directory, { recursive: true });
  }
});
