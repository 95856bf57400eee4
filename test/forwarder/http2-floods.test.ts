/** HTTP/2: what costs a client little may not cost us much: floods of frames, heads that unpack, answers that nobody reads. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { fuzzingOf, holds, testFile } from "./fuzzing.ts";
import { endHeaders, endStream, FrameClient, fields, frame, frameType, get } from "./http2-frames.ts";
import { ask, http2To, telling, withTls } from "./secure-stage.ts";
import type { Stage } from "./stage.ts";

const { data, headers, ping, reset, settings, window } = frameType;
const enhanceYourCalm = 11;
const rssBytes = ({ process: { pid } }: Stage) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
const post = fields({ ":method": "POST", ":scheme": "https", ":path": "/open", ":authority": "x" });
const uint32 = (value: number) => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value]);

/** `/open` is never answered, `/large` with 4 MiB, all else at once. */
async function opened(stage: Stage): Promise<void> {
  const large = Buffer.alloc(4 * 1024 * 1024, "x");
  await stage.instance("web-1.1", (incoming, response) => {
    if (incoming.url === "/large") response.end(large);
    else if (incoming.url !== "/open") telling(incoming, response);
  });
  await stage.route({ "web-1.1": "available" });
}

/** Sends again and again until the connection ends; false: it does not. */
async function endsBy(client: FrameClient, bytes: Buffer): Promise<boolean> {
  const isOver = () => client.ended || client.socket.destroyed;
  for (const endMs = Date.now() + 20_000; !isOver() && Date.now() < endMs; )
    await new Promise<void>((resolve) => client.socket.write(bytes, () => setImmediate(resolve)));
  return isOver();
}

async function othersAreServed(stage: Stage): Promise<void> {
  const session = http2To(stage);
  assert.equal((await ask(session, { ":path": "/" })).status, 200);
  session.close();
}

const floods: readonly (readonly [string, Buffer])[] = [
  ["pings", frame(ping, 0, 0, Buffer.alloc(8))],
  ["settings", frame(settings, 0, 0)],
  ["acknowledgements", frame(settings, 1, 0)],
  ["data without a byte", frame(data, 0, 1)],
  ["data that is padding", frame(data, 8, 1, Buffer.from([1, 0]))],
  ["priorities", frame(2, 0, 3, Buffer.alloc(5))],
  ["frames that nobody knows", frame(0xfa, 0, 0)],
  ["resets of what is over", frame(reset, 0, 3, uint32(8))],
];

withTls("HTTP/2 floods: frames that bring nothing end their connection, whether or not their client reads", {}, async ({ stage }) => {
  await opened(stage);
  // Two of them are answered.
  for (const [what, bytes] of floods)
    for (const reads of what === "pings" || what === "settings" ? [true, false] : [true]) {
      const client = await FrameClient.open(stage);
      client.send(frame(headers, endHeaders, 1, post), frame(headers, endHeaders, 3, post), frame(reset, 0, 3, uint32(8)));
      if (!reads) client.socket.pause();
      assert.ok(await endsBy(client, Buffer.concat(Array.from({ length: 100 }, () => bytes))), what);
      if (reads) assert.equal(client.codeOf(0), enhanceYourCalm, what);
      client.socket.destroy();
    }
  await othersAreServed(stage);
});

withTls("HTTP/2 floods: windows that open by a byte at a time end their connection; by more they do not", {}, async ({ stage }) => {
  await opened(stage);
  const drops = await FrameClient.open(stage, Buffer.from([0, 4, 0, 0, 0, 0]));
  drops.send(frame(headers, endHeaders | endStream, 1, get("/large")));
  assert.ok(await endsBy(drops, frame(window, 0, 1, uint32(1))));
  assert.equal(drops.codeOf(0), enhanceYourCalm);
  const client = await FrameClient.open(stage, Buffer.from([0, 4, 0, 0, 0, 0]));
  client.send(frame(headers, endHeaders | endStream, 1, get("/large")));
  client.send(frame(settings, 1, 0));
  let bytes = 0;
  let looked = 0;
  for (let wanted = 1_000; wanted <= 3_000_000 && !client.ended; wanted += 1_000) {
    client.send(frame(window, 0, 1, uint32(1_000)), frame(window, 0, 0, uint32(1_000)));
    while (bytes < wanted && !client.ended) {
      await once(client.socket, "data");
      for (; looked < client.frames.length; looked += 1)
        if (client.frames[looked]?.type === data) bytes += client.frames[looked]?.payload.length ?? 0;
    }
  }
  assert.deepEqual([bytes, client.ended], [3_000_000, false]);
  client.socket.destroy();
});

