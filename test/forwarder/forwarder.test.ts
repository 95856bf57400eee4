/** One real forwarder between real clients and real servers: what passes, what is saved, what is refused. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";
import { markFor } from "../../src/link/token.ts";
import { endAfterTest } from "../left-open.ts";
import { type Stage, withStage } from "./stage.ts";

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly raw: readonly string[];
  readonly trailers: IncomingMessage["trailers"];
  readonly body: Buffer;
}

interface Call {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  readonly agent?: Agent;
}

function call(port: number, { method = "GET", path = "/", headers = {}, body, agent }: Call = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, method, path, headers, ...(agent === undefined ? {} : { agent }) }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          raw: answer.rawHeaders,
          trailers: answer.trailers,
          body: Buffer.concat(chunks),
        }),
      );
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** Speaks plain bytes; resolves to what came until the other side ended, or `until` was seen. */
async function speak(port: number, text: string, until?: RegExp): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(text);
  let heard = "";
  for await (const chunk of socket.setEncoding("latin1")) {
    heard += String(chunk);
    if (until?.test(heard) === true) break;
  }
  socket.destroy();
  return heard;
}

withStage(
  "headers pass untouched in order and case; the private one is the forwarder's alone; connection headers stay on their side",
  {},
  async (stage) => {
    let seen: readonly string[] = [];
    await stage.instance("web-1.1", (incoming, response) => {
      seen = incoming.rawHeaders;
      response.writeHead(200, "Fine", ["X-Odd-CASE", "1", "Set-Cookie", "a=1", "Set-Cookie", "b=2", "Content-Length", "2"]);
      response.end("ok");
    });
    await stage.route({ "web-1.1": "available" });
    const heard = await speak(
      stage.port,
      "GET /x?y=1 HTTP/1.1\r\nhost: shop.example\r\nX-COPPICE-Client: forged 9.9.9.9 1\r\nx_coppice_client: forged\r\nX-Forwarded-For: 8.8.8.8\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\naCCept: */*\r\n\r\n",
    );
    assert.match(heard, /^HTTP\/1\.1 200 Fine\r\nX-Odd-CASE: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n/);
    assert.equal(seen[0], "x-coppice-client");
    assert.match(seen[1] ?? "", new RegExp(`^${markFor("aa55", "web-1.1")} 127\\.0\\.0\\.1 \\d+$`));
    const names = seen.filter((_, at) => at % 2 === 0);
    assert.deepEqual(
      names.filter((name) => !/^connection$/i.test(name)),
      ["x-coppice-client", "host", "X-Forwarded-For", "aCCept"],
    );
  },
);

withStage("balances, and keeps a session's requests together", {}, async (stage) => {
  for (const id of ["web-1.1", "web-2.1", "web-3.1"]) await stage.instance(id, (_, response) => response.end(id));
  await stage.route({ "web-1.1": "available", "web-2.1": "available", "web-3.1": "available" });
  const spread = new Set<string>();
  for (let count = 0; count < 40; count += 1) spread.add((await call(stage.port)).body.toString());
  assert.equal(spread.size, 3);
  for (const session of ["one", "two", "three", "four"]) {
    const answers = new Set<string>();
    for (let count = 0; count < 6; count += 1)
      answers.add((await call(stage.port, { headers: { cookie: `x=1; sid=${session}` } })).body.toString());
    assert.equal(answers.size, 1);
  }
});

withStage(
  "a cordon under load: POSTs in process finish where they are, no later request goes there, drained is told when the last ended",
  {},
  async (stage) => {
    const served: string[] = [];
    const held: (() => void)[] = [];
    await stage.instance("web-1.1", (incoming, response) => {
      incoming.resume();
      served.push(incoming.url ?? "");
      held.push(() => response.end("old"));
    });
    await stage.instance("web-1.2", (incoming, response) => {
      incoming.resume().on("end", () => response.end("new"));
    });
    await stage.route({ "web-1.1": "available" });
    const early = Array.from({ length: 5 }, (_, index) => call(stage.port, { method: "POST", path: `/${index}`, body: "x" }));
    await stage.until(() => held.length === 5);
    const acknowledged = await stage.route({ "web-1.1": "cordoned", "web-1.2": "available" });
    assert.deepEqual(acknowledged.inFlight, { "web-1.1": { total: 5, unsafe: 5 } });
    assert.equal((await call(stage.port, { method: "POST", body: "y" })).body.toString(), "new");
    assert.equal(stage.drained("web-1.1"), false);
    for (const release of held) release();
    for (const { status, body } of await Promise.all(early)) assert.deepEqual([status, body.toString()], [200, "old"]);
    await stage.until(() => stage.drained("web-1.1"));
    assert.equal(served.length, 5);
    await stage.route({ "web-1.1": "removed" });
  },
);

