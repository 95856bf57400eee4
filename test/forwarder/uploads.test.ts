/** Bodies on their way to the servers: kept in blocks that are used again, streamed, sent again; each byte must arrive as it was sent. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { Agent, type ClientRequest, type IncomingMessage, type RequestListener, request } from "node:http";
import { connect, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { markFor } from "../../src/link/token.ts";
import { seededRandom } from "../../src/sim/random.ts";
import { withStage } from "./stage.ts";

const saveBodyBytesMax = 600_000;
/** With their framing too. */
const kept = [1, 10_000, 16_300, 16_448, 17_000, 65_000, 65_536, 130_000, 262_144, 262_208, 263_000, 590_000];
const streamed = [saveBodyBytesMax + 1, 1_000_000, 3_000_000];

const sha = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/** Says what it read; `slow`: it takes a little at a time at first. */
const hashing: RequestListener = async (incoming, response) => {
  const hash = createHash("sha256");
  for (let left = incoming.url === "/slow" ? 20 : 0; left > 0; left -= 1) {
    hash.update((incoming.read(1_000) as Buffer | null) ?? ""); // no encoding was set
    await new Promise(setImmediate);
  }
  response.end(hash.update(await buffer(incoming)).digest("hex"));
};

withStage(
  "uploads of all sizes at once, kept, streamed and sent again, in any pieces: each arrives whole and as it was",
  { saveBodyBytesMax },
  async (stage) => {
    const random = seededRandom(11);
    const below = (count: number) => Math.floor(random() * count);
    let fenced = 0;
    // The first reads a part, or all, of what is kept and then refuses it: the second gets it again.
    await stage.instance("web-1.1", async (incoming, response) => {
      if (incoming.headers["x-fence"] === undefined) return hashing(incoming, response);
      if (incoming.headers["x-fence"] === "late") await buffer(incoming);
      fenced += 1;
      response.writeHead(503, { "x-coppice-fenced": markFor("aa55", "web-1.1"), "content-length": 0 }).end();
    });
    await stage.instance("web-2.1", hashing);
    await stage.route({ "web-1.1": "available", "web-2.1": "available" });
    const agent = new Agent({ keepAlive: true, maxSockets: 12 });
    const upload = async (size: number, fence: string | null) => {
      const body = Buffer.alloc(size, `${size} ${below(1e9)} `);
      const headers = { ...(fence === null ? {} : { "x-fence": fence }), ...(below(2) === 0 ? { "content-length": size } : {}) };
      const outgoing = request({ port: stage.port, method: "POST", path: below(2) === 0 ? "/slow" : "/", agent, headers });
      const answered = once(outgoing, "response") as Promise<[IncomingMessage]>; // what "response" carries
      for (let at = 0; at < size; ) {
        const length = below(4) === 0 ? 1 + below(3_000) : 1 + below(300_000);
        if (!outgoing.write(body.subarray(at, at + length))) await new Promise(setImmediate);
        at += length;
      }
      outgoing.end();
      const [answer] = await answered;
      assert.equal((await buffer(answer)).toString(), sha(body), `${size} bytes, ${fence}`);
    };
    for (let round = 0; round < 4; round += 1) {
      const all = [
        ...kept.flatMap((size) => [null, "late", "early"].map((fence) => upload(size, fence))),
        ...streamed.map((size) => upload(size, null)),
      ];
      await Promise.all(all);
    }
    assert.ok(fenced > kept.length, "hardly anything was sent again");
    agent.destroy();
  },
);

withStage(
  "what a server has not taken yet of an upload too large to be kept stays as it was, whatever others upload meanwhile",
  { saveBodyBytesMax: 300_000 },
  async (stage) => {
    let letGo = () => {};
    const gone = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    await stage.instance("web-1.1", async (incoming, response) => {
      if (incoming.url === "/held") await gone;
      await hashing(incoming, response);
    });
    await stage.route({ "web-1.1": "available" });
    const agent = new Agent({ keepAlive: true });
    const all: ClientRequest[] = [];
    const upload = async (path: string, body: Buffer) => {
      const outgoing = request({ port: stage.port, method: "POST", path, agent, headers: { "content-length": body.length } });
      all.push(outgoing);
      outgoing.end(body);
      const [answer] = (await once(outgoing, "response")) as [IncomingMessage]; // what "response" carries
      assert.equal((await buffer(answer)).toString(), sha(body), path);
    };
    const held = Array.from({ length: 3 }, (_, at) => upload("/held", Buffer.alloc(12_000_000, `held ${at} `)));
    let unsentBytes = 0;
    await stage.until(() => {
      const before = unsentBytes;
      unsentBytes = all.reduce((sum, { socket }) => sum + (socket?.writableLength ?? 0), 0);
      return unsentBytes > 0 && unsentBytes === before;
    });
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(Array.from({ length: 8 }, (_, at) => upload("/", Buffer.alloc(250_000, `other ${round} ${at} `))));
    }
    letGo();
    await Promise.all(held);
    agent.destroy();
  },
);

