/** What a client of HTTP/2 may not do, frame by frame, and which error it is by RFC 9113: of the stream, or of the connection. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:tls";
import { endHeaders, endStream, FrameClient, fields, frame, frameType, get } from "./http2-frames.ts";
import { ask, http2To, telling, withTls } from "./secure-stage.ts";
import type { Stage } from "./stage.ts";

const { continuation, data, headers, ping, reset, settings, window } = frameType;
const priority = 2;
const pushPromise = 5;
const code = {
  protocol: 1,
  flowControl: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSize: 6,
  refused: 7,
  cancel: 8,
  compression: 9,
  calm: 11,
};

const uint32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const setting = (id: number, value: number) => Buffer.concat([Buffer.from([0, id]), uint32(value)]);
const post = fields({ ":method": "POST", ":scheme": "https", ":path": "/open", ":authority": "x" });
const request = (stream: number, path: string) => frame(headers, endHeaders | endStream, stream, get(path));
const upload = (stream: number) => frame(headers, endHeaders, stream, post);
const most = uint32(2 ** 31 - 1);

/** How the forwarder took what was sent: an error of the connection, resets by stream, or nothing of the kind. */
async function verdictOn(stage: Stage, client: FrameClient): Promise<string> {
  const mark = Buffer.from("the mark");
  client.send(frame(ping, 0, 0, mark));
  const marked = () => client.frames.some(({ type, flags, payload }) => type === ping && flags === 1 && payload.equals(mark));
  await stage.until(() => marked() || client.ended);
  client.socket.destroy();
  const last = client.codeOf(0);
  if (last !== null) return `connection ${last}`;
  const resets = client.frames.filter(({ type }) => type === reset).map(({ stream, payload }) => `${stream}: ${payload.readUInt32BE(0)}`);
  return resets.length === 0 ? "fine" : resets.join(", ");
}

/** `/open` is never answered, all else at once. */
async function opened(stage: Stage): Promise<void> {
  await stage.instance("web-1.1", (incoming, response) => {
    if (incoming.url !== "/open") telling(incoming, response);
  });
  await stage.route({ "web-1.1": "available" });
}

withTls(
  "HTTP/2 errors: what comes after the end is one also while the upload waits for a node",
  { saveBodyBytesMax: 0 },
  async ({ stage }) => {
    const late = [frame(data, 0, 1, Buffer.from("x")), frame(headers, endHeaders | endStream, 1, fields({ a: "b" }))];
    for (const what of late) {
      const client = (await FrameClient.open(stage)).send(upload(1), frame(ping, 0, 0, Buffer.alloc(8)));
      await stage.until(() => client.frames.some(({ type, flags }) => type === ping && flags === 1));
      client.send(frame(data, 0, 1, Buffer.from("a")), frame(data, endStream, 1, Buffer.from("b")), what);
      assert.equal(await verdictOn(stage, client), `1: ${code.streamClosed}`);
    }
  },
);