withStage(
  "with no node up a request is parked and served when one comes; past its time it gets a 503 that explains itself",
  { parkTimeoutMs: 6_000, parkedMax: 2 },
  async (stage) => {
    await stage.instance("web-1.1", (incoming, response) => {
      incoming.setEncoding("utf8").on("data", (text: string) => response.end(`got ${text}`));
    });
    const parked = [call(stage.port, { method: "POST", body: "first" }), call(stage.port, { method: "POST", body: "second" })];
    await stage.until(() => stage.heard.some((message) => message.kind === "traffic" && message.parked === 2));
    const refused = await call(stage.port, { headers: { accept: "application/json" } });
    assert.equal(refused.status, 503);
    assert.equal(refused.headers["retry-after"], "10");
    assert.match((JSON.parse(refused.body.toString()) as { message: string }).message, /not executed/);
    await stage.route({ "web-1.1": "available" });
    assert.deepEqual(
      (await Promise.all(parked)).map(({ body }) => body.toString()),
      ["got first", "got second"],
    );
    await stage.route({ "web-1.1": "removed" });
    const late = await call(stage.port, { headers: { accept: "text/html" } });
    assert.equal(late.status, 503);
    assert.match(late.body.toString(), /^<!doctype html><html lang="en">.*width=device-width.*<h1>Service Unavailable/);
  },
);

withStage(
  "an instance's fence counts as not executed: the POST goes elsewhere, whole, and the mark never reaches the client",
  {},
  async (stage) => {
    let fenced = 0;
    await stage.instance("web-1.1", (_, response) => {
      fenced += 1;
      response.writeHead(503, { "x-coppice-fenced": markFor("aa55", "web-1.1"), "content-length": 0 }).end();
    });
    await stage.instance("web-2.1", (incoming, response) => {
      const hash = createHash("sha256");
      incoming.on("data", (chunk: Buffer) => hash.update(chunk)).on("end", () => response.end(hash.digest("hex")));
    });
    await stage.route({ "web-1.1": "available", "web-2.1": "available" });
    const body = randomBytes(300_000);
    // Choice is by chance.
    for (let count = 0; count < 10 || fenced === 0; count += 1) {
      assert.ok(count < 60, "the fence was never met");
      const answer = await call(stage.port, { method: "POST", body });
      assert.equal(answer.status, 200);
      assert.equal(answer.body.toString(), createHash("sha256").update(body).digest("hex"));
      assert.equal("x-coppice-fenced" in answer.headers, false);
    }
    // Any other 503 is the application's own.
    await stage.instance("web-3.1", (_, response) => response.writeHead(503, { "x-coppice-fenced": "forged" }).end("mine"));
    await stage.route({ "web-1.1": "removed", "web-2.1": "removed", "web-3.1": "available" });
    const own = await call(stage.port);
    assert.deepEqual([own.status, own.body.toString()], [503, "mine"]);
  },
);

/** A server in a process of its own, to be killed in the middle of a request. */
async function mortal(stage: Stage, id: string): Promise<ChildProcess> {
  const code = `require("node:http").createServer((q, r) => { q.resume(); if (q.url === "/slow") { r.writeHead(200, {"content-length": 10}); r.write("x".repeat(5), () => setTimeout(() => process.stdout.write("got\\n"), 80)); } else if (q.url === "/half") { r.writeHead(200, {"content-length": 300000}); r.write("x".repeat(200000), () => process.stdout.write("got\\n")); } else process.stdout.write("got\\n"); }).listen(${JSON.stringify(stage.socketOf(id))}, () => process.stdout.write("up\\n"));`;
  rmSync(stage.socketOf(id), { force: true });
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  endAfterTest(() => child.kill("SIGKILL"));
  child.stdout?.setEncoding("utf8");
  await once(child.stdout as NodeJS.EventEmitter, "data"); // piped above
  return child;
}

withStage(
  "a node killed in process: a GET is sent elsewhere, a POST gets a 502 that says so, half a long answer is reset",
  {},
  async (stage) => {
    await stage.instance("web-2.1", (incoming, response) => {
      incoming.resume().on("end", () => response.end("second"));
    });
    const attempt = async (asked: Call): Promise<Answer> => {
      const child = await mortal(stage, "web-1.1");
      await stage.route({ "web-1.1": "available", "web-2.1": "removed" });
      const got = once(child.stdout as NodeJS.EventEmitter, "data"); // piped
      const answer = call(stage.port, asked);
      answer.catch(() => {});
      await got;
      await stage.route({ "web-2.1": "available" });
      child.kill("SIGKILL");
      await once(child, "exit");
      return answer;
    };
    assert.equal((await attempt({ path: "/get" })).body.toString(), "second");
    const slow = await attempt({ path: "/slow" });
    assert.equal(slow.body.toString(), "second", "half a short answer was held, however slow");
    const post = await attempt({ method: "POST", path: "/post", body: "x" });
    assert.equal(post.status, 502);
    assert.match(post.body.toString(), /may have been executed/);
    const half = await attempt({ path: "/half" }).catch((error: Error) => error);
    assert.ok(half instanceof Error, `half an answer came as ${JSON.stringify(half).slice(0, 300)}`);
  },
);

