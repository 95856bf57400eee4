/** HTTP/2 towards clients: that the rules of a request hold there too, and what a client may not do. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { endHeaders, endStream, FrameClient, fields, frame, frameType, get } from "./http2-frames.ts";
import { ask, http2To, telling, toldIn, withTls } from "./secure-stage.ts";
import type { Stage } from "./stage.ts";

withTls(
  "HTTP/2: requests of many streams reach the nodes as HTTP/1.1 ones, with what belongs to HTTP/2 taken away",
  {},
  async ({ stage }) => {
    for (const id of ["web-1.1", "web-2.1"]) await stage.instance(id, telling);
    await stage.route({ "web-1.1": "available", "web-2.1": "available" });
    const session = http2To(stage);
    const body = randomBytes(200_000);
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        index % 3 === 0
          ? ask(session, { ":method": "POST", ":path": `/${index}?q=1` }, body)
          : ask(session, { ":path": `/${index}?q=1`, cookie: ["sid=7", "theme=dark"], "x-many": ["1", "2"] }),
      ),
    );
    for (const [index, answer] of answers.entries()) {
      const told = toldIn(answer);
      assert.deepEqual([answer.status, told.url, told.client[0], told.client[2]], [200, `/${index}?q=1`, "127.0.0.1", "https"]);
      assert.deepEqual(answer.headers["set-cookie"], ["a=1", "b=2"]);
      assert.equal("connection" in answer.headers || "keep-alive" in answer.headers || "transfer-encoding" in answer.headers, false);
      if (index % 3 === 0)
        assert.deepEqual([told.method, told.bytes, told.sha256], ["POST", 200_000, createHash("sha256").update(body).digest("hex")]);
      else {
        const named = (name: string) => told.raw.filter((_, at) => told.raw[at - 1]?.toLowerCase() === name && at % 2 === 1);
        assert.deepEqual([named("cookie"), named("host")], [["sid=7; theme=dark"], [`shop.example:${stage.port}`]]);
        assert.deepEqual(named("x-many"), ["1", "2"]);
      }
    }
    const head = await ask(session, { ":method": "HEAD", ":path": "/" });
    assert.deepEqual([head.status, head.body.length], [200, 0]);
    session.close();
  },
);

withTls("HTTP/2: an answer's fields pass as its server said them; interim answers and trailers too", {}, async ({ stage }) => {
  await stage.instance("web-1.1", (incoming, response) => {
    if (incoming.url === "/odd") {
      response.setHeader("X-Many", ["1", "2"]);
      response.setHeader("X-Empty", "");
      response.setHeader("X-Letters", "caf\u00e9 \t~");
      response.setHeader("X-Long", "x".repeat(40_000));
    }
    if (incoming.url === "/hints") {
      response.writeEarlyHints({ link: "</style.css>; rel=preload" });
      response.setHeader("trailer", "x-sum");
      response.write("x");
      response.addTrailers({ "x-sum": "7" });
    }
    response.end(Buffer.from("done")); // a string would take the fields along into UTF-8
  });
  await stage.route({ "web-1.1": "available" });
  const session = http2To(stage);
  const { headers } = await ask(session, { ":path": "/odd" });
  assert.deepEqual(
    [headers["x-many"], headers["x-empty"], headers["x-letters"], String(headers["x-long"]).length],
    ["1, 2", "", "caf\u00e9 \t~", 40_000],
  );
  const stream = session.request({ ":path": "/hints" });
  const hints = once(stream, "headers");
  const trailers = once(stream, "trailers");
  stream.resume();
  assert.equal(((await hints) as [Record<string, unknown>])[0]["link"], "</style.css>; rel=preload");
  assert.equal(((await trailers) as [Record<string, unknown>])[0]["x-sum"], "7");
  assert.equal((await ask(session, { ":path": "/" })).status, 200, "the session goes on");
  session.close();
});

withTls("HTTP/2: large bodies in both directions are whole, and one that is not read holds nobody up", {}, async ({ stage }) => {
  const large = randomBytes(24 * 1024 * 1024);
  await stage.instance("web-1.1", (incoming, response) => {
    if (incoming.url === "/large") response.end(large);
    else telling(incoming, response);
  });
  await stage.route({ "web-1.1": "available" });
  const session = http2To(stage);
  const idle = session.request({ ":path": "/large" });
  await once(idle, "response");
  const { body } = await ask(http2To(stage), { ":path": "/large" });
  assert.ok(body.equals(large));
  const told = toldIn(await ask(session, { ":method": "POST", ":path": "/" }, large));
  assert.equal(told.sha256, createHash("sha256").update(large).digest("hex"));
  idle.close();
  session.destroy();
});

withTls(
  "HTTP/2: the death of a node: a GET is sent again, a POST gets a 502, half an answer is reset; a client that cancels is carried on",
  {},
  async ({ stage }) => {
    let aborted = 0;
    await stage.instance("web-1.1", (incoming, response) => {
      response.on("close", () => {
        if (!response.writableFinished) aborted += 1;
      });
      if (incoming.url === "/begun") response.write("x".repeat(100_000), () => incoming.socket.destroy());
      else if (incoming.url === "/slow") response.flushHeaders();
      else incoming.socket.destroy();
    });
    await stage.route({ "web-1.1": "available" });
    const session = http2To(stage);
    const cancelled = session.request({ ":path": "/slow" });
    await stage.until(() => stage.heard.some((one) => one.kind === "traffic" && one.upstreams.some(({ total }) => total === 1)));
    cancelled.close(8);
    await stage.until(() => aborted === 1);
    await assert.rejects(ask(session, { ":path": "/begun" }));
    const refused = await ask(session, { ":method": "POST", ":path": "/", accept: "application/json" }, Buffer.from("x"));
    assert.equal(refused.status, 502);
    assert.match(refused.body.toString(), /not sent again/);
    await stage.instance("web-2.1", telling);
    await stage.route({ "web-1.1": "available", "web-2.1": "available" });
    for (let count = 0; count < 20; count += 1) assert.equal((await ask(session, { ":path": `/${count}` })).status, 200);
    session.close();
  },
);

withTls("HTTP/2: trailers pass in both directions, and a 100 and a 103 before the answer", {}, async ({ stage }) => {
  await stage.instance("web-1.1", (incoming, response) => {
    const sum = createHash("sha256");
    incoming.on("data", (chunk: Buffer) => sum.update(chunk));
    incoming.on("end", () => {
      if (incoming.url === "/long") response.write(Buffer.alloc(300_000, "x"));
      else response.write("short");
      response.addTrailers({ "x-sum": sum.digest("hex"), "x-asked": String(incoming.trailers["x-asked"]) });
      response.end();
    });
  });
  await stage.route({ "web-1.1": "available" });
  const session = http2To(stage);
  const body = randomBytes(100_000);
  for (const path of ["/short", "/long"]) {
    const stream = session.request({ ":method": "POST", ":path": path, expect: "100-continue" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-asked": "for it" }));
    await once(stream, "continue");
    stream.end(body);
    let length = 0;
    stream.on("data", (chunk: Buffer) => (length += chunk.length));
    // All of it may come in one read.
    const closed = once(stream, "close");
    const [trailers] = (await once(stream, "trailers")) as [Record<string, unknown>];
    await closed;
    assert.deepEqual([trailers["x-sum"], trailers["x-asked"]], [createHash("sha256").update(body).digest("hex"), "for it"]);
    assert.equal(length, path === "/long" ? 300_000 : 5);
  }
  session.close();
});

withTls(
  "HTTP/2: a small request with its body goes to the node in one piece, and so may be sent again where it lay unread",
  {},
  async ({ stage }) => {
    const heard: string[] = [];
    await stage.rawInstance("web-1.1", (socket) => {
      socket.setEncoding("latin1").on("data", (text: string) => {
        heard.push(text);
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      });
    });
    await stage.route({ "web-1.1": "available" });
    const session = http2To(stage);
    assert.equal((await ask(session, { ":method": "POST", ":path": "/", "content-length": 4 }, Buffer.from("body"))).status, 200);
    assert.match(heard[0] ?? "", /^POST \/ HTTP\/1\.1\r\n[\s\S]*\r\ncontent-length: 4\r\n\r\nbody$/);
    session.close();
  },
);

const noError = 0;
const cancel = 8;

withTls(
  "HTTP/2: an upload that its client gives up is given up at the node; one that stops coming gets a 408",
  { bodyTimeoutMs: 1_500 },
  async ({ stage }) => {
    let bytes = 0;
    const ends: string[] = [];
    await stage.instance("web-1.1", (incoming) => {
      incoming.on("data", (chunk: Buffer) => (bytes += chunk.length));
      incoming.on("error", () => {}).on("close", () => ends.push(`${incoming.url} ${incoming.complete}`));
    });
    await stage.route({ "web-1.1": "available" });
    const client = await FrameClient.open(stage);
    for (const [index, code] of [cancel, noError].entries()) {
      const at = 2 * index + 1;
      const head = { ":method": "POST", ":scheme": "https", ":path": `/${code}`, ":authority": "x" };
      client.send(frame(frameType.headers, endHeaders, at, fields(head)), frame(frameType.data, 0, at, Buffer.alloc(10_000)));
      await stage.until(() => bytes === 10_000 * (index + 1));
      client.send(frame(frameType.reset, 0, at, Buffer.from([0, 0, 0, code])));
      await stage.until(() => ends.length > index);
    }
    client.socket.destroy();
    const session = http2To(stage);
    const stopped = session.request({ ":method": "POST", ":path": "/stopped" });
    stopped.write("something");
    const [headers] = (await once(stopped, "response")) as [Record<string, unknown>];
    assert.equal(headers[":status"], 408);
    await stage.until(() => ends.length === 3);
    assert.deepEqual(ends, ["/8 false", "/0 false", "/stopped false"]);
    session.destroy();
  },
);

/** Two requests that are answered before their clients have ended them, of no body and of one that came whole. */
async function unended(stage: Stage): Promise<FrameClient> {
  await stage.instance("web-1.1", (_, response) => response.end("ok"));
  await stage.route({ "web-1.1": "available" });
  const client = await FrameClient.open(stage);
  const head = (length: number) =>
    fields({ ":method": "POST", ":scheme": "https", ":path": "/", ":authority": "x", "content-length": `${length}` });
  client.send(frame(frameType.headers, endHeaders, 1, head(0)));
  client.send(frame(frameType.headers, endHeaders, 3, head(4)), frame(frameType.data, 0, 3, Buffer.from("body")));
  await stage.until(() => client.of(frameType.data, 1) !== undefined && client.of(frameType.data, 3) !== undefined);
  return client;
}

