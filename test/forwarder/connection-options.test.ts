/** What a client says to those who forward its request: of its connection, of what it waits for, and how far the request may go. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { Stage, withStage } from "./stage.ts";

withStage("a Connection field takes out neither what a client waits for nor what its request is sent again by", {}, async (stage) => {
  await stage.instance("web-1.1", (incoming, response) => {
    const { expect = "-", "idempotency-key": key = "-", "x-a": own = "-" } = incoming.headers;
    incoming.resume().on("end", () => response.end(`${expect} ${key} ${own}`));
  });
  await stage.route({ "web-1.1": "available" });
  const client = connect({ port: stage.port, host: "127.0.0.1" });
  let heard = "";
  client.setEncoding("latin1").on("data", (text: string) => {
    heard += text;
  });
  client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close, Expect, Idempotency-Key, X-A\r\n");
  client.write("Expect: 100-continue\r\nIdempotency-Key: k\r\nX-A: 1\r\n\r\n");
  await stage.until(() => heard.startsWith("HTTP/1.1 100 "), 5_000);
  client.write("ok");
  await once(client, "end");
  assert.match(heard, /\r\n100-continue k -$/);
});

withStage("who asks to be told to go on among other expectations, and is told no, is not asked for a body", {}, async (stage) => {
  await stage.rawInstance("web-1.1", (socket) => {
    socket.on("data", () => socket.write("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"));
  });
  await stage.route({ "web-1.1": "available" });
  for (const expect of ["100-continue", "100-continue, other", "other\r\nExpect: 100-Continue", "100-continue\r\nExpect: other"]) {
    const client = connect({ port: stage.port, host: "127.0.0.1" });
    let heard = "";
    client.setEncoding("latin1").on("data", (text: string) => (heard += text));
    client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\nExpect: ${expect}\r\n\r\n`);
    await once(client, "end");
    // Nobody could tell a body that comes after all from a next request.
    assert.match(heard, /^HTTP\/1\.1 417 .*\r\nconnection: close\r\n\r\n$/s);
  }
});

withStage(
  "Max-Forwards: counted where TRACE and OPTIONS pass, which go no further than it says; of other methods it is the server's",
  {},
  async (stage) => {
    const passed: string[] = [];
    await stage.instance("web-1.1", (incoming, response) => {
      passed.push(`${incoming.method} ${incoming.headers["max-forwards"]}`);
      response.end("server");
    });
    await stage.route({ "web-1.1": "available" });
    const ask = async (method: string, hops: string) => {
      const client = connect({ port: stage.port, host: "127.0.0.1" });
      client.write(`${method} / HTTP/1.1\r\nHost: x\r\nCookie: secret\r\nMax-Forwards:${hops}\r\nConnection: close\r\n\r\n`);
      let heard = "";
      for await (const chunk of client.setEncoding("latin1")) heard += String(chunk);
      return heard;
    };
    for (const hops of ["1", " 10", " 010 ", "999999999"])
      for (const method of ["OPTIONS", "TRACE"]) assert.match(await ask(method, hops), /^HTTP\/1\.1 200 .*server$/s);
    for (const method of ["GET", "POST"]) assert.match(await ask(method, " 0"), /^HTTP\/1\.1 200 .*server$/s);
    const counted = ["0", "9", "9", "999999998"].flatMap((left) => [`OPTIONS ${left}`, `TRACE ${left}`]);
    assert.deepEqual(passed.splice(0), [...counted, "GET 0", "POST 0"]);
    assert.match(await ask("OPTIONS", " 0"), /^HTTP\/1\.1 200 .*no further/s);
    const traced = await ask("TRACE", "0");
    assert.match(traced, /^HTTP\/1\.1 501 /);
    assert.doesNotMatch(traced, /secret/);
    for (const bad of ["", " -1", " 1, 1", " 9999999999", " 1\r\nMax-Forwards: 1"])
      assert.match(await ask("OPTIONS", bad), /^HTTP\/1\.1 400 /, bad);
    assert.deepEqual(passed, []);
  },
);

test("what a client's Connection field names is not said to the server either, which may forward the request and cut what stands in our name", {
  timeout: 180_000,
}, async () => {
  const stage = await Stage.open({}, { probed: false });
  let seen = "";
  await stage.rawInstance("web-1.1", (socket) => {
    socket.setEncoding("latin1").on("data", (text: string) => {
      seen = text;
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
  });
  await stage.route({ "web-1.1": "available" });
  const upgrade = "Host: x\r\nUpgrade: websocket\r\n";
  for (const [head, connection] of [
    [`GET / HTTP/1.1\r\n${upgrade}Connection: X-Forwarded-For, Upgrade`, "upgrade"],
    [`GET / HTTP/1.1\r\n${upgrade}Connection: Upgrade\r\nConnection: X-A\r\nX-A: 1`, "upgrade"],
    [`GET / HTTP/1.1\r\n${upgrade}Connection: Upgrade, Connection`, "upgrade"],
    [`GET / HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\n${upgrade}X-B: 1`, "keep-alive, Upgrade"],
    ["GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, X-Forwarded-For", null],
    ["GET / HTTP/1.0\r\nConnection: keep-alive, X-Forwarded-For", null],
    ["GET / HTTP/1.0\r\nConnection: keep-alive", "keep-alive"],
  ] as const) {
    const client = connect({ port: stage.port, host: "127.0.0.1" });
    client.write(`${head}\r\n\r\n`);
    await once(client, "data");
    client.destroy();
    assert.match(seen, /^GET .*\r\nX-Forwarded-For: 127\.0\.0\.1\r\n.*[^\n]\r\n\r\n$/s, head);
    assert.deepEqual(/^connection: *(.*)$/im.exec(seen)?.[1] ?? null, connection, head);
    assert.equal(/^upgrade: websocket$/im.test(seen), connection?.toLowerCase().includes("upgrade") === true, head);
    assert.doesNotMatch(seen, /^X-A/m);
  }
  await stage.close();
});
