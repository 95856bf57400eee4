/** WebSockets over HTTP/2 (RFC 8441): each is a stream, and the node sees the upgrade of HTTP/1.1 that it knows. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import type { Duplex } from "node:stream";
import { buffer } from "node:stream/consumers";
import { endHeaders, endStream, FrameClient, fields, frame, frameType } from "./http2-frames.ts";
import { ask, http2To, withTls } from "./secure-stage.ts";
import type { Stage } from "./stage.ts";

const connect = { ":method": "CONNECT", ":protocol": "websocket", ":scheme": "https", ":path": "/ws?a=1", ":authority": "x" };
const agreed =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
const serviceRestart = [0x88, 0x02, 0x03, 0xf4];
const inProcess = (stage: Stage) => {
  const last = stage.heard.findLast((one) => one.kind === "traffic");
  return last?.kind === "traffic" ? last.upstreams.reduce((sum, { total }) => sum + total, 0) : -1;
};

interface Opened {
  readonly session: ClientHttp2Session;
  readonly stream: ClientHttp2Stream;
  readonly answer: IncomingHttpHeaders;
  readonly incoming: IncomingMessage;
  readonly server: Duplex;
}

/** A WebSocket whose node has agreed to it. */
async function open(stage: Stage): Promise<Opened> {
  let asked: { incoming: IncomingMessage; server: Duplex } | null = null;
  const node = await stage.instance("web-1.1", (_, response) => response.end("ok"));
  node.on("upgrade", (incoming, server) => {
    server.on("error", () => {});
    asked = { incoming, server };
    server.write(agreed);
  });
  await stage.route({ "web-1.1": "available" });
  const session = http2To(stage);
  await once(session, "remoteSettings");
  assert.equal(session.remoteSettings.enableConnectProtocol, true);
  const stream = session.request({ ...connect, "sec-websocket-version": "13", origin: "https://x" });
  stream.on("error", () => {});
  const [answer] = (await once(stream, "response")) as [IncomingHttpHeaders];
  return { session, stream, answer, ...(asked as unknown as { incoming: IncomingMessage; server: Duplex }) }; // it has answered
}

withTls("HTTP/2: a WebSocket is a stream of its session; its node is asked for an upgrade", {}, async ({ stage }) => {
  const { session, stream, answer, incoming, server } = await open(stage);
  assert.equal(answer[":status"], 200);
  assert.equal(answer["sec-websocket-protocol"], "chat");
  assert.equal(answer["sec-websocket-accept"] ?? answer.upgrade ?? answer.connection, undefined);
  const { method, url, headers } = incoming;
  assert.deepEqual([method, url, headers.host, headers.upgrade, headers.origin], ["GET", "/ws?a=1", "x", "websocket", "https://x"]);
  assert.equal(Buffer.from(headers["sec-websocket-key"] ?? "", "base64").length, 16);
  assert.match(headers.connection ?? "", /^upgrade$/i);

  // Both ways at once, in pieces of all sizes: frames of 65,536 bytes, unmasked as the server's are.
  const payload = Buffer.concat(
    Array.from({ length: 40 }, () => Buffer.concat([Buffer.from("827f0000000000010000", "hex"), randomBytes(65_536)])),
  );
  server.pipe(server);
  const heard = buffer(stream);
  for (let at = 0, size = 1; at < payload.length; at += size, size = (size * 7) % 30_011)
    if (!stream.write(payload.subarray(at, at + size))) await once(stream, "drain");
  stream.end();
  assert.ok(payload.equals(await heard));
  assert.equal((await ask(session, { ":path": "/" })).body.toString(), "ok");
  await stage.until(() => inProcess(stage) === 0);
  session.close();
});

withTls("HTTP/2: a WebSocket is told 1012 when its node is drained, and its stream ends", { drainTimeoutMs: 1_000 }, async ({ stage }) => {
  const { session, stream } = await open(stage);
  const heard = buffer(stream);
  await stage.route({ "web-1.1": "cordoned" });
  assert.deepEqual([...(await heard)], serviceRestart);
  await stage.until(() => stage.drained("web-1.1"));
  session.destroy();
});