withTls("HTTP/2: a request of which nothing but its end is to come yet is not reset when it is answered", {}, async ({ stage }) => {
  const client = await unended(stage);
  for (const at of [5, 7]) {
    // By the end of another exchange a reset would be here.
    client.send(frame(frameType.headers, endHeaders | endStream, at, get("/")));
    await stage.until(() => client.of(frameType.data, at) !== undefined);
    assert.deepEqual([client.codeOf(1), client.codeOf(3), client.ended], [null, null, false]);
    for (const late of [1, 3]) if (at === 5) client.send(frame(frameType.data, endStream, late));
  }
  client.socket.destroy();
});

withTls("HTTP/2: one whose end does not come in time is reset, its answer being whole", { bodyTimeoutMs: 400 }, async ({ stage }) => {
  const client = await unended(stage);
  await stage.until(() => client.codeOf(1) === noError && client.codeOf(3) === noError);
  client.socket.destroy();
});

withTls("HTTP/2: an answer before the request's end reaches the client, and the session goes on", {}, async ({ stage }) => {
  await stage.rawInstance("web-1.1", (socket) => {
    socket.once("data", () => socket.end("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno."));
  });
  await stage.route({ "web-1.1": "available" });
  const session = http2To(stage);
  for (let count = 0; count < 3; count += 1) {
    const stream = session.request({ ":method": "POST", ":path": "/" }).on("error", () => {});
    stream.write(Buffer.alloc(200_000));
    const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
    assert.equal(headers[":status"], 413);
    stream.resume().end();
    await once(stream, "close");
  }
  session.close();
});