withStage("50 MB up and down, byte for byte; a slow reader holds the server back", {}, async (stage) => {
  const size = 50 * 1024 * 1024;
  const block = randomBytes(1024 * 1024);
  let sent = 0;
  await stage.instance("web-1.1", (incoming, response) => {
    if (incoming.method === "POST") {
      const hash = createHash("sha256");
      incoming.on("data", (chunk: Buffer) => hash.update(chunk)).on("end", () => response.end(hash.digest("hex")));
      return;
    }
    response.writeHead(200, { "content-length": size });
    const send = () => {
      while (sent < size) {
        sent += block.length;
        if (!response.write(block)) return void response.once("drain", send);
      }
      response.end();
    };
    send();
  });
  await stage.route({ "web-1.1": "available" });
  const whole = Buffer.concat(Array.from({ length: 50 }, () => block));
  const upload = await call(stage.port, { method: "POST", body: whole });
  assert.equal(upload.body.toString(), createHash("sha256").update(whole).digest("hex"));

  const outgoing = request({ host: "127.0.0.1", port: stage.port });
  outgoing.end();
  const [answer] = (await once(outgoing, "response")) as [IncomingMessage]; // what "response" carries
  await stage.until(() => sent > 1024 * 1024);
  // Nobody reads: the server must come to rest long before it has sent everything.
  let rest = -1;
  await stage.until(() => {
    const same = rest === sent;
    rest = sent;
    return same;
  });
  assert.ok(rest < size * 0.8, `the server could send ${rest} bytes to nobody`);
  let received = 0;
  for await (const chunk of answer) received += (chunk as Buffer).length; // no encoding was set
  assert.equal(received, size);
});

withStage("an answer that comes before the request's body has ended: the connection goes on with the next request", {}, async (stage) => {
  await stage.instance("web-1.1", (incoming, response) => {
    if (incoming.url === "/early") {
      response.end("early");
      incoming.resume();
    } else if (incoming.url === "/cut") {
      response.end("cut", () => incoming.socket.destroy());
    } else response.end("next");
  });
  await stage.route({ "web-1.1": "available" });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const body = randomBytes(5_000_000);
  for (const path of ["/early", "/cut"]) {
    for (let count = 0; count < 3; count += 1) {
      const first = await call(stage.port, { method: "POST", path, body, agent });
      // A server that cuts its connection with data unread may take its own answer along: then it is a clear 502.
      if (path === "/early" || first.status !== 502) assert.equal(first.body.toString(), path.slice(1));
      assert.equal((await call(stage.port, { path: "/next", agent })).body.toString(), "next");
    }
  }
  agent.destroy();
});

withStage("event streams come at once, and a cordon ends them cleanly", { drainTimeoutMs: 400 }, async (stage) => {
  await stage.instance("web-1.1", (_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: 1\n\n");
  });
  await stage.route({ "web-1.1": "available" });
  const outgoing = request({ host: "127.0.0.1", port: stage.port });
  outgoing.end();
  const [answer] = (await once(outgoing, "response")) as [IncomingMessage]; // what "response" carries
  const [first] = (await once(answer.setEncoding("utf8"), "data")) as [string]; // an encoding was set
  assert.equal(first, "data: 1\n\n");
  const ended = once(answer, "end");
  await stage.route({ "web-1.1": "cordoned" });
  await ended;
  assert.equal(answer.complete, true);
  await stage.until(() => stage.drained("web-1.1"));
});