/** The body of the one request that a server's connection carries, once it is whole. */
function bodyOf(socket: Socket): Promise<Buffer> {
  let all = Buffer.alloc(0);
  return new Promise((resolve) => {
    socket.on("data", (bytes: Buffer) => {
      all = Buffer.concat([all, bytes]);
      const bodyAt = all.indexOf("\r\n\r\n") + 4;
      const length = Number(/content-length: (\d+)/i.exec(all.toString("latin1", 0, bodyAt))?.[1]);
      if (bodyAt > 4 && all.length === bodyAt + length) resolve(all.subarray(bodyAt));
    });
    socket.resume();
  });
}

const answer = (text: string) => `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${text.length}\r\n\r\n${text}`;

withStage(
  "what was kept of an upload whose answer comes before its end stays as it was while it is still being written",
  { saveBodyBytesMax: 64_000_000 },
  async (stage) => {
    const connections: Socket[] = [];
    await stage.rawInstance(
      "web-1.1",
      (socket) => {
        // The first takes nothing but what the system takes for it.
        if (connections.push(socket) > 1) void bodyOf(socket).then((body) => socket.end(answer(sha(body))));
      },
      { unread: true },
    );
    await stage.route({ "web-1.1": "available" });
    const body = Buffer.alloc(12_000_000, "held ");
    const client = connect({ port: stage.port, host: "127.0.0.1" });
    let heard = "";
    client.setEncoding("latin1").on("data", (text: string) => (heard += text));
    client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`);
    client.write(body);
    let unsentBytes = 0;
    await stage.until(() => {
      const before = unsentBytes;
      unsentBytes = client.writableLength;
      return connections.length === 1 && unsentBytes > 0 && unsentBytes === before;
    });
    const [held] = connections;
    assert.ok(held !== undefined);
    held.write(answer("early"));
    await stage.until(() => heard.endsWith("early"));
    // Blocks that were given back are what these are read into.
    for (let round = 0; round < 3; round += 1) {
      const others = Array.from({ length: 8 }, async (_, at) => {
        const other = Buffer.alloc(264_000, `other ${round} ${at} `);
        const answered = await fetch(`http://127.0.0.1:${stage.port}/`, { method: "POST", body: other });
        assert.equal(await answered.text(), sha(other));
      });
      await Promise.all(others);
    }
    const arrived = await bodyOf(held);
    assert.equal(sha(arrived), sha(body), `differs from byte ${arrived.findIndex((byte, at) => byte !== body[at])} on`);
    client.destroy();
  },
);

withStage(
  "a server that refuses an upload and ends its connection meanwhile: its answer arrives, and it has not failed",
  {},
  async (stage) => {
    // Bodies that are kept, ones that are not, and ones whose length nobody said.
    await stage.instance("web-1.1", (incoming, response) => {
      response.writeHead(413, { connection: "close", "content-length": 3 }).end("big", () => incoming.socket.destroy());
    });
    await stage.route({ "web-1.1": "available" });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let count = 0; count < 60; count += 1) {
      const size = [100_000, 900_000, 3_000_000][count % 3] ?? 0;
      const headers = count % 2 === 0 ? { "content-length": size } : {};
      const outgoing = request({ port: stage.port, method: "POST", agent, headers });
      const answered = once(outgoing, "response") as Promise<[IncomingMessage]>; // what "response" carries
      outgoing.end(Buffer.alloc(size, "x"));
      const [answer] = await answered;
      assert.equal(`${answer.statusCode} ${await buffer(answer)}`, "413 big", `upload ${count}`);
      if (!outgoing.writableFinished) await once(outgoing, "finish");
    }
    agent.destroy();
    await stage.until(() =>
      stage.heard.some(
        (message) =>
          message.kind === "traffic" &&
          message.upstreams.some(({ requestsTotal, failedTotal }) => requestsTotal === 60 && failedTotal === 0),
      ),
    );
  },
);
