/** Servers that refuse a request of which they have not read all: what they say arrives, though a reset follows it, and nothing of an answer that was cut short passes for one. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { type Stage, withStage } from "./stage.ts";

/** What a client is told that sends all of its request whatever it is told, and how it ends. */
function heardOf({ port }: Stage, head: string, bodyBytes: number): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1" });
  let heard = "";
  socket.setEncoding("latin1").on("data", (text: string) => (heard += text));
  socket.write(`${head}Content-Length: ${bodyBytes}\r\n\r\n`);
  socket.write(Buffer.alloc(bodyBytes, "x"));
  return new Promise((resolve) => {
    socket.on("error", ({ code }: NodeJS.ErrnoException) => resolve(`${heard}${code}`));
    socket.on("end", () => resolve(heard));
  });
}

const failed = ({ heard }: Stage) => heard.findLast((one) => one.kind === "traffic")?.upstreams.map(({ failedTotal }) => failedTotal);

withStage("Node's own refusal of a long head, which says no length, arrives however much of a body follows", {}, async (stage) => {
  await stage.instance("web-1.1", (_, response) => response.end());
  await stage.route({ "web-1.1": "available" });
  const head = `POST / HTTP/1.1\r\nHost: x\r\nX-Long: ${"y".repeat(20_000)}\r\n`;
  const expected = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n";
  for (let count = 0; count < 40; count += 1) {
    const bytes = [1, 100_000, 900_000, 3_000_000][count % 4] ?? 0;
    assert.equal(await heardOf(stage, head, bytes), expected, `body of ${bytes} bytes`);
  }
  await stage.until(() => failed(stage)?.[0] === 0);
});

withStage("a refusal that waits for its body to be sent is told at once, and ends in order", {}, async (stage) => {
  await stage.instance("web-1.1", (_, response) => response.end());
  await stage.route({ "web-1.1": "available" });
  const head = `POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nX-Long: ${"y".repeat(20_000)}\r\nContent-Length: 100000\r\n\r\n`;
  for (let count = 0; count < 100; count += 1) {
    const socket = connect({ port: stage.port, host: "127.0.0.1" });
    let heard = "";
    socket.setEncoding("latin1").on("data", (text: string) => (heard += text));
    const end = new Promise<string>((resolve) => socket.on("end", () => resolve("in order")).on("error", () => resolve("reset")));
    socket.write(head);
    // A machine may stand still for so long; what is answered meanwhile tells that it did not.
    let others = 0;
    let late = await Promise.race([end.then(() => false), pause(200, true)]);
    void end.finally(() => {
      late = false;
    });
    for (; late; others += 1) assert.equal((await fetch(`http://127.0.0.1:${stage.port}/`)).status, 200);
    assert.equal(await end, "in order");
    assert.match(heard, /^HTTP\/1\.1 431 /);
    assert.ok(others < 20, `the connection's end was told late: after ${others} answers to others`);
  }
});

withStage("half an answer without a length is none, whatever its status: a reset tells of more", {}, async (stage) => {
  for (const [id, answer] of Object.entries({
    page: "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n\r\n<html>",
    kept: "HTTP/1.1 413 Content Too Large\r\n\r\n",
    found: "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
  })) {
    await stage.rawInstance(id, (socket) =>
      socket.once("data", async () => {
        // An end is a reset where something lies unread: the forwarder had its turns to send more.
        socket.pause();
        const seconds = stage.seconds + 2;
        await stage.until(() => stage.seconds >= seconds);
        socket.write(answer, () => socket.destroy());
      }),
    );
    await stage.routeTo({ id, availability: "available", sockets: { "127.0.0.1|80": stage.socketOf(id) } });
    assert.match(await heardOf(stage, "POST / HTTP/1.1\r\nHost: x\r\n", 3_000_000), /^HTTP\/1\.1 502 |(ECONNRESET|EPIPE)$/, id);
  }
});

withStage("a body that its server may take for a request, for it answered before, is nobody else's business", {}, async (stage) => {
  const asked: string[] = [];
  // Whatever looks like a request is one to it, and it answers the hidden one with the next.
  await stage.rawInstance("web-1.1", (socket) => {
    let before = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      const [path = ""] = /\/\S*/.exec(text) ?? [];
      asked.push(path);
      const answer = `HTTP/1.1 404 Not Found\r\nContent-Length: ${path.length}\r\n\r\n${path}`;
      if (path === "/hidden") before = answer;
      else socket.write(`${before}${answer}`);
    });
  });
  await stage.route({ "web-1.1": "available" });
  const hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";
  const client = connect({ port: stage.port, host: "127.0.0.1" }).setEncoding("latin1");
  let heard = "";
  client.on("data", (text: string) => (heard += text));
  client.write(`POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: ${hidden.length}\r\n\r\n`);
  await stage.until(() => heard.endsWith("/upload"));
  client.write(hidden);
  await stage.until(() => asked.includes("/hidden"));
  const answer = await fetch(`http://127.0.0.1:${stage.port}/other`);
  assert.equal(await answer.text(), "/other");
  client.destroy();
});

withStage("who answers before it has read all gets the rest at its own pace, also of a client that leaves", {}, async (stage) => {
  const totalBytes = 400_000;
  let readBytes = 0;
  let ended = false;
  await stage.rawInstance("web-1.1", (socket) => {
    socket.once("data", () => socket.write("HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok"));
    socket.on("end", () => {
      ended = true;
    });
    socket.on("data", async ({ length }: Buffer) => {
      readBytes += length;
      socket.pause();
      await pause(5);
      socket.resume();
    });
  });
  await stage.route({ "web-1.1": "available" });
  const client = connect({ port: stage.port, host: "127.0.0.1" }).setEncoding("latin1");
  let heard = "";
  client.on("data", (text: string) => (heard += text));
  client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${totalBytes}\r\n\r\n`);
  await stage.until(() => heard.endsWith("ok"));
  client.end(Buffer.alloc(totalBytes));
  await stage.until(() => ended);
  assert.ok(readBytes > totalBytes, `it got ${readBytes} bytes`);
  client.destroy();
});
