/** Interim answers without end (103), which a server may send as many as it likes of, and clients that do not read them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { endHeaders, endStream, FrameClient, frame, frameType, get } from "./http2-frames.ts";
import { withTls } from "./secure-stage.ts";
import { type Stage, withStage } from "./stage.ts";

const floodBytes = 128 * 1024 * 1024;
const grownBytesMax = 48 * 1024 * 1024;
const hint = `HTTP/1.1 103 Early Hints\r\nLink: </${"a".repeat(8_001)}>\r\n\r\n`;

/** At most, so far. */
const rssBytesMax = ({ process: { pid } }: Stage) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;

/** Writes as fast as it is read, each time from the midst of one hint to the midst of the next. */
function flood(socket: Socket, done: () => void): void {
  const half = hint.length / 2;
  const piece = hint.slice(half) + hint.slice(0, half);
  let left = floodBytes;
  const more = () => {
    for (; left > 0; left -= piece.length) if (!socket.write(piece)) return;
    done();
  };
  socket.on("drain", more).write(hint.slice(0, half));
  more();
}

withStage(
  "hints without end are read in one place, however they are cut, and cost a client that does not read them nothing",
  {},
  async (stage) => {
    let flooded = false;
    await stage.rawInstance("web-1.1", (socket) => {
      socket.once("data", () => flood(socket, () => (flooded = true)));
    });
    await stage.route({ "web-1.1": "available" });
    const before = rssBytesMax(stage);
    const client = connect({ port: stage.port, host: "127.0.0.1" }).pause();
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await stage.until(() => flooded);
    const grownBytes = rssBytesMax(stage) - before;
    client.destroy();
    assert.ok(grownBytes < grownBytesMax, `${grownBytes} bytes more`);
  },
);

withTls("HTTP/2: hints that a client does not read are not kept for it", {}, async ({ stage }) => {
  let flooded = false;
  await stage.rawInstance("web-1.1", (socket) => {
    socket.once("data", () => flood(socket, () => (flooded = true)));
  });
  await stage.route({ "web-1.1": "available" });
  const client = await FrameClient.open(stage);
  const before = rssBytesMax(stage);
  client.socket.pause();
  client.send(frame(frameType.headers, endHeaders | endStream, 1, get("/")));
  await stage.until(() => flooded);
  const grownBytes = rssBytesMax(stage) - before;
  client.socket.destroy();
  assert.ok(grownBytes < grownBytesMax, `${grownBytes} bytes more`);
});
