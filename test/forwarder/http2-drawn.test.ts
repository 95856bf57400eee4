/** HTTP/2: resets that a client draws from us, one stream after the other, each with its request in process (CVE-2025-8671). */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { endHeaders, endStream, FrameClient, fields, frame, frameType, resetsAllowed } from "./http2-frames.ts";
import { ask, http2To, withTls } from "./secure-stage.ts";

const post = { ":method": "POST", ":scheme": "https", ":path": "/flood", ":authority": "x" };
const data = (stream: number, text: string, flags = 0) => frame(frameType.data, flags, stream, Buffer.from(text));
const window = (stream: number, bytes: number) => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return frame(frameType.window, 0, stream, payload);
};
const announced = { ...post, "content-length": "5" };

const draws: readonly (readonly [string, Readonly<Record<string, string>>, (stream: number) => Buffer])[] = [
  ["more than was said", announced, (stream) => data(stream, "sixsix")],
  ["less than was said", announced, (stream) => data(stream, "two", endStream)],
  ["trailers that speak of framing", post, (stream) => frame(frameType.headers, endHeaders | endStream, stream, fields({ host: "y" }))],
  ["trailers that are no end", post, (stream) => frame(frameType.headers, endHeaders, stream, fields({ "x-a": "1" }))],
  ["no window at all", post, (stream) => window(stream, 0)],
  ["a window larger than there is", post, (stream) => window(stream, 0x7fff_ffff)],
];

for (const [what, head, draw] of draws)
  withTls(`HTTP/2: a flood of streams that end by ${what} ends its session; others are served`, {}, async ({ stage }) => {
    const beganMs = performance.now();
    let asked = 0;
    const held: ServerResponse[] = [];
    await stage.instance("web-1.1", (incoming, response) => {
      incoming.on("error", () => {});
      if (incoming.url !== "/flood") return void response.end("ok");
      asked += 1;
      held.push(response);
    });
    await stage.route({ "web-1.1": "available" });
    const client = await FrameClient.open(stage);
    let stream = 1;
    for (; stream < 6_000 && !client.ended; stream += 100) {
      const row = Array.from({ length: 50 }, (_, at) => stream + 2 * at);
      client.send(...row.map((one) => frame(frameType.headers, endHeaders, one, fields(head))));
      const before = asked;
      await stage.until(() => asked === before + row.length || client.ended);
      client.send(...row.map(draw), window(0, 4_096)); // some are told why
    }
    await stage.until(() => client.ended);
    assert.ok(asked <= resetsAllowed(beganMs) + 100, `${asked} requests reached the node`);
    const other = http2To(stage);
    assert.equal((await ask(other, { ":path": "/" })).status, 200);
    other.close();
  });