withTls("HTTP/2 floods: a head that unpacks to much is answered with 431, and keeps nothing", {}, async ({ stage }) => {
  await opened(stage);
  const before = rssBytes(stage);
  const client = await FrameClient.open(stage);
  const long = Buffer.concat([Buffer.from([0x40, 1, 0x78, 0x7f, 0x81, 0x1e]), Buffer.alloc(0x7f + 0xf01, "v")]); // remembered, 3,968 bytes
  client.send(frame(headers, endHeaders | endStream, 1, Buffer.concat([get("/"), long])));
  const bomb = Buffer.concat([get("/"), Buffer.alloc(12_000, 0xbe)]); // 48 MB
  for (let at = 3; at < 203; at += 2) client.send(frame(headers, endHeaders | endStream, at, bomb));
  await stage.until(() => client.of(data, 201) !== undefined);
  for (let at = 3; at < 203; at += 2) assert.match(client.of(data, at)?.payload.toString() ?? "", /^431/);
  assert.ok(rssBytes(stage) - before < 100 * 1024 * 1024);
  client.socket.destroy();
});

withTls("HTTP/2 floods: a client that asks and does not read is held back, and does not fill the memory", {}, async ({ stage }) => {
  const fill = "x".repeat(8_000);
  let asked = 0;
  await stage.instance("web-1.1", (_, response) => {
    asked += 1;
    response.setHeader("x-fill", fill).end();
  });
  await stage.route({ "web-1.1": "available" });
  const before = rssBytes(stage);
  const client = await FrameClient.open(stage);
  client.socket.pause();
  // Without a body no window holds them back.
  const head = fields({ ":method": "HEAD", ":scheme": "https", ":path": "/", ":authority": "x", "x-fill": "x".repeat(100) });
  let sent = 0;
  for (let goesOn = true; goesOn; ) {
    for (let count = 0; count < 90; count += 1, sent += 1) client.send(frame(headers, endHeaders | endStream, 2 * sent + 1, head));
    assert.ok(sent < 20_000 && !client.ended, `${sent} were asked`);
    goesOn = await stage
      .until(() => asked === sent, 2_000)
      .then(
        () => true,
        () => false,
      );
  }
  const grownBytes = rssBytes(stage) - before;
  assert.ok(grownBytes < 50 * 1024 * 1024, `${grownBytes} bytes more`);
  client.socket.destroy();
  await othersAreServed(stage);
});

withTls("fuzz: HTTP/2: frames by chance, cut and broken: each connection ends or goes on, and others are served", {}, async ({ stage }) => {
  await opened(stage);
  const stream = fc.constantFrom(1, 1, 3, 5, 0, 2);
  const block = fc.oneof(
    fc.constantFrom(get("/"), get("/large"), post, fields({ a: "b" })),
    fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
  );
  const some = fc.oneof(
    fc.tuple(stream, fc.constantFrom(0x4, 0x5, 0x5, 0x0, 0x2d), block).map(([at, flags, bytes]) => frame(headers, flags, at, bytes)),
    fc
      .tuple(stream, fc.constantFrom(0, 1, 8), fc.uint8Array({ maxLength: 50 }))
      .map(([at, flags, bytes]) => frame(data, flags, at, Buffer.from(bytes))),
    fc.tuple(stream, fc.constantFrom(0, 4), block).map(([at, flags, bytes]) => frame(frameType.continuation, flags, at, bytes)),
    fc
      .tuple(stream, fc.integer({ min: 0, max: 10 }), fc.uint8Array({ maxLength: 12 }))
      .map(([at, type, bytes]) => frame(type, 0, at, Buffer.from(bytes))),
    fc.tuple(stream, fc.nat(0x7fff_ffff)).map(([at, bytes]) => frame(window, 0, at, uint32(bytes))),
    fc.nat(100_000).map((bytes) => frame(settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), uint32(bytes)]))),
    stream.map((at) => frame(reset, 0, at, uint32(8))),
  );
  const change = fc.tuple(fc.nat(10_000), fc.nat(255));
  const property = fc.asyncProperty(
    fc.array(some, { minLength: 1, maxLength: 12 }),
    fc.array(change, { maxLength: 3 }),
    fc.array(fc.nat(10_000), { maxLength: 4 }),
    async (frames, changes, places) => {
      const bytes = Buffer.concat(frames);
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      const client = await FrameClient.open(stage);
      const cuts = [...places.map((place) => place % bytes.length).sort((a, b) => a - b), bytes.length];
      for (const [index, end] of cuts.entries()) {
        client.socket.write(bytes.subarray(index === 0 ? 0 : cuts[index - 1], end));
        await new Promise((resolve) => setImmediate(resolve));
      }
      const mark = Buffer.from("the mark");
      client.socket.end(frame(ping, 0, 0, mark));
      await stage.until(() => client.ended);
      assert.equal(stage.process.exitCode, null);
    },
  );
  await holds(property, fuzzingOf(150), testFile("http2-floods.test.ts"));
  await othersAreServed(stage);
  await stage.until(() => stage.heard.findLast((one) => one.kind === "traffic")?.upstreams.every(({ total }) => total === 0) === true);
});