withTls("HTTP/2 errors: a sequence of frames that is none is answered as the RFC says", {}, async ({ stage }) => {
  await opened(stage);
  const cases: readonly (readonly [string, string, readonly Buffer[]])[] = [
    // §5.1: what no stream is, or is no longer
    ["data on an idle stream", `connection ${code.protocol}`, [frame(data, 0, 1, Buffer.from("x"))]],
    ["a reset of an idle stream", `connection ${code.protocol}`, [frame(reset, 0, 1, uint32(8))]],
    ["a window for an idle stream", `connection ${code.protocol}`, [frame(window, 0, 1, uint32(8))]],
    ["a priority for an idle stream", "fine", [frame(priority, 0, 1, Buffer.alloc(5))]],
    ["a stream of even number", `connection ${code.protocol}`, [request(2, "/")]],
    ["a window for one of even number", `connection ${code.protocol}`, [request(3, "/open"), frame(window, 0, 2, uint32(8))]],
    ["a lower number than before", `connection ${code.protocol}`, [request(5, "/open"), request(3, "/")]],
    ["data after the end", `1: ${code.streamClosed}`, [request(1, "/open"), frame(data, 0, 1, Buffer.from("x"))]],
    [
      "a head after the end",
      `1: ${code.streamClosed}`,
      [request(1, "/open"), frame(headers, endHeaders | endStream, 1, fields({ a: "b" }))],
    ],
    ["data after the client's reset", `connection ${code.streamClosed}`, [upload(1), frame(reset, 0, 1, uint32(8)), frame(data, 0, 1)]],
    ["a head after the client's reset", `connection ${code.streamClosed}`, [upload(1), frame(reset, 0, 1, uint32(8)), upload(1)]],
    ["a window after the client's reset", "fine", [upload(1), frame(reset, 0, 1, uint32(8)), frame(window, 0, 1, uint32(8))]],
    ["a reset after the client's reset", "fine", [upload(1), frame(reset, 0, 1, uint32(8)), frame(reset, 0, 1, uint32(8))]],
    ["what comes after our reset", `1: ${code.protocol}`, [frame(headers, endHeaders, 1, fields({ A: "b" })), frame(data, endStream, 1)]],
    // §4.1, §5.5: what nobody knows
    ["a frame of no known type", "fine", [frame(0xfa, 0xff, 99, Buffer.from("x"))]],
    ["a setting that nobody knows", "fine", [frame(settings, 0, 0, setting(0xfa, 7))]],
    ["a bit that is reserved", "fine", [frame(window, 0, 0x8000_0000, uint32(0x8000_0001))]],
    // §6
    ["a promise", `connection ${code.protocol}`, [frame(pushPromise, endHeaders, 1, Buffer.alloc(4))]],
    ["a frame that is too large", `connection ${code.frameSize}`, [upload(1), frame(data, 0, 1, Buffer.alloc(16_385))]],
    ["a window of nothing", `1: ${code.protocol}`, [upload(1), frame(window, 0, 1, uint32(0))]],
    ["a connection's window of nothing", `connection ${code.protocol}`, [frame(window, 0, 0, uint32(0))]],
    ["a window past all bounds", `1: ${code.flowControl}`, [upload(1), frame(window, 0, 1, most)]],
    ["a connection's window past all bounds", `connection ${code.flowControl}`, [frame(window, 0, 0, most)]],
    [
      "windows past all bounds by a setting",
      `connection ${code.flowControl}`,
      [upload(1), frame(window, 0, 1, uint32(2 ** 31 - 1 - 65_535)), frame(settings, 0, 0, setting(4, 65_536))],
    ],
    ["a setting past all bounds", `connection ${code.flowControl}`, [frame(settings, 0, 0, setting(4, 2 ** 31))]],
    ["a push that is neither on nor off", `connection ${code.protocol}`, [frame(settings, 0, 0, setting(2, 2))]],
    ["another frame within a head", `connection ${code.protocol}`, [frame(headers, 0, 1, post), frame(ping, 0, 0, Buffer.alloc(8))]],
    ["another stream's continuation", `connection ${code.protocol}`, [frame(headers, 0, 1, post), frame(continuation, endHeaders, 3)]],
    ["fields that are no HPACK", `connection ${code.compression}`, [frame(headers, endHeaders, 1, Buffer.from([0xff, 0xff, 0xff]))]],
    [
      "trailers that are no HPACK, of a stream that was reset",
      `connection ${code.compression}`,
      [frame(headers, endHeaders, 1, fields({ A: "b" })), frame(headers, endHeaders | endStream, 1, Buffer.from([0x80]))],
    ],
    // §8.1: what no request is
    ["a second head", `1: ${code.protocol}`, [upload(1), frame(headers, endHeaders, 1, fields({ a: "b" }))]],
    ["a pseudo-field in trailers", `1: ${code.protocol}`, [upload(1), frame(headers, endHeaders | endStream, 1, fields({ ":path": "/" }))]],
    ["no path", `1: ${code.protocol}`, [frame(headers, endHeaders | endStream, 1, fields({ ":method": "GET", ":scheme": "https" }))]],
    ["an empty path", `1: ${code.protocol}`, [request(1, "")]],
    ["an empty name", `1: ${code.protocol}`, [frame(headers, endHeaders, 1, Buffer.concat([post, fields({ "": "x" })]))]],
    ["a path twice", `1: ${code.protocol}`, [frame(headers, endHeaders, 1, Buffer.concat([post, fields({ ":path": "/" })]))]],
    ["a scheme twice", `1: ${code.protocol}`, [frame(headers, endHeaders, 1, Buffer.concat([post, fields({ ":scheme": "http" })]))]],
    [
      "a pseudo-field that nobody knows",
      `1: ${code.protocol}`,
      [frame(headers, endHeaders, 1, Buffer.concat([fields({ ":x": "/" }), post]))],
    ],
  ];
  for (const [what, verdict, frames] of cases)
    assert.equal(await verdictOn(stage, (await FrameClient.open(stage)).send(...frames)), verdict, what);
  const session = http2To(stage);
  assert.equal((await ask(session, { ":path": "/" })).status, 200);
  session.close();
});

