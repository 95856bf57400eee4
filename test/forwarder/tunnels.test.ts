/** WebSockets and event streams while their node is drained: told in a way that clients understand, whenever they began. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { type Stage, withStage } from "./stage.ts";

const upgrade =
  "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\nSec-WebSocket-Version: 13\r\n\r\n";
const agreed = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const serviceRestart = [0x88, 0x02, 0x03, 0xf4];
/** As a client sends them: masked, here with zeros. */
const clientText = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]);
const clientClose = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xf4]);

/** Everything that came on a socket. */
class Heard {
  bytes: Buffer = Buffer.alloc(0);
  ended = false;
  error: Error | null = null;

  constructor(socket: Socket) {
    socket.on("data", (chunk: Buffer) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
    });
    socket.on("end", () => {
      this.ended = true;
    });
    socket.on("error", (error) => {
      this.error = error;
    });
  }

  /** Without the head of the answer. */
  get frames(): number[] {
    const end = this.bytes.indexOf("\r\n\r\n");
    return end < 0 ? [] : [...this.bytes.subarray(end + 4)];
  }
}

/** A node that speaks bytes, and a client that has asked it for a WebSocket. */
async function open(stage: Stage): Promise<{ client: Socket; heard: Heard; server: () => Socket; asked: () => Heard }> {
  let server: Socket | null = null;
  let asked: Heard | null = null;
  await stage.rawInstance("web-1.1", (socket) => {
    server = socket;
    asked = new Heard(socket);
  });
  await stage.route({ "web-1.1": "available" });
  const client = connect({ port: stage.port, host: "127.0.0.1", allowHalfOpen: true });
  const heard = new Heard(client);
  client.write(upgrade);
  await stage.until(() => asked?.bytes.includes("\r\n\r\n") === true);
  return { client, heard, server: () => server as unknown as Socket, asked: () => asked as unknown as Heard }; // both set by now
}

