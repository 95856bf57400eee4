/** What is sent again and what is not, through a real forwarder: queries of death, and bodies that may not be kept. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, type OutgoingHttpHeaders, request } from "node:http";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { queuedBytes } from "../../src/forwarder/taking.ts";
import { type Stage, withStage } from "./stage.ts";

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly body?: string;
  readonly headers?: OutgoingHttpHeaders;
}

function ask(stage: Stage, { method = "GET", path = "/", body = "", headers = {} }: Asked): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    request(
      { port: stage.port, method, path, agent: new Agent(), headers: { "content-length": body.length, ...headers } },
      async (answer) => resolve({ status: answer.statusCode ?? 0, body: await text(answer) }),
    )
      .on("error", reject)
      .end(body);
  });
}

/** Dies, for its client, once it has read a whole request whose target begins with `/death`; answers all others. */
function mortal(met: (target: string) => void, hears: (bytes: number) => void = () => {}) {
  return (socket: Socket): void => {
    let heard = "";
    socket.setEncoding("latin1").on("data", (part: string) => {
      heard += part;
      hears(heard.length);
      const end = heard.indexOf("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(heard)?.[1] ?? 0);
      if (end < 0 || heard.length < end + 4 + length) return;
      const target = heard.split(" ", 2)[1] ?? "";
      heard = "";
      met(target);
      if (target.startsWith("/death")) socket.end();
      else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
  };
}

withStage(
  "a query of death meets two nodes and no third; for a while its route then meets one, others as many as ever",
  {},
  async (stage) => {
    const met: string[] = [];
    const ids = ["web-1.1", "web-2.1", "web-3.1", "web-4.1"];
    for (const id of ids)
      await stage.rawInstance(
        id,
        mortal((target) => met.push(target)),
      );
    await stage.route(Object.fromEntries(ids.map((id) => [id, "available"])));
    const deathsBy = async (path: string): Promise<number> => {
      met.length = 0;
      const { status, body } = await ask(stage, { path });
      assert.equal(status, 502, path);
      assert.match(body, met.length > 1 ? /Two servers .* may have been executed/ : /may have been executed, so it was not sent again/);
      return met.length;
    };
    assert.equal(await deathsBy("/death?id=1"), 2);
    assert.equal(await deathsBy("/death?id=2"), 1, "its route is known by now");
    assert.equal(await deathsBy("/death/other"), 2, "another route is not");
    assert.equal((await ask(stage, { path: "/life" })).status, 200);
  },
);

withStage(
  "a body within its bound is sent again, one beyond it is not, nor one for which all others have left no room",
  { saveBodyBytesMax: 200_000, saveBytesMax: 300_000 },
  async (stage) => {
    let met = 0;
    let heard = 0;
    for (const id of ["web-1.1", "web-2.1"])
      await stage.rawInstance(
        id,
        mortal(
          () => (met += 1),
          (bytes) => (heard = bytes),
        ),
      );
    await stage.route({ "web-1.1": "available", "web-2.1": "available" });
    const timesMet = async (path: string, bytes: number): Promise<number> => {
      met = 0;
      assert.equal((await ask(stage, { method: "PUT", path, body: "x".repeat(bytes) })).status, 502);
      return met;
    };
    assert.equal(await timesMet("/death/small", 190_000), 2);
    assert.equal(await timesMet("/death/large", 210_000), 1);

    // The part that came with the head counts.
    [met, heard] = [0, 0];
    const together = connect(stage.port, "127.0.0.1");
    together.write(`PUT /death/together HTTP/1.1\r\nHost: a\r\nContent-Length: 205000\r\n\r\n${"x".repeat(8_000)}`);
    await stage.until(() => heard > 8_000);
    together.write("x".repeat(197_000));
    assert.match(String(await once(together, "data")), /^HTTP\/1.1 502 /);
    together.destroy();
    assert.equal(met, 1);

    // An upload that has stopped keeps its part of what there is for all: two of them are too much, even where
    // some 34 KB of each came in one read with the head and lie in its block, which is not counted.
    const halted = request({ port: stage.port, method: "PUT", path: "/life", headers: { "content-length": 200_000 } });
    halted.on("error", () => {}).write("x".repeat(190_000));
    heard = 0;
    await stage.until(() => heard > 190_000);
    assert.equal(await timesMet("/death/crowded", 190_000), 1);
    halted.destroy();
    await stage.until(() => inProcess(stage) === 0);
    assert.equal(await timesMet("/death/alone", 190_000), 2, "its part was given back");
  },
);

for (const resendWithIdempotencyKey of [false, true])
  withStage(
    `a POST or PATCH with an Idempotency-Key ${resendWithIdempotencyKey ? "is sent again where that is set, once" : "is sent again only where that is set"}; without one never`,
    { resendWithIdempotencyKey },
    async (stage) => {
      let met = 0;
      const ids = ["web-1.1", "web-2.1", "web-3.1"];
      for (const id of ids)
        await stage.rawInstance(
          id,
          mortal(() => (met += 1)),
        );
      await stage.route(Object.fromEntries(ids.map((id) => [id, "available"])));
      for (const method of ["POST", "PATCH"])
        for (const headers of [{}, { "idempotency-key": "k1" }]) {
          met = 0;
          const path = `/death/${method}/${Object.keys(headers).length}`;
          assert.equal((await ask(stage, { method, path, body: "b", headers })).status, 502);
          assert.equal(met, resendWithIdempotencyKey && "idempotency-key" in headers ? 2 : 1, path);
        }
    },
  );

withStage(
  "an answer without a length is let go when it has not ended in time; its node's death then resets the client",
  {},
  async (stage) => {
    let die = () => {};
    await stage.rawInstance("web-1.1", (socket) => {
      socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"));
      die = () => socket.end();
    });
    await stage.route({ "web-1.1": "available" });
    const socket = connect(stage.port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let heard = "";
    socket.setEncoding("latin1").on("data", (part: string) => {
      heard += part;
    });
    await stage.until(() => heard.endsWith("half\r\n"));
    const failed = once(socket, "error");
    die();
    const [error] = (await failed) as [NodeJS.ErrnoException]; // what "error" carries
    assert.equal(error.code, "ECONNRESET");
  },
);

withStage("an answer of 64 KiB is held until whole however it says so: its head and its chunks' sizes count not", {}, async (stage) => {
  const data = "x".repeat(65_536);
  const bodies: Readonly<Record<string, readonly [string, string]>> = {
    "/length": ["Content-Length: 65536\r\n\r\n", data.slice(1)],
    "/chunked": ["Transfer-Encoding: chunked\r\n\r\n", `10000\r\n${data}\r\n`],
    "/chunks": ["Transfer-Encoding: chunked\r\n\r\n", `100\r\n${data.slice(0, 256)}\r\n`.repeat(256)],
  };
  const died = new Set<string>();
  for (const id of ["web-1.1", "web-2.1"])
    await stage.rawInstance(id, (socket) => {
      socket.on("data", (request: Buffer) => {
        const path = request.toString("latin1").split(" ")[1] ?? "";
        const [fields, body] = bodies[path] ?? assert.fail(path);
        const answer = `HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(1_000)}\r\n${fields}${body}`;
        if (died.has(path)) return void socket.write(`${answer}${path === "/length" ? "x" : "0\r\n\r\n"}`);
        died.add(path);
        socket.end(answer);
      });
    });
  await stage.route({ "web-1.1": "available", "web-2.1": "available" });
  for (const path of Object.keys(bodies)) {
    const { status, body } = await ask(stage, { path });
    assert.deepEqual([status, body.length], [200, 65_536], path);
  }
});

/** Requests at all nodes, as the forwarder said last. */
function inProcess(stage: Stage): number {
  const last = stage.heard.findLast((message) => message.kind === "traffic");
  return last?.kind === "traffic" ? last.upstreams.reduce((sum, { total }) => sum + total, 0) : 0;
}

withStage("a request waits for a node that is gone, though no table says so yet, as long as any waits", {}, async (stage) => {
  await stage.route({ "web-1.1": "available" });
  const asked = ask(stage, { method: "POST", body: "x" });
  const seconds = stage.seconds + 5;
  await stage.until(() => stage.seconds >= seconds);
  await stage.instance("web-1.1", (_, response) => response.end("late"));
  assert.deepEqual(await asked, { status: 200, body: "late" });
});

withStage(
  "a body that was parked up to its bound and beyond waits for a node that is gone, too: nothing of it was written",
  { saveBodyBytesMax: 100_000 },
  async (stage) => {
    const client = connect(stage.port, "127.0.0.1");
    client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n");
    client.write(Buffer.alloc(50_000_000, "x"));
    let unsentBytes = 0;
    const standsStill = () => {
      const before = unsentBytes;
      unsentBytes = queuedBytes(client);
      return unsentBytes === before && unsentBytes > 0;
    };
    await stage.until(() => standsStill() && stage.heard.findLast((one) => one.kind === "traffic")?.parked === 1);
    await stage.route({ "web-1.1": "available" });
    const seconds = stage.seconds + 2;
    await stage.until(() => stage.seconds >= seconds);
    assert.ok(standsStill(), "a try that fails is no reason to keep more");
    await stage.instance("web-1.1", async (incoming, response) => response.end(`${(await text(incoming)).length}`));
    const [answer] = await once(client, "data");
    assert.match(String(answer), /^HTTP\/1\.1 200 .*\r\n\r\n50000000$/s);
    client.destroy();
  },
);

withStage("and no longer than it may; the time that a node had it counts not", { parkTimeoutMs: 5_000 }, async (stage) => {
  await stage.route({ "web-1.1": "available" });
  const beganMs = performance.now();
  assert.equal((await ask(stage, { method: "POST", body: "x" })).status, 503);
  const tookMs = performance.now() - beganMs;
  assert.ok(tookMs > 4_900 && tookMs < 20_000, `${tookMs} ms`);
  // Parked for a while, in process for longer than it may be parked, and its node dies: it is parked again.
  await stage.route({ "web-1.1": "removed" });
  const asked = ask(stage, {});
  await stage.until(() => stage.heard.findLast((one) => one.kind === "traffic")?.parked === 1);
  let held: Socket | null = null;
  await stage.rawInstance("web-2.1", (socket) => {
    held = socket;
  });
  await stage.route({ "web-2.1": "available" });
  const seconds = stage.seconds + 6;
  await stage.until(() => stage.seconds >= seconds && held !== null);
  await stage.route({ "web-2.1": "removed" });
  (held as Socket | null)?.destroy();
  await stage.until(() => stage.heard.findLast((one) => one.kind === "traffic")?.parked === 1, 4_800);
  await stage.instance("web-3.1", (_, response) => response.end("again"));
  await stage.route({ "web-3.1": "available" });
  assert.deepEqual(await asked, { status: 200, body: "again" });
});

withStage("nor does the time that a node had it and did not read it", { parkTimeoutMs: 8_000 }, async (stage) => {
  const asked = ask(stage, { method: "POST", body: "x" });
  const parked = () => stage.heard.findLast((one) => one.kind === "traffic")?.parked === 1;
  await stage.until(parked);
  let held: Socket | null = null;
  await stage.rawInstance("web-1.1", (socket) => (held = socket), { unread: true });
  await stage.route({ "web-1.1": "available" });
  const seconds = stage.seconds + 9;
  await stage.until(() => stage.seconds >= seconds && held !== null);
  await stage.route({ "web-1.1": "removed" });
  (held as Socket | null)?.destroy();
  await stage.until(parked, 7_000);
  await stage.instance("web-2.1", (_, response) => response.end("again"));
  await stage.route({ "web-2.1": "available" });
  assert.deepEqual(await asked, { status: 200, body: "again" });
});
