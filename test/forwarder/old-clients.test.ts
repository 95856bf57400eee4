/** Clients of HTTP/1.0, who know no chunks, and ones that send empty lines where there is no request. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type Stage, withStage } from "./stage.ts";

const head = "HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n";
const forOld = "HTTP/1.1 200 OK\r\nX-A: 1\r\nTrailer: X-Sum\r\nconnection: close\r\n\r\n";
const lastChunk = '0;end="1"\r\nX-Sum: 7\r\n\r\n';
const chunk = (data: string) => `${data.length.toString(16)};ext=1\r\n${data}\r\n`;

/** All that is said to it until it ends, and how it ended. */
async function heard(stage: Stage, text: string): Promise<{ text: string; code: string | null }> {
  const socket = connect({ port: stage.port, host: "127.0.0.1" });
  const parts: Buffer[] = [];
  socket.on("data", (part: Buffer) => parts.push(part)).write(text);
  const code = await new Promise<string | null>((resolve) => {
    socket.on("end", () => resolve(null));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
  });
  socket.destroy();
  return { text: Buffer.concat(parts).toString("latin1"), code };
}

const getOld = (path: string) => `GET ${path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`;

/** Answers each request with what `answerOf` gives for its path, piece by piece. */
function inPieces(answerOf: (path: string) => readonly string[], then: (path: string, socket: Socket) => void = () => {}) {
  return (socket: Socket) => {
    let asked = "";
    socket.setNoDelay(true).setEncoding("latin1");
    socket.on("data", (text: string) => {
      asked += text;
      if (!asked.endsWith("\r\n\r\n")) return;
      const path = asked.split(" ")[1] ?? "";
      const pieces = answerOf(path);
      asked = "";
      const send = (at: number): void => {
        if (at === pieces.length) then(path, socket);
        else socket.write(Buffer.from(pieces[at] ?? "", "latin1"), () => setImmediate(send, at + 1));
      };
      send(0);
    });
  };
}

withStage("a chunked answer, cut at any byte, is what is in its chunks to a client of HTTP/1.0", {}, async (stage) => {
  const answer = `${head}${chunk("hello")}${chunk("0123456789abcdef!")}${lastChunk}`;
  await stage.rawInstance(
    "web-1.1",
    inPieces((path) => [answer.slice(0, Number(path.slice(1))), answer.slice(Number(path.slice(1)))]),
  );
  await stage.route({ "web-1.1": "available" });
  const cuts = Array.from(answer, (_, at) => at + 1);
  for (const cut of cuts) assert.deepEqual(await heard(stage, getOld(`/${cut}`)), { text: `${forOld}hello0123456789abcdef!`, code: null });
});

withStage("a long chunked answer comes whole to a client of HTTP/1.0; one that is cut short ends by a reset", {}, async (stage) => {
  const data = Array.from({ length: 300 }, (_, at) => String.fromCharCode(97 + (at % 26)).repeat(1 + at * 7));
  const whole = `${head}${data.map(chunk).join("")}${lastChunk}`;
  const inSevens = Array.from({ length: Math.ceil(whole.length / 7_777) }, (_, at) => whole.slice(at * 7_777, (at + 1) * 7_777));
  await stage.rawInstance(
    "web-1.1",
    inPieces(
      (path) => (path === "/cut" ? inSevens.slice(0, -1) : path === "/pieces" ? inSevens : [whole]),
      (path, socket) => path === "/cut" && socket.end(),
    ),
  );
  await stage.route({ "web-1.1": "available" });
  for (const path of ["/whole", "/pieces"]) {
    const { text, code } = await heard(stage, getOld(path));
    assert.equal(code, null);
    assert.ok(text === `${forOld}${data.join("")}`, `${path}: ${text.length} bytes`);
  }
  const cut = await heard(stage, getOld("/cut"));
  assert.equal(cut.code, "ECONNRESET");
  assert.ok(`${forOld}${data.join("")}`.startsWith(cut.text), "what came of it differs");
});

