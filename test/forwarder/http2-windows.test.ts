/** HTTP/2: flow control in both directions, and peers that set it as they like. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type IncomingHttpHeaders } from "node:http2";
import fc from "fast-check";
import { fuzzingOf, holds, testFile } from "./fuzzing.ts";
import { endHeaders, endStream, FrameClient, frame, frameType, get } from "./http2-frames.ts";
import { ask, http2To, telling, toldIn, withTls } from "./secure-stage.ts";
import type { Stage } from "./stage.ts";

const { data, headers, ping, settings, window } = frameType;
const uint32 = (value: number) => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value]);
const initialWindow = (bytes: number) => Buffer.concat([Buffer.from([0, 4]), uint32(bytes)]);
const rssBytes = ({ process: { pid } }: Stage) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
const lengths = (client: FrameClient, stream: number) =>
  client.frames.filter((one) => one.type === data && one.stream === stream).map(({ payload }) => payload.length);

/** All that was asked before has been answered: a ping was. */
async function settled(stage: Stage, client: FrameClient): Promise<void> {
  const before = client.frames.length;
  client.send(frame(ping, 0, 0, Buffer.alloc(8)));
  await stage.until(() => client.frames.slice(before).some(({ type }) => type === ping));
}

withTls("HTTP/2 windows: data goes as far as stream and connection allow, and a window may become negative", {}, async ({ stage }) => {
  await stage.instance("web-1.1", (_, response) => response.end(Buffer.alloc(100_000, "x")));
  await stage.route({ "web-1.1": "available" });
  const client = await FrameClient.open(stage, initialWindow(10));
  client.send(frame(headers, endHeaders | endStream, 1, get("/")));
  await stage.until(() => lengths(client, 1).length > 0);
  client.send(frame(settings, 0, 0, initialWindow(4)), frame(window, 0, 1, uint32(6)));
  await settled(stage, client);
  assert.deepEqual(lengths(client, 1), [10], "the window is at zero");
  client.send(frame(window, 0, 1, uint32(5)));
  await settled(stage, client);
  assert.deepEqual(lengths(client, 1), [10, 5]);
  client.send(frame(settings, 0, 0, initialWindow(4 + 7)));
  await settled(stage, client);
  assert.deepEqual(lengths(client, 1), [10, 5, 7]);
  // The connection has 65,535 in all.
  client.send(frame(window, 0, 1, uint32(1_000_000)));
  const sum = () => lengths(client, 1).reduce((all, one) => all + one, 0);
  await stage.until(() => sum() === 65_535);
  await settled(stage, client);
  assert.equal(sum(), 65_535);
  client.send(frame(window, 0, 0, uint32(1_000_000)));
  await stage.until(() => sum() === 100_000);
  assert.equal(client.frames.filter(({ stream, flags, type }) => type === data && stream === 1 && flags === endStream).length, 1);
  client.socket.destroy();
});

withTls("HTTP/2 windows: streams that wait share what the connection has, in turns", {}, async ({ stage }) => {
  await stage.instance("web-1.1", (_, response) => response.end(Buffer.alloc(200_000, "x")));
  await stage.route({ "web-1.1": "available" });
  const client = await FrameClient.open(stage, initialWindow(1_000_000));
  for (const at of [1, 3, 5, 7]) client.send(frame(headers, endHeaders | endStream, at, get("/")));
  await stage.until(() => [1, 3, 5, 7].every((at) => client.of(headers, at) !== undefined));
  await settled(stage, client);
  const before = client.frames.length;
  client.send(frame(window, 0, 0, uint32(400_000)));
  await stage.until(() => [1, 3, 5, 7].reduce((all, at) => all + lengths(client, at).reduce((a, b) => a + b, 0), 0) === 465_535);
  const later = client.frames.slice(before).filter(({ type }) => type === data);
  const shares = [1, 3, 5, 7].map((at) =>
    later.filter(({ stream }) => stream === at).reduce((all, { payload }) => all + payload.length, 0),
  );
  assert.ok(Math.max(...shares) - Math.min(...shares) <= 2 * 16_384, `${shares}`);
  client.socket.destroy();
});