withTls("HTTP/2: a client whose connection ends, with no word before, has gone: what it asked for is given up", {}, async ({ stage }) => {
  let asked = 0;
  let gone = 0;
  await stage.instance("web-1.1", (_, response) => {
    asked += 1;
    response.on("close", () => (gone += 1));
  });
  await stage.route({ "web-1.1": "available" });
  for (const leave of ["end", "destroy"] as const) {
    const client = await FrameClient.open(stage);
    client.send(frame(frameType.headers, endHeaders | endStream, 1, get("/")));
    await stage.until(() => asked === gone + 1);
    client.socket[leave]();
    await stage.until(() => asked === gone);
  }
  await stage.until(() => stage.heard.findLast((one) => one.kind === "traffic")?.connections === 0);
});

withTls("HTTP/2: a client that waits to be told to go on is not late", { bodyTimeoutMs: 3_000 }, async ({ stage }) => {
  let goOn: (() => void) | null = null;
  const server = await stage.instance("web-1.1", telling);
  server.on("checkContinue", (incoming, response) => {
    goOn = () => {
      response.writeContinue();
      telling(incoming, response);
    };
  });
  await stage.route({ "web-1.1": "available" });
  const session = http2To(stage);
  const post = { ":method": "POST", ":path": "/" };
  const statuses: unknown[] = [];
  const waiting = session.request({ ...post, expect: "100-continue" });
  waiting.on("continue", () => waiting.end("abc"));
  waiting.on("response", (headers) => statuses.push(headers[":status"])).resume();
  await stage.until(() => goOn !== null);
  // One that came later is late by now.
  const late = session.request(post);
  late.on("response", (headers) => statuses.push(headers[":status"])).resume();
  await stage.until(() => statuses.length > 0);
  (goOn as unknown as () => void)(); // set by the handler, which the compiler does not see
  await stage.until(() => statuses.length === 2);
  assert.deepEqual(statuses, [408, 200]);
  session.destroy();
});
