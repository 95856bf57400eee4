/** HTTP/2: a session that ends in order, and a client that takes the last of it slowly. */
import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { endHeaders, endStream, FrameClient, frame, frameType, get } from "./http2-frames.ts";
import { ask, http2To, withTls } from "./secure-stage.ts";
import type { Stage } from "./stage.ts";

const largestWindow = 0x7fff_ffff;
const uint32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const goAway = frame(frameType.goAway, 0, 0, Buffer.alloc(8));
/** What a session's end waits for the client's, and longer. */
const lingerMs = 3_000;
const stepBytes = 8 * 1024;

/** A client whose windows are wide open, that asks and reads nothing. */
async function unreading(stage: Stage, path: string): Promise<FrameClient> {
  const client = await FrameClient.open(stage, Buffer.concat([Buffer.from([0, 4]), uint32(largestWindow)]));
  await stage.until(() => client.frames.filter(({ type }) => type === frameType.settings).length === 2);
  client.socket.pause();
  return client.send(
    frame(frameType.settings, 1, 0),
    frame(frameType.window, 0, 0, uint32(largestWindow - 65_535)),
    frame(frameType.headers, endHeaders | endStream, 1, get(path)),
  );
}

const dataBytes = (client: FrameClient) =>
  client.frames.reduce((bytes, { type, payload }) => bytes + (type === frameType.data ? payload.length : 0), 0);

withTls("HTTP/2: what is still on its way when a session has ended in order arrives, however late it is taken", {}, async ({ stage }) => {
  let takenBytes = 0;
  await stage.instance("web-1.1", (incoming, response) => {
    const bytes = Number(incoming.url?.slice(1));
    if (bytes > 0) return void response.end(Buffer.alloc(bytes));
    // As much as anybody on the way takes.
    const more = () =>
      response.write(Buffer.alloc(stepBytes), () => {
        takenBytes += stepBytes;
        more();
      });
    more();
  });
  await stage.route({ "web-1.1": "available" });
  const probe = await unreading(stage, "/0");
  for (let before = -1; before !== takenBytes; ) {
    before = takenBytes;
    const endMs = Date.now() + 500;
    await stage.until(() => Date.now() > endMs);
  }
  probe.socket.destroy();

  // Of some of these the end lies where the system takes no more, and in no stream either.
  const sizes = Array.from({ length: 64 }, (_, at) => takenBytes - (8 + at) * stepBytes).filter((bytes) => bytes > 0);
  const clients = await Promise.all(sizes.map((bytes) => unreading(stage, `/${bytes}`)));
  for (const { socket } of clients) socket.write(goAway);
  const endMs = Date.now() + lingerMs;
  await stage.until(() => Date.now() > endMs);
  for (const { socket } of clients) socket.resume();
  await stage.until(() => clients.every(({ ended }) => ended));
  assert.deepEqual(clients.map(dataBytes), sizes);
});

withTls("HTTP/2: a 204 that says a length has none, as its client wants it", {}, async ({ stage }) => {
  await stage.instance("web-1.1", (_, response) => response.writeHead(204, { "content-length": 2, "x-a": 1 }).end());
  await stage.route({ "web-1.1": "available" });
  const session = http2To(stage);
  const { status, headers } = await ask(session, { ":path": "/" });
  assert.deepEqual([status, headers["content-length"], headers["x-a"]], [204, undefined, "1"]);
  session.destroy();
});

withTls("HTTP/2: an answer of as many fields as one may have, ended by its connection, comes whole", {}, async ({ stage }) => {
  await stage.rawInstance("web-1.1", (socket) => {
    socket.on("data", () => {
      const lines = Array.from({ length: 256 }, (_, at) => `x-${at}: 1\r\n`);
      socket.end(`HTTP/1.1 200 OK\r\n${lines.join("")}\r\nbody`);
    });
  });
  await stage.route({ "web-1.1": "available" });
  const session = connectHttp2(`https://127.0.0.1:${stage.port}`, { rejectUnauthorized: false, maxHeaderListPairs: 300 });
  const { headers, body } = await ask(session, { ":path": "/" });
  assert.deepEqual([headers["x-255"], body.toString()], ["1", "body"]);
  session.destroy();
});