withTls("HTTP/2 windows: a stream without end to a client that reads slowly takes no memory", {}, async ({ stage }) => {
  const piece = Buffer.alloc(256 * 1024, "x");
  await stage.instance("web-1.1", (_, response) => {
    const write = () => {
      while (!response.destroyed && response.write(piece));
    };
    response.on("drain", write);
    write();
  });
  await stage.route({ "web-1.1": "available" });
  const session = http2To(stage);
  const stream = session.request({ ":path": "/" }).on("error", () => {});
  let bytes = 0;
  const until = async (wanted: number) => {
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length;
      if (bytes >= wanted) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await until(64 * 1024 * 1024);
  const before = rssBytes(stage);
  await until(512 * 1024 * 1024);
  const grownBytes = rssBytes(stage) - before;
  assert.ok(grownBytes < 64 * 1024 * 1024, `${grownBytes} bytes more`);
  session.destroy();
});

withTls(
  "HTTP/2 windows: an upload that rests leaves others on its connection room, and goes on in order",
  { saveBodyBytesMax: 1_024 },
  async ({ stage }) => {
    let read: () => void = () => {};
    await stage.instance("web-1.1", (incoming, response) => {
      if (incoming.url === "/rests") read = () => telling(incoming, response);
      else telling(incoming, response);
    });
    await stage.route({ "web-1.1": "available" });
    const session = http2To(stage);
    const body = randomBytes(3 * 1024 * 1024);
    const sum = createHash("sha256").update(body).digest("hex");
    const rests = ask(session, { ":method": "POST", ":path": "/rests" }, body);
    for (let count = 0; count < 5; count += 1)
      assert.equal(toldIn(await ask(session, { ":method": "POST", ":path": "/" }, body)).sha256, sum);
    read();
    assert.equal(toldIn(await rests).sha256, sum);
    session.close();
  },
);

const size = fc.oneof(fc.nat(100), fc.nat(20_000), fc.nat(200_000));
const name = fc.stringMatching(/^x-[a-z0-9_-]{1,20}$/);
const value = fc.stringMatching(/^([\x21-\x7e\xa1-\xff]([\x20-\x7e\xa1-\xff\t]{0,60}[\x21-\x7e\xa1-\xff])?)?$/);
const named = fc.uniqueArray(fc.tuple(name, value), { maxLength: 12, selector: ([one]) => one });

withTls(
  "HTTP/2 windows: three uploads that rest leave a fourth on their connection the room that they do not hold",
  { saveBodyBytesMax: 1_024 },
  async ({ stage }) => {
    let rests = 0;
    await stage.instance("web-1.1", (incoming, response) => {
      if (incoming.url === "/rests") rests += 1;
      else telling(incoming, response);
    });
    await stage.route({ "web-1.1": "available" });
    const session = http2To(stage);
    const body = randomBytes(2 * 1024 * 1024);
    const sum = createHash("sha256").update(body).digest("hex");
    const resting = Array.from({ length: 3 }, () => session.request({ ":method": "POST", ":path": "/rests" }).on("error", () => {}));
    for (const stream of resting) stream.end(body);
    await stage.until(() => rests === resting.length);
    for (let count = 0; count < 2; count += 1)
      assert.equal(toldIn(await ask(session, { ":method": "POST", ":path": "/goes" }, body)).sha256, sum);
    session.destroy();
  },
);

withTls(
  "HTTP/2 windows: an upload that may not send, since others rest, is not late",
  { saveBodyBytesMax: 1_024, bodyTimeoutMs: 3_000 },
  async ({ stage }) => {
    const resting: (() => void)[] = [];
    await stage.instance("web-1.1", (incoming, response) => {
      if (incoming.url === "/rests") resting.push(() => telling(incoming, response));
      else telling(incoming, response);
    });
    await stage.route({ "web-1.1": "available" });
    const session = http2To(stage);
    const body = randomBytes(1024 * 1024);
    const post = (path: string) => ask(session, { ":method": "POST", ":path": path }, body);
    // Each may hold between half of its window and all of it: so many hold all of their connection's.
    const rests = Array.from({ length: 12 }, () => post("/rests"));
    await stage.until(() => resting.length === rests.length && session.state.remoteWindowSize === 0);
    const waits = post("/goes");
    // One that came later is late by now.
    const other = http2To(stage);
    const silent = other.request({ ":method": "POST", ":path": "/goes" });
    const [head] = (await once(silent, "response")) as [IncomingHttpHeaders]; // what `response` brings
    assert.equal(head[":status"], 408);
    other.destroy();
    for (const goOn of resting) goOn();
    for (const answer of await Promise.all([...rests, waits])) assert.equal(toldIn(answer).bytes, body.length);
    session.destroy();
  },
);

withTls(
  "fuzz: HTTP/2: heads, bodies, trailers and answers are the same on both sides, whatever a client's settings are",
  {},
  async ({ stage }) => {
    await stage.instance("web-1.1", (incoming, response) => {
      const hash = createHash("sha256");
      incoming.on("data", (chunk: Buffer) => hash.update(chunk));
      incoming.on("end", () => {
        const { fields: wanted, bytes } = JSON.parse(Buffer.from(String(incoming.headers["x-wish"]), "base64").toString()) as {
          fields: [string, string][];
          bytes: number;
        };
        for (const [one, said] of wanted) response.setHeader(one, said);
        response.setHeader(
          "x-told",
          Buffer.from(JSON.stringify([incoming.rawHeaders, incoming.rawTrailers, hash.digest("hex")])).toString("base64"),
        );
        response.end(Buffer.alloc(bytes, "y"));
      });
    });
    await stage.route({ "web-1.1": "available" });
    const property = fc.asyncProperty(
      fc.record({
        settings: fc.record({
          headerTableSize: fc.constantFrom(0, 100, 4096, 65_536),
          initialWindowSize: fc.constantFrom(300, 16_384, 65_535, 1_000_000),
          maxFrameSize: fc.constantFrom(16_384, 100_000),
        }),
        paddingStrategy: fc.constantFrom(0, 1, 2),
        exchanges: fc.array(fc.record({ up: size, down: size, asked: named, trailers: named, answered: named }), {
          minLength: 1,
          maxLength: 6,
        }),
      }),
      async ({ settings: own, paddingStrategy, exchanges }) => {
        const session = connect(`https://127.0.0.1:${stage.port}`, { rejectUnauthorized: false, settings: own, paddingStrategy });
        await Promise.all(
          exchanges.map(async ({ up, down, asked, trailers, answered }) => {
            const wish = Buffer.from(JSON.stringify({ fields: answered, bytes: down })).toString("base64");
            const stream = session.request(
              { ":method": "POST", ":path": "/", ...Object.fromEntries(asked), "x-wish": wish },
              { waitForTrailers: true },
            );
            stream.on("wantTrailers", () => stream.sendTrailers(Object.fromEntries(trailers)));
            stream.end(Buffer.alloc(up, "x"));
            let bytes = 0;
            stream.on("data", (chunk: Buffer) => (bytes += chunk.length));
            const closed = once(stream, "close");
            const [got] = (await once(stream, "response")) as [Record<string, unknown>];
            await closed;
            assert.deepEqual([got[":status"], stream.rstCode, bytes], [200, 0, down]);
            assert.deepEqual(
              answered.map(([one]) => got[one]),
              answered.map(([, said]) => said),
            );
            const [raw, rawTrailers, sum] = JSON.parse(Buffer.from(String(got["x-told"]), "base64").toString()) as [
              string[],
              string[],
              string,
            ];
            const own = raw.flatMap((one, at) => (at % 2 === 0 && /^x-/.test(one) ? [[one, raw[at + 1] ?? ""]] : []));
            assert.deepEqual(own.slice(1, -1), asked);
            assert.deepEqual(rawTrailers, trailers.flat());
            assert.equal(sum, createHash("sha256").update(Buffer.alloc(up, "x")).digest("hex"));
          }),
        );
        session.close();
      },
    );
    await holds(property, fuzzingOf(40), testFile("http2-windows.test.ts"));
  },
);