withTls("HTTP/2 errors: a stream that is over in order is closed; a refused one may still send", {}, async ({ stage }) => {
  await opened(stage);
  const over = await FrameClient.open(stage);
  over.send(request(1, "/"));
  await stage.until(() => over.frames.some(({ stream, flags }) => stream === 1 && (flags & endStream) !== 0));
  assert.equal(await verdictOn(stage, over.send(request(1, "/"))), `connection ${code.streamClosed}`);
  const refused = await FrameClient.open(stage);
  for (let at = 1; at <= 203; at += 2) refused.send(upload(at));
  refused.send(frame(data, 0, 203, Buffer.from("x")), frame(data, endStream, 203));
  assert.equal(await verdictOn(stage, refused), `201: ${code.refused}, 203: ${code.refused}`);
  const longAgo = await FrameClient.open(stage);
  const malformed = (stream: number) => frame(headers, endHeaders, stream, fields({ A: "b" }));
  for (let at = 1; at <= 601; at += 2) longAgo.send(malformed(at));
  for (const at of [601, 1]) longAgo.send(frame(data, 0, at, Buffer.from("x")));
  assert.match(await verdictOn(stage, longAgo), /^1: 1, 3: 1, .* 601: 1$/);
});

withTls(
  "HTTP/2 errors: a preface that is none, and settings that are not acknowledged in time, end the connection",
  { headTimeoutMs: 2_000 },
  async ({ stage }) => {
    await opened(stage);
    const socket = connect({ host: "127.0.0.1", port: stage.port, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    socket.on("error", () => {}).resume();
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(socket, "end");
    socket.destroy();
    const silent = connect({ host: "127.0.0.1", port: stage.port, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    silent.on("error", () => {}).resume();
    await once(silent, "end");
    silent.destroy();
    const client = await FrameClient.open(stage);
    await stage.until(() => client.ended);
    assert.equal(client.codeOf(0), code.settingsTimeout);
  },
);

withTls(
  "HTTP/2 errors: a head that does not come whole in time ends its connection, others do not",
  { headTimeoutMs: 5_000 },
  async ({ stage }) => {
    await opened(stage);
    const waits = http2To(stage).request({ ":path": "/open" });
    const half = await FrameClient.open(stage);
    half.send(frame(settings, 1, 0), frame(headers, 0, 1, post));
    const quarter = await FrameClient.open(stage);
    quarter.send(frame(settings, 1, 0), frame(headers, endHeaders, 1, post).subarray(0, 20));
    await stage.until(() => half.codeOf(0) === code.calm && quarter.codeOf(0) === code.calm);
    assert.equal(waits.closed, false);
    waits.session?.destroy();
    for (const client of [half, quarter]) client.socket.destroy();
  },
);

withTls("HTTP/2 errors: more data than a window allows resets its stream", { saveBodyBytesMax: 1_024 }, async ({ stage }) => {
  await stage.rawInstance("web-1.1", () => {}, { unread: true });
  await stage.route({ "web-1.1": "available" });
  const client = await FrameClient.open(stage);
  client.send(upload(1));
  const piece = frame(data, 0, 1, Buffer.alloc(16_384));
  for (let count = 0; count < 64; count += 1) client.send(piece);
  assert.equal(await verdictOn(stage, client), `1: ${code.flowControl}`);
});

withTls("HTTP/2 errors: a client that says farewell gets its answers, and the connection ends", {}, async ({ stage }) => {
  const held: (() => void)[] = [];
  await stage.instance("web-1.1", (_, response) => {
    held.push(() => response.end("the answer"));
  });
  await stage.route({ "web-1.1": "available" });
  const client = await FrameClient.open(stage);
  client.send(request(1, "/"), frame(frameType.goAway, 0, 0, Buffer.alloc(8)));
  await stage.until(() => held.length === 1);
  assert.equal(client.ended, false);
  for (const answerIt of held) answerIt();
  await stage.until(() => client.ended);
  assert.equal(client.of(data, 1)?.payload.toString(), "the answer");
  assert.equal(client.codeOf(0), 0);
});

withTls(
  "HTTP/2: told to finish: a request that is on its way meanwhile is answered, one after the last number is not looked at",
  {},
  async ({ stage }) => {
    const asked: (string | undefined)[] = [];
    await stage.instance("web-1.1", (incoming, response) => {
      asked.push(incoming.url);
      response.end("ok");
    });
    await stage.route({ "web-1.1": "available" });
    const [hears, deaf] = [await FrameClient.open(stage), await FrameClient.open(stage)];
    const lastNumbers = (client: FrameClient) =>
      client.frames.filter(({ type }) => type === frameType.goAway).map(({ payload }) => payload.readUInt32BE(0));
    const exited = once(stage.process, "exit");
    stage.process.send({ kind: "finish", deadlineMs: 20_000 });
    await stage.until(() => hears.of(ping, 0) !== undefined && deaf.of(ping, 0) !== undefined);
    assert.deepEqual(lastNumbers(hears), [2 ** 31 - 1]);
    hears.send(request(1, "/on-its-way"));
    await stage.until(() => hears.of(data, 1) !== undefined);
    hears.send(frame(ping, 1, 0, hears.of(ping, 0)?.payload), request(3, "/too-late"));
    await stage.until(() => hears.ended && deaf.ended);
    assert.deepEqual([lastNumbers(hears), lastNumbers(deaf), asked], [[2 ** 31 - 1, 1], [2 ** 31 - 1, 0], ["/on-its-way"]]);
    assert.deepEqual(await exited, [0, null]);
  },
);

withTls(
  "HTTP/2: who would say in steps who it is (NTLM) is asked for HTTP/1.1, and its request is not executed; who says it in one is not",
  {},
  async ({ stage }) => {
    const seen: string[] = [];
    await stage.instance("web-1.1", (incoming, response) => {
      seen.push(incoming.headers.authorization ?? "");
      response.end("ok");
    });
    await stage.route({ "web-1.1": "available" });
    const said = ["NTLM TlRMTVNTUAABAAAA", "negotiate TlRMTVNTUAADAAAA", "Negotiate YIIB", "Basic TlRMTVNTUAABAAAA"];
    const client = await FrameClient.open(stage);
    for (const [at, authorization] of said.entries()) {
      const head = fields({ ":method": "GET", ":scheme": "https", ":path": "/", ":authority": "x", authorization });
      client.send(frame(headers, endHeaders | endStream, 2 * at + 1, head));
    }
    await stage.until(() => client.of(headers, 5) !== undefined && client.of(headers, 7) !== undefined);
    assert.equal(await verdictOn(stage, client), "1: 13, 3: 13");
    assert.deepEqual(seen.sort(), [said[3], said[2]]);
  },
);