withTls("HTTP/2: of a WebSocket one side's end and reset are the other's", {}, async ({ stage }) => {
  const first = await open(stage);
  first.server.end(Buffer.from([0x81, 0x01, 0x61]));
  assert.deepEqual([...(await buffer(first.stream))], [0x81, 0x01, 0x61]);
  const again = first.session.request(connect).on("error", () => {});
  await once(again, "response");
  await stage.until(() => inProcess(stage) >= 1);
  again.close(8);
  first.stream.close(8);
  await stage.until(() => inProcess(stage) === 0);
  assert.equal((await ask(first.session, { ":path": "/" })).status, 200);
  first.session.close();
});

withTls("HTTP/2: what a node that reads nothing does not take of a WebSocket stays at its client", {}, async ({ stage }) => {
  const { session, stream, server } = await open(stage);
  server.pause();
  const piece = Buffer.alloc(65_536, "x");
  let taken = 0;
  for (let before = -1; before !== taken; ) {
    before = taken;
    for (let count = 0; count < 64; count += 1)
      stream.write(piece, () => {
        taken += piece.length;
      });
    const endMs = Date.now() + 500;
    await stage.until(() => Date.now() > endMs);
  }
  assert.ok(taken < 4 * 1024 * 1024, `${taken} bytes were taken`);
  assert.equal((await ask(session, { ":path": "/" })).status, 200);
  server.resume();
  stream.end();
  await once(server, "end");
  session.destroy();
});

withTls(
  "HTTP/2: a WebSocket that is not agreed to gets its answer; one that is not asked for rightly is refused",
  {},
  async ({ stage }) => {
    let asked = 0;
    const node = await stage.instance("web-1.1", (_, response) => response.end("ok"));
    node.on("upgrade", (_, server) => {
      asked += 1;
      server.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    });
    await stage.route({ "web-1.1": "available" });
    const { ":scheme": _scheme, ...noScheme } = connect;
    const cases: readonly (readonly [string, Readonly<Record<string, string>>, number])[] = [
      ["403", connect, 0],
      ["501", { ...connect, ":protocol": "webtransport" }, 0],
      ["400", { ...connect, "content-length": "5" }, 0],
      ["reset", connect, endStream],
      ["reset", noScheme, 0],
      ["reset", { ...connect, ":method": "GET" }, 0],
      ["reset", { ...connect, ":protocol": "web socket" }, 0],
      ["reset", { ...connect, connection: "upgrade" }, 0],
    ];
    for (const [verdict, head, flags] of cases) {
      const client = await FrameClient.open(stage);
      client.send(frame(frameType.headers, endHeaders | flags, 1, fields(head)), frame(frameType.data, 0, 1, Buffer.from("early")));
      await stage.until(() => client.ended || client.codeOf(1) !== null);
      const [answer] = client.frames.filter(({ type, stream }) => type === frameType.headers && stream === 1);
      const given = answer === undefined ? "reset" : /[45]\d\d/.exec(answer.payload.toString("latin1"))?.[0];
      assert.equal(given ?? "400", verdict, JSON.stringify(head));
      client.socket.destroy();
    }
    assert.equal(asked, 1);
    await stage.until(() => inProcess(stage) === 0);
  },
);

withTls("HTTP/2: a node that knows no WebSocket and answers as to any request has not agreed to one", {}, async ({ stage }) => {
  await stage.instance("web-1.1", (incoming, response) => {
    if (incoming.url === "/404") response.statusCode = 404;
    response.end("ok");
  });
  await stage.route({ "web-1.1": "available" });
  const session = http2To(stage);
  await once(session, "remoteSettings");
  const statusOf = async (path: string) => {
    const stream = session.request({ ...connect, ":path": path });
    const [answer] = (await once(stream.resume(), "response")) as [IncomingHttpHeaders];
    await once(stream, "close");
    return answer[":status"];
  };
  assert.equal(await statusOf("/"), 502);
  assert.equal(await statusOf("/404"), 404);
  const last = () => stage.heard.findLast((one) => one.kind === "traffic")?.upstreams[0];
  await stage.until(() => last()?.requestsTotal === 2 && last()?.total === 0);
  assert.equal(last()?.failedTotal, 0);
  session.close();
});