withStage(
  "a node that says of its 101 that nothing follows is not taken at its word, and its client does not hear it",
  {},
  async (stage) => {
    const { client, heard, server } = await open(stage);
    server().end(
      Buffer.concat([Buffer.from(agreed.replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n")), Buffer.from([0x81, 0x01, 0x61])]),
    );
    await stage.until(() => heard.ended);
    assert.equal(heard.bytes.toString("latin1"), `${agreed}\x81\x01a`);
    client.destroy();
  },
);

withStage("a WebSocket is told 1012 between two frames, never within one", { drainTimeoutMs: 10_000 }, async (stage) => {
  const { client, heard, server } = await open(stage);
  const frame = Buffer.concat([Buffer.from([0x82, 0x7e, 0x01, 0x00]), Buffer.alloc(256, "f")]);
  server().write(Buffer.concat([Buffer.from(agreed), frame.subarray(0, 100)]));
  await stage.until(() => heard.frames.length === 100);
  await stage.route({ "web-1.1": "cordoned" });
  for (let at = 100; at < frame.length; at += 50) {
    server().write(frame.subarray(at, at + 50));
    const to = Math.min(at + 50, frame.length);
    await stage.until(() => heard.frames.length >= to);
  }
  server().write(frame);
  await stage.until(() => heard.frames.length >= frame.length + serviceRestart.length);
  client.end();
  await stage.until(() => heard.ended && stage.drained("web-1.1"));
  assert.deepEqual(heard.frames, [...frame, ...serviceRestart]);
});

withStage("a WebSocket that was one of several protocols asked for is told 1012 as any", { drainTimeoutMs: 2_000 }, async (stage) => {
  await stage.rawInstance("web-1.1", (socket) => socket.once("data", () => socket.write(agreed)));
  await stage.route({ "web-1.1": "available" });
  const client = connect({ port: stage.port, host: "127.0.0.1" });
  const heard = new Heard(client);
  client.write(upgrade.replace("websocket", "websocket, other"));
  await stage.until(() => heard.bytes.includes("\r\n\r\n"));
  await stage.route({ "web-1.1": "cordoned" });
  await stage.until(() => heard.ended || heard.error !== null);
  assert.deepEqual(heard.frames, serviceRestart);
});

withStage("what a client says until it has heard of the drain still arrives, its close too", { drainTimeoutMs: 10_000 }, async (stage) => {
  const { client, heard, server, asked } = await open(stage);
  server().write(agreed);
  await stage.until(() => heard.bytes.includes("\r\n\r\n"));
  await stage.route({ "web-1.1": "cordoned" });
  await stage.until(() => heard.frames.length === serviceRestart.length);
  client.write(clientText);
  client.write(clientClose);
  await stage.until(() => asked().frames.length === clientText.length + clientClose.length);
  assert.deepEqual(asked().frames, [...clientText, ...clientClose]);
  assert.equal(stage.drained("web-1.1"), false);
  server().end(Buffer.from(serviceRestart));
  await stage.until(() => heard.ended && stage.drained("web-1.1"));
  assert.deepEqual(heard.frames, serviceRestart);
  client.end();
});

withStage("a server that says goodbye itself is not contradicted", { drainTimeoutMs: 1_000 }, async (stage) => {
  const { client, heard, server } = await open(stage);
  const goingAway = [0x88, 0x02, 0x03, 0xe9];
  server().write(Buffer.concat([Buffer.from(agreed), Buffer.from(goingAway)]));
  await stage.until(() => heard.frames.length === goingAway.length);
  await stage.route({ "web-1.1": "cordoned" });
  await stage.until(() => heard.ended && stage.drained("web-1.1"));
  assert.deepEqual(heard.frames, goingAway);
  client.end();
});

withStage("a WebSocket that was asked for before the cordon and agreed after it is told too", { drainTimeoutMs: 2_000 }, async (stage) => {
  const { client, heard, server } = await open(stage);
  await stage.route({ "web-1.1": "cordoned" });
  server().write(agreed);
  await stage.until(() => heard.frames.length === serviceRestart.length);
  assert.deepEqual(heard.frames, serviceRestart);
  client.end();
  await stage.until(() => stage.drained("web-1.1"));
});

withStage("an event stream that begins after the cordon is ended too", { drainTimeoutMs: 2_000 }, async (stage) => {
  const { client, heard, server } = await open(stage);
  await stage.route({ "web-1.1": "cordoned" });
  const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  server().write(`${head}9\r\ndata: 1\n\n\r\n`);
  await stage.until(() => heard.bytes.toString().endsWith("0\r\n\r\n"));
  await stage.until(() => stage.drained("web-1.1"));
  client.end();
});

withStage("a WebSocket whose client has gone is over, though its server does not end it", {}, async (stage) => {
  const { client, heard, server } = await open(stage);
  const inProcess = () => stage.heard.findLast((message) => message.kind === "traffic")?.upstreams[0]?.total;
  server().write(agreed);
  await stage.until(() => heard.bytes.length === agreed.length && inProcess() === 1);
  client.end();
  await stage.until(() => inProcess() === 0 && heard.ended, 15_000);
});

withStage("a WebSocket whose server has gone is over, though its client does not end it", {}, async (stage) => {
  const { client, heard, server } = await open(stage);
  const inProcess = () => stage.heard.findLast((message) => message.kind === "traffic")?.upstreams[0]?.total;
  server().write(agreed);
  await stage.until(() => heard.bytes.length === agreed.length && inProcess() === 1);
  server().destroy();
  await stage.until(() => inProcess() === 0 && heard.ended, 30_000);
  client.destroy();
});

withStage("a forwarder that is to end tells WebSockets 1012, ends event streams, and is gone when they are", {}, async (stage) => {
  const { client, heard, server } = await open(stage);
  server().write(agreed);
  await stage.until(() => heard.bytes.length === agreed.length);
  await stage.instance("web-2.1", (_, response) => response.setHeader("content-type", "text/event-stream").write("data: 1\n\n"));
  await stage.route({ "web-1.1": "removed", "web-2.1": "available" });
  const events = connect(stage.port, "127.0.0.1");
  const told = new Heard(events);
  events.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await stage.until(() => told.bytes.includes("data: 1"));
  stage.process.send({ kind: "finish", deadlineMs: 25_000 });
  await stage.until(() => heard.frames.length === serviceRestart.length && told.ended);
  assert.deepEqual(heard.frames, serviceRestart);
  assert.ok(told.bytes.toString().endsWith("\r\n0\r\n\r\n"));
  client.end(clientClose);
  await stage.until(() => stage.process.exitCode === 0, 10_000);
});

withStage("a server's last words before its end arrive, and its end in order is one, though its client still speaks", {}, async (stage) => {
  const { client, heard, server } = await open(stage);
  server().write(agreed);
  await stage.until(() => heard.bytes.length === agreed.length);
  // What both say is there before the forwarder looks, the client's first.
  stage.process.kill("SIGSTOP");
  await new Promise<void>((resolve) => client.write(clientText, () => resolve()));
  const last = Buffer.alloc(100_000, "z");
  server().write(last, () => server().destroy());
  await new Promise<void>((resolve) => server().once("close", () => resolve()));
  stage.process.kill("SIGCONT");
  await stage.until(() => heard.ended || heard.error !== null);
  assert.deepEqual([heard.error, heard.frames.length], [null, last.length]);
  client.end();
});

withStage("a node that asks for another protocol says which; of one that it only offers nothing is told", {}, async (stage) => {
  const required = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: TLS/1.3\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n";
  const offered = "HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n";
  await stage.rawInstance("web-1.1", (socket) => {
    socket.on("data", (request: Buffer) => socket.write(request.includes("/required") ? required : offered));
  });
  await stage.route({ "web-1.1": "available" });
  const client = connect({ port: stage.port, host: "127.0.0.1" });
  const heard = new Heard(client);
  client.write("GET /required HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  await stage.until(() => heard.ended);
  assert.equal(heard.bytes.toString(), `${required}HTTP/1.1 200 OK\r\nContent-Length: 0\r\nconnection: close\r\n\r\n`);
});

withStage("a node that asks for another protocol says so of its connection, whatever else it says of it", {}, async (stage) => {
  const required = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: TLS/1.3\r\n";
  const options = ["close, Upgrade", "Upgrade, keep-alive", "Upgrade, X-A", "close\r\nConnection: Upgrade", "keep-alive"];
  let asked = 0;
  await stage.rawInstance("web-1.1", (socket) => {
    socket.on("data", () => {
      const said = options[asked];
      asked += 1;
      socket.write(`${required}${said === undefined ? "" : `Connection: ${said}\r\n`}X-A: 1\r\nContent-Length: 0\r\n\r\n`);
    });
  });
  await stage.route({ "web-1.1": "available" });
  const client = connect({ port: stage.port, host: "127.0.0.1" });
  const heard = new Heard(client);
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(options.length));
  client.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  await stage.until(() => heard.ended);
  const told = heard.bytes.toString().split(required).slice(1);
  const upgrade = "Content-Length: 0\r\nconnection: upgrade\r\n";
  assert.deepEqual(told, [
    `X-A: 1\r\n${upgrade}\r\n`,
    `X-A: 1\r\n${upgrade}\r\n`,
    `${upgrade}\r\n`,
    `X-A: 1\r\n${upgrade}\r\n`,
    `Connection: keep-alive\r\nX-A: 1\r\n${upgrade}\r\n`,
    `X-A: 1\r\n${upgrade}connection: close\r\n\r\n`,
  ]);
});

withStage(
  "a node that agrees to a WebSocket, or begins an event stream, has answered: failures before it count no more",
  {},
  async (stage) => {
    const answers: Readonly<Record<string, string>> = {
      "/ws": agreed,
      "/events": "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
      "/": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    };
    const askedOf: string[] = [];
    for (const id of ["web-1.1", "web-2.1"])
      await stage.rawInstance(id, (socket) => {
        socket.on("data", (request: Buffer) => {
          askedOf.push(id);
          const answer = answers[request.toString("latin1").split(" ")[1] ?? ""];
          if (answer === undefined) socket.destroy();
          else socket.write(answer);
        });
      });
    await stage.route({ "web-1.1": "available", "web-2.1": "available" });
    const clients: Socket[] = [];
    const ask = async (request: string) => {
      const client = connect({ port: stage.port, host: "127.0.0.1" });
      clients.push(client);
      const heard = new Heard(client);
      client.write(request.replace("Host: x\r\n", "Host: x\r\nCookie: sid=one\r\n"));
      await stage.until(() => heard.bytes.includes("\r\n\r\n"));
    };
    const fail = () => ask("POST /dies HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    const get = (path: string) => ask(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    for (const answered of [() => ask(upgrade), () => get("/events")]) {
      await fail();
      await fail();
      await answered();
      await fail();
      await get("/");
    }
    assert.deepEqual(askedOf, Array(10).fill(askedOf[0]));
    for (const client of clients) client.destroy();
  },
);
