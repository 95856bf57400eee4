/** HTTP/2 that is not as it should be, frame by frame: what is refused, and what a client cannot make the forwarder do. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { endHeaders, endStream, FrameClient, fields, frame, frameType, get, resetsAllowed } from "./http2-frames.ts";
import { ask, http2To, telling, withTls } from "./secure-stage.ts";
import type { Stage } from "./stage.ts";

const rssBytes = ({ process: { pid } }: Stage) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;

withTls(
  "HTTP/2: requests that two servers could read differently are refused: as malformed ones, or by the rules of HTTP/1.1",
  {},
  async ({ stage }) => {
    const seen: string[] = [];
    await stage.instance("web-1.1", (incoming, response) => {
      incoming
        .on("error", () => {})
        .on("end", () => seen.push(incoming.rawHeaders.slice(2).join(" ")))
        .resume();
      response.end("ok");
    });
    await stage.route({ "web-1.1": "available" });
    const post = { ":method": "POST", ":scheme": "https", ":path": "/evil", ":authority": "x" };
    const cases: readonly (readonly [string, Readonly<Record<string, string>>, string | null])[] = [
      ["reset", { ...post, "content-length": "5" }, "four"],
      ["reset", { ...post, "content-length": "3" }, "four"],
      ["reset", { ...post, "content-length": "0" }, "four"],
      ["reset", { ...post, "content-length": "5" }, null],
      ["reset", { ...post, "content-length": "-1" }, "x"],
      ["reset", { ...post, "transfer-encoding": "chunked" }, "0\r\n\r\n"],
      ["reset", { ...post, connection: "close" }, null],
      ["reset", { ...post, "X-Upper": "1" }, null],
      ["reset", { ...post, te: "gzip" }, null],
      ["reset", { ...post, "x-a": "1\r\nhost: y" }, null],
      ["reset", { ...post, "x-b\r\nhost": "y" }, null],
      ["reset", { ...post, "x-a": "1\0" }, null],
      ["reset", { ...post, "x-a": " 1" }, null],
      ["reset", { ...post, ":method": "GET /other" }, null],
      ["reset", { ...post, ":status": "200" }, null],
      ["reset", { "x-first": "1", ...post }, null],
      ["reset", { ...post, ":path": "/a b" }, null],
      ["reset", { ...post, ":path": "evil" }, null],
      ["reset", { ":method": "POST", ":scheme": "https", ":authority": "x" }, null],
      ["reset", { ":method": "POST", ":scheme": "https", ":path": "/evil" }, null],
      ["reset", { ...post, ":authority": "" }, null],
      ["reset", { ...post, ":authority": "", host: "x" }, null],
      ["reset", { ":method": "POST", ":scheme": "https", ":path": "/evil", host: "" }, null],
      ["400", { ...post, content_length: "5" }, null],
      ["400", { ...post, host: "other.example" }, null],
      ["400", { ...post, ":path": "/evil#x" }, null],
      ["400", { ...post, ":path": "/\u00e9vil" }, null],
      ["501", { ...post, ":method": "MAKETEA" }, null],
      ["400", { ":method": "CONNECT", ":authority": "x:443" }, null],
      ["reset", { ...post, ":method": "CONNECT" }, null],
      ["400", { ...post, ":path": "*" }, null],
    ];
    const verdictOn = async (head: Readonly<Record<string, string>>, body: string | null): Promise<string> => {
      const client = await FrameClient.open(stage);
      client.send(frame(frameType.headers, endHeaders | (body === null ? endStream : 0), 1, fields(head)));
      if (body !== null) client.send(frame(frameType.data, endStream, 1, Buffer.from(body)));
      await stage.until(() => client.ended || client.of(frameType.data, 1) !== undefined || client.codeOf(1) !== null);
      client.socket.destroy();
      const answered = client.of(frameType.data, 1)?.payload.toString().slice(0, 3);
      return answered ?? (client.codeOf(1) === null ? "session" : "reset");
    };
    for (const [verdict, head, body] of cases) assert.equal(await verdictOn(head, body), verdict, JSON.stringify(head));
    assert.deepEqual(seen, [], "a refused request was executed");
    assert.equal(await verdictOn(post, null), "ok");
    await stage.until(() => seen.length === 1);
    assert.match(seen[0] ?? "", /^host x$/i);
  },
);

withTls("HTTP/2: a flood of streams that are reset at once ends its session; others are served", {}, async ({ stage }) => {
  const beganMs = performance.now();
  let asked = 0;
  await stage.instance("web-1.1", (incoming, response) => {
    if (incoming.url === "/flood") asked += 1;
    else response.end("ok");
  });
  await stage.route({ "web-1.1": "available" });
  const client = await FrameClient.open(stage);
  const other = http2To(stage);
  for (let at = 1; at < 20_000 && !client.ended; at += 2) {
    client.send(
      frame(frameType.headers, endHeaders | endStream, at, get("/flood")),
      frame(frameType.reset, 0, at, Buffer.from([0, 0, 0, 8])),
    );
    if (at % 1_000 === 1) assert.equal((await ask(other, { ":path": "/" })).status, 200);
  }
  await stage.until(() => client.ended);
  assert.ok(asked <= resetsAllowed(beganMs) + 100, `${asked} requests reached the node`);
  await stage.until(() => stage.heard.some((one) => one.kind === "traffic" && one.connections === 1));
  assert.equal((await ask(other, { ":path": "/" })).status, 200);
  other.close();
});

withTls("HTTP/2: a head without end, in CONTINUATION frames, ends its session", {}, async ({ stage }) => {
  await stage.instance("web-1.1", telling);
  await stage.route({ "web-1.1": "available" });
  const client = await FrameClient.open(stage);
  client.send(frame(frameType.headers, endStream, 1, get("/")));
  const more = frame(frameType.continuation, 0, 1, fields({ "x-a": "v".repeat(100) }));
  let sent = 0;
  for (; sent < 100_000 && !client.ended; sent += 100) {
    client.send(...Array.from({ length: 100 }, () => more));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(client.ended && sent < 100_000);
  const session = http2To(stage);
  assert.equal((await ask(session, { ":path": "/" })).status, 200);
  session.close();
});

withTls("HTTP/2: more streams than were offered are refused; a head that is too long gets its answer", {}, async ({ stage }) => {
  const open: (() => void)[] = [];
  await stage.instance("web-1.1", (_, response) => void open.push(() => response.end("ok")));
  await stage.route({ "web-1.1": "available" });
  const client = await FrameClient.open(stage);
  const streams = Array.from({ length: 120 }, (_, index) => 2 * index + 1);
  for (const at of streams) client.send(frame(frameType.headers, endHeaders | endStream, at, get("/")));
  await stage.until(() => open.length === 100);
  await stage.until(() => streams.filter((at) => client.codeOf(at) !== null).length === 20 || client.ended);
  for (const answer of open) answer();
  await stage.until(() => client.ended || streams.filter((at) => client.of(frameType.data, at) !== undefined).length === 100);
  client.socket.destroy();
  const session = http2To(stage);
  assert.equal((await ask(session, { ":path": "/", "x-long": "x".repeat(34_000) })).status, 431);
  session.close();
});

withTls("HTTP/2: a client that opens no window costs memory that is bounded, and nobody else's time", {}, async ({ stage }) => {
  const large = Buffer.alloc(4 * 1024 * 1024, "x");
  await stage.instance("web-1.1", (_, response) => response.end(large));
  await stage.route({ "web-1.1": "available" });
  const other = http2To(stage);
  for (let count = 0; count < 20; count += 1) await ask(other, { ":path": "/" });
  const before = rssBytes(stage);
  const noWindow = Buffer.from([0, 4, 0, 0, 0, 0]); // SETTINGS_INITIAL_WINDOW_SIZE
  const clients = await Promise.all([1, 2, 3].map(() => FrameClient.open(stage, noWindow)));
  for (const client of clients)
    for (let at = 1; at < 200; at += 2) client.send(frame(frameType.headers, endHeaders | endStream, at, get("/")));
  await stage.until(() => clients.every((client) => client.of(frameType.headers, 199) !== undefined));
  for (let count = 0; count < 20; count += 1) assert.equal((await ask(other, { ":path": "/" })).body.length, large.length);
  const grownBytes = rssBytes(stage) - before;
  // 1,200 MiB were asked for.
  assert.ok(grownBytes < 200 * 1024 * 1024, `${grownBytes} bytes more`);
  for (const client of clients) {
    assert.equal(
      client.frames.some(({ type, payload }) => type === frameType.data && payload.length > 0),
      false,
    );
    client.socket.destroy();
  }
  other.close();
});

withTls("HTTP/2: uploads to a node that reads nothing are held back at their clients", {}, async ({ stage }) => {
  await stage.rawInstance("web-1.1", () => {}, { unread: true });
  await stage.instance("web-2.1", telling);
  await stage.route({ "web-1.1": "available" });
  const before = rssBytes(stage);
  const session = http2To(stage);
  const piece = Buffer.alloc(1024 * 1024);
  const streams = Array.from({ length: 50 }, () => session.request({ ":method": "POST", ":path": "/" }).on("error", () => {}));
  for (const stream of streams) for (let count = 0; count < 16; count += 1) stream.write(piece);
  await stage.until(() => stage.heard.some((one) => one.kind === "traffic" && one.upstreams.some(({ total }) => total === 50)));
  await stage.route({ "web-1.1": "cordoned", "web-2.1": "available" });
  const other = http2To(stage);
  for (let count = 0; count < 10; count += 1) assert.equal((await ask(other, { ":method": "POST", ":path": "/" }, piece)).status, 200);
  // 800 MiB were to be sent; of each request 1 MiB may be kept.
  const grownBytes = rssBytes(stage) - before;
  assert.ok(grownBytes < 250 * 1024 * 1024, `${grownBytes} bytes more`);
  session.destroy();
  await stage.until(() => stage.drained("web-1.1"));
  other.close();
});