withStage("an upgrade is a tunnel both ways; on a cordon a WebSocket is told 1012", { drainTimeoutMs: 400 }, async (stage) => {
  const server = await stage.instance("web-1.1", (_, response) => response.end());
  server.on("upgrade", (incoming: IncomingMessage, socket: Socket) => {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${incoming.headers.upgrade}\r\nConnection: Upgrade\r\n\r\n`);
    socket.pipe(socket);
    socket.on("error", () => {});
  });
  await stage.route({ "web-1.1": "available" });
  const socket = connect(stage.port, "127.0.0.1");
  socket.write(
    "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
  let heard = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    heard = Buffer.concat([heard, chunk]);
  });
  await stage.until(() => heard.includes("101 Switching") && heard.includes("\r\n\r\n"));
  heard = Buffer.alloc(0);
  const length = Buffer.from([0x82, 0x7f, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40]); // of a frame: 1,000,000
  const payload = Buffer.concat([length, randomBytes(1_000_000)]);
  socket.write(payload);
  await stage.until(() => heard.length === payload.length);
  assert.ok(heard.equals(payload));
  heard = Buffer.alloc(0);
  const closed = once(socket, "close");
  await stage.route({ "web-1.1": "cordoned" });
  await closed;
  assert.deepEqual([...heard], [0x88, 0x02, 0x03, 0xf4]);
  await stage.until(() => stage.drained("web-1.1"));
});

withStage("HEAD, 204, 304, chunked with trailers, Expect: 100-continue, pipelining: as HTTP has them", {}, async (stage) => {
  await stage.instance("web-1.1", (incoming, response) => {
    if (incoming.url === "/204") return void response.writeHead(204).end();
    if (incoming.url === "/304") return void response.writeHead(304, { etag: '"x"' }).end();
    if (incoming.url === "/trailers") {
      response.writeHead(200, { trailer: "x-sum" });
      response.write("part");
      response.addTrailers({ "x-sum": "7" });
      return void response.end();
    }
    let size = 0;
    incoming.on("data", (chunk: Buffer) => {
      size += chunk.length;
    });
    incoming.on("end", () => {
      response.setHeader("content-length", 4);
      response.end(incoming.method === "HEAD" ? undefined : String(size).padStart(4, "0"));
    });
  });
  await stage.route({ "web-1.1": "available" });
  const head = await call(stage.port, { method: "HEAD" });
  assert.deepEqual([head.status, head.headers["content-length"], head.body.length], [200, "4", 0]);
  assert.equal((await call(stage.port, { path: "/204" })).status, 204);
  assert.equal((await call(stage.port, { path: "/304" })).headers.etag, '"x"');
  const withTrailers = await call(stage.port, { path: "/trailers" });
  assert.deepEqual([withTrailers.body.toString(), withTrailers.trailers["x-sum"]], ["part", "7"]);
  const expecting = await speak(
    stage.port,
    "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
  );
  assert.match(expecting, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n[\s\S]*0003$/);
  const pipelined = await speak(
    stage.port,
    "GET /204 HTTP/1.1\r\nHost: x\r\n\r\nPOST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nab\r\n0\r\n\r\n",
  );
  assert.match(pipelined, /^HTTP\/1\.1 204 [\s\S]*HTTP\/1\.1 200 OK[\s\S]*0002$/);
});

withStage("what two servers could read differently is refused and closed", {}, async (stage) => {
  let served = 0;
  await stage.instance("web-1.1", (incoming, response) => {
    served += 1;
    incoming.resume();
    response.end();
  });
  await stage.route({ "web-1.1": "available" });
  const ambiguous = [
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nX: a\u0000b\r\n\r\n",
    "GET / HTTP/1.1\nHost: x\n\n",
    "GET / HTTP/1.1\r\n\r\n",
  ];
  for (const text of ambiguous) {
    const before = served;
    const heard = await speak(stage.port, text);
    assert.match(heard, /^HTTP\/1\.1 400 /, JSON.stringify(text));
    if (!text.includes("zz")) assert.equal(served, before, JSON.stringify(text));
  }
});

withStage("a client that goes away is carried upstream; finish lets what is in process end and exits", {}, async (stage) => {
  let aborted = false;
  let release: (() => void) | null = null;
  await stage.instance("web-1.1", (incoming, response) => {
    if (incoming.url === "/abort") {
      response.on("close", () => {
        aborted = true;
      });
    } else release = () => response.end("late");
  });
  await stage.route({ "web-1.1": "available" });
  const socket = connect(stage.port, "127.0.0.1");
  socket.write("GET /abort HTTP/1.1\r\nHost: x\r\n\r\n");
  await stage.until(() => stage.heard.some((message) => message.kind === "traffic" && message.upstreams.some(({ total }) => total === 1)));
  socket.destroy();
  await stage.until(() => aborted);
  const agent = new Agent({ keepAlive: true });
  const last = call(stage.port, { agent });
  await stage.until(() => release !== null);
  const exited = once(stage.process, "exit");
  stage.process.send({ kind: "finish", deadlineMs: 5_000 });
  (release as unknown as () => void)(); // set by the handler, which the compiler does not see
  const answer = await last;
  assert.equal(answer.body.toString(), "late");
  assert.deepEqual(await exited, [0, null]);
});