withStage(
  "a client of HTTP/1.0 that names a Host is kept where the server says a length, and sees an answer that is cut short",
  {},
  async (stage) => {
    const versions: string[] = [];
    const cut = "x".repeat(200_000);
    await stage.instance("web-1.1", (incoming, response) => {
      versions.push(`${incoming.httpVersion} ${incoming.headers.connection ?? "-"}`);
      if (incoming.url !== "/cut") return void response.end("ok");
      response.write(cut);
      setImmediate(() => incoming.socket.destroy());
    });
    await stage.route({ "web-1.1": "available" });
    const getOf = (path: string, host: string, connection: string) => `GET ${path} HTTP/1.0\r\n${host}Connection: ${connection}\r\n\r\n`;
    const kept = await heard(stage, getOf("/", "Host: x\r\n", "keep-alive").repeat(2) + getOf("/", "Host: x\r\n", "close"));
    assert.equal(kept.text.match(/^connection: keep-alive\r$/gim)?.length, 2);
    assert.equal(kept.text.match(/^content-length: 2\r$/gim)?.length, 3);
    const hostless = await heard(stage, getOf("/", "", "keep-alive"));
    assert.match(hostless.text, /\r\nconnection: close\r\n\r\nok$/i);
    const { code } = await heard(stage, getOf("/cut", "Host: x\r\n", "keep-alive"));
    assert.equal(code, "ECONNRESET");
    assert.deepEqual(versions, ["1.1 -", "1.1 -", "1.1 -", "1.0 keep-alive", "1.1 -"]);
  },
);

withStage(
  "an answer of the forwarder's own ends the connection of a client of HTTP/1.0",
  { parkTimeoutMs: 0, idleTimeoutMs: 500 },
  async (stage) => {
    const { text } = await heard(stage, "GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n");
    assert.match(text, /^HTTP\/1\.1 503 .*\r\nconnection: close\r\n\r\n503 /s);
  },
);

withStage("HEAD of a chunked answer, and a 204 that is said to be chunked: a head alone, the connection kept", {}, async (stage) => {
  await stage.rawInstance(
    "web-1.1",
    inPieces((path) => [path === "/204" ? "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n" : head]),
  );
  await stage.route({ "web-1.1": "available" });
  const old = await heard(stage, `HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nHEAD /204 HTTP/1.0\r\n\r\n`);
  assert.equal(
    old.text,
    "HTTP/1.1 200 OK\r\nX-A: 1\r\nTrailer: X-Sum\r\nconnection: keep-alive\r\n\r\n" +
      "HTTP/1.1 204 No Content\r\nX-A: 1\r\nconnection: close\r\n\r\n",
  );
  const now = await heard(stage, "GET /204 HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  assert.equal(now.text, `HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n${head.replace(/\r\n\r\n$/, "\r\nconnection: close\r\n\r\n")}`);
});

withStage("who sent empty lines behind its request is idle: told to finish, its connection ends at once", {}, async (stage) => {
  await stage.instance("web-1.1", (incoming, response) => {
    incoming.resume().on("end", () => response.end("ok"));
  });
  await stage.route({ "web-1.1": "available" });
  const socket = connect({ port: stage.port, host: "127.0.0.1" });
  let text = "";
  socket.setNoDelay(true).setEncoding("latin1");
  socket.on("data", (part: string) => {
    text += part;
  });
  const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab\r\n\r\n";
  socket.write(post);
  await stage.until(() => /ok$/.test(text));
  // Its first line ends in a write of its own, as its last will.
  socket.write("\r");
  socket.write(`\n${post}`);
  await stage.until(() => /ok[\s\S]*ok$/.test(text));
  const exited = once(stage.process, "exit");
  const beganMs = performance.now();
  stage.process.send({ kind: "finish", deadlineMs: 10_000 });
  await exited;
  assert.ok(performance.now() - beganMs < 5_000, "it was waited for");
});

withStage(
  "empty lines, however they come, keep no connection open that asks for nothing",
  { headTimeoutMs: 500, idleTimeoutMs: 500 },
  async (stage) => {
    await stage.route({});
    const closed = ["\r\n", "\r"].map((first) => {
      const socket = connect({ port: stage.port, host: "127.0.0.1", noDelay: true });
      let next = first;
      const timer = setInterval(() => {
        socket.write(next);
        if (first === "\r") next = next === "\r" ? "\n" : "\r";
      }, 20);
      // It may be reset, for it writes on.
      socket.resume().on("error", () => {});
      return new Promise<void>((resolve) => socket.on("close", () => resolve())).finally(() => clearInterval(timer));
    });
    const beganMs = performance.now();
    await Promise.all(closed);
    assert.ok(performance.now() - beganMs < 10_000);
  },
);
