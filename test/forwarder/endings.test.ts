/** How a client's connection ends: with all of its answer, or so that half an answer is seen as one. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { withTls } from "./secure-stage.ts";
import { type Stage, withStage } from "./stage.ts";

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/** Reads nothing before it is told to. */
function client(stage: Stage): Socket {
  const socket = connect({ port: stage.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.pause();
  return socket;
}

/** To the end of a connection: how many bytes came, and the error's code where it was no end in order. */
function read(socket: Socket): Promise<{ bytes: number; text: string; code: string | null }> {
  let bytes = 0;
  let text = "";
  return new Promise((resolve) => {
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (text.length < 1_000) text += chunk.toString("latin1");
    });
    socket.on("end", () => resolve({ bytes, text, code: null }));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve({ bytes, text, code: error.code ?? "" }));
    socket.resume();
  });
}

withStage("a client that closes its side and then reads slowly has its whole answer", {}, async (stage) => {
  const body = Buffer.alloc(30_000_000, "x");
  let answering = false;
  await stage.instance("web-1.1", (_, response) => {
    response.setHeader("content-length", body.length);
    response.end(body);
    answering = true;
  });
  await stage.route({ "web-1.1": "available" });
  const socket = client(stage);
  socket.write(get);
  await stage.until(() => answering);
  const stalledMs = performance.now();
  await stage.until(() => performance.now() - stalledMs > 500); // all buffers are full
  socket.end();
  const beganMs = performance.now();
  await stage.until(() => performance.now() - beganMs > 3_500); // longer than a client that closed its side is waited for
  const { bytes, code } = await read(socket);
  assert.equal(code, null);
  assert.ok(bytes > body.length, `${bytes} bytes came`);
});

withStage("a client that closes its side amid its upload has the whole of an answer that came before", {}, async (stage) => {
  const body = Buffer.alloc(10_000_000, "x");
  await stage.instance("web-1.1", (incoming, response) => {
    const answer = incoming.url === "/large" ? body : body.subarray(0, 5);
    response.writeHead(200, { "content-length": answer.length }).end(answer);
  });
  await stage.route({ "web-1.1": "available" });
  for (const [path, length] of [
    ["/large", body.length],
    ["/small", 5],
  ] as const) {
    const socket = client(stage);
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\npart`);
    await once(socket, "readable"); // of a large one that no buffer takes whole the beginning
    socket.end();
    const { bytes, text, code } = await read(socket);
    assert.deepEqual([code, bytes - (text.indexOf("\r\n\r\n") + 4)], [null, length], path);
  }
});

withStage("the last answer on a connection is not cut short while its client still reads, whatever its size", {}, async (stage) => {
  await stage.instance("web-1.1", (incoming, response) => {
    const body = Buffer.alloc(Number(incoming.url?.slice(1)), "x");
    response.setHeader("content-length", body.length);
    response.end(body);
  });
  await stage.route({ "web-1.1": "available" });
  // What the system's buffers do not take must be less than one read of the server's answer for one of these at least.
  const sizes = Array.from({ length: 40 }, (_, index) => (index + 1) * 200_000);
  const sockets = sizes.map((size) => {
    const socket = client(stage);
    socket.write(`GET /${size} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    return socket;
  });
  const beganMs = performance.now();
  await stage.until(() => performance.now() - beganMs > 4_500); // longer than the forwarder lingers
  const results = await Promise.all(sockets.map(read));
  const short = sizes.filter((size, index) => (results[index]?.bytes ?? 0) < size);
  assert.deepEqual(short, []);
});

withTls(
  "what a slow client has not read yet of its answers is no silence: its idle time does not cut it",
  { idleTimeoutMs: 500 },
  async ({ stage }) => {
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n${"x".repeat(10_000)}`;
    let asked = 0;
    await stage.rawInstance("web-1.1", (socket) => {
      socket.on("data", () => {
        asked += 1;
        socket.write(answer);
      });
    });
    await stage.route({ "web-1.1": "available" });
    const asking = async (count: number) => {
      const socket = connectTls({ port: stage.port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
      await once(socket.pause(), "secureConnect");
      socket.write(get.repeat(count));
      for (let before = -1; before !== asked; ) {
        before = asked;
        const sinceMs = performance.now();
        await stage.until(() => performance.now() - sinceMs > 1_500);
      }
      return socket;
    };
    // So many answers fill all buffers; of a few less, some lie in the forwarder's alone when the last was given.
    const full = await asking(3_000);
    const filling = asked;
    full.destroy();
    const counts = [1, 2, 3, 4, 5].map((less) => filling - less);
    const sockets = await Promise.all(counts.map(asking));
    const results = await Promise.all(sockets.map(read));
    assert.deepEqual(
      results.map(({ bytes, code }) => [bytes, code]),
      counts.map((count) => [count * answer.length, null]),
    );
  },
);

for (const [fault, after] of [
  ["breaks off its framing", "zz\r\n"],
  ["stops sending", ""],
] as const) {
  withStage(`a client that was answered early and ${fault} still has its answer, ended in order`, { bodyTimeoutMs: 500 }, async (stage) => {
    await stage.rawInstance("web-1.1", (socket) => {
      socket.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
      socket.resume();
    });
    await stage.route({ "web-1.1": "available" });
    const socket = client(stage);
    let seen = "";
    socket.on("data", (chunk: Buffer) => {
      seen += chunk.toString("latin1");
    });
    const result = read(socket);
    socket.write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    await stage.until(() => seen.endsWith("big"));
    socket.write(after);
    assert.deepEqual([(await result).code, seen.slice(0, 12)], [null, "HTTP/1.1 413"]);
  });
}

const halves = [
  ["ends with its connection", "HTTP/1.1 200 OK\r\n\r\nhalf"],
  ["is chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
  ["says its length", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhalf"],
] as const;

/** The node sends half an answer and dies: how it ends for the client. */
async function endOfHalf(stage: Stage, half: string, socket: Socket): Promise<string | null> {
  const servers: Socket[] = [];
  const answerHalf = (server: Socket) => {
    servers.push(server);
    server.write(half);
  };
  // Closing with the request unread is what a Unix socket has for a reset.
  await stage.rawInstance("web-1.1", answerHalf, { unread: true });
  await stage.route({ "web-1.1": "available" });
  let seen = "";
  socket.on("data", (chunk: Buffer) => {
    seen += chunk.toString("latin1");
  });
  const result = read(socket);
  socket.write(get);
  await stage.until(() => seen.includes("half"));
  for (const server of servers) server.destroy();
  return (await result).code;
}

for (const [kind, half] of halves) {
  withStage(`half an answer that ${kind} is ended by a reset when its node has died`, {}, async (stage) => {
    assert.equal(await endOfHalf(stage, half, client(stage)), "ECONNRESET");
  });
  withTls(`half an answer that ${kind} is ended by a reset when its node has died, under TLS too`, {}, async ({ stage }) => {
    const socket = connectTls({ port: stage.port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
    assert.equal(await endOfHalf(stage, half, socket), "ECONNRESET");
  });
}
