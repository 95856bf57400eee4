/** Who the client is, where others stand in front: the PROXY protocol on plain connections, and proxies that are trusted. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { clientHeader } from "../../src/forwarder/headers.ts";
import { Stage } from "./stage.ts";

/** Writes the parts one after the other, each in a packet of its own, and maybe its end; resolves to all that came until the other's. */
async function speak(port: number, parts: readonly (string | Buffer)[], ends = false): Promise<string> {
  const socket = connect(port, "127.0.0.1").setNoDelay(true);
  for (const part of parts) await new Promise<void>((resolve) => socket.write(part, () => setImmediate(resolve)));
  if (ends) socket.end();
  let heard = "";
  for await (const chunk of socket.setEncoding("latin1")) heard += String(chunk);
  return heard;
}

const get = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

test("PROXY protocol: whatever packets it comes in, the node is told the client; without it nobody is served", {
  timeout: 180_000,
}, async () => {
  const stage = await Stage.open({ proxyProtocol: true, headTimeoutMs: 3_000 });
  try {
    await stage.instance("web-1.1", (incoming, response) =>
      response.end(String(incoming.headers[clientHeader]).split(" ").slice(1).join(" ")),
    );
    await stage.route({ "web-1.1": "available" });
    const header = "PROXY TCP4 203.0.113.9 127.0.0.1 4711 80\r\n";
    for (const parts of [
      [header + get],
      [header, get],
      [...header, get],
      [header.slice(0, 20), header.slice(20) + get.slice(0, 9), get.slice(9)],
    ])
      assert.match(await speak(stage.port, parts), /\r\n\r\n203\.0\.113\.9 4711$/);
    assert.match(await speak(stage.port, ["PROXY UNKNOWN\r\n", get]), /\r\n\r\n127\.0\.0\.1 \d+$/);
    const pipelined = await speak(stage.port, [`${header}GET / HTTP/1.1\r\nHost: x\r\n\r\n${get}`]);
    assert.equal(pipelined.match(/203\.0\.113\.9 4711/g)?.length, 2);
    assert.match(await speak(stage.port, [header, get.replace("close", "keep-alive")], true), /\r\n\r\n203\.0\.113\.9 4711$/);
    assert.equal(await speak(stage.port, ["PROXY TCP4 203.0.113.9"], true), "");
    assert.equal(await speak(stage.port, [get]), "");
    assert.equal(await speak(stage.port, ["PROXY TCP4 203.0.113.9"]), "", "a header that does not come whole in time");
    await stage.until(() => stage.heard.findLast((one) => one.kind === "traffic")?.connections === 0);
  } finally {
    await stage.close();
  }
});

test("PROXY protocol: connections that say nothing are counted too, each once", { timeout: 180_000 }, async () => {
  const stage = await Stage.open({ proxyProtocol: true, connectionsMax: 3 });
  try {
    await stage.instance("web-1.1", (_, response) => response.end("ok"));
    await stage.route({ "web-1.1": "available" });
    const connections = (count: number) => stage.until(() => stage.heard.findLast((one) => one.kind === "traffic")?.connections === count);
    // None of them has been announced, so that none is an idle client's, which would give way.
    const sockets = ["", "PROXY", "PROXY UNKNOWN\r"].map((first) => {
      const socket = connect(stage.port, "127.0.0.1");
      socket.write(first);
      return socket;
    });
    await connections(3);
    // By an end or a reset.
    const refused = connect(stage.port, "127.0.0.1").on("error", () => {});
    await new Promise<void>((resolve) => refused.resume().on("close", () => resolve()));
    sockets[0]?.destroy();
    await connections(2);
    assert.match(await speak(stage.port, ["PROXY UNKNOWN\r\n", get]), /ok$/);
    for (const socket of sockets) socket.destroy();
    await connections(0);
  } finally {
    await stage.close();
  }
});

test("X-Forwarded-*: of a trusted proxy gone on with, also when the request is sent again; of others dropped", {
  timeout: 180_000,
}, async () => {
  for (const trusted of [true, false]) {
    const stage = await Stage.open({ trustProxy: trusted ? "127.0.0.1" : "10.0.0.0/8,::1" }, { probed: false });
    try {
      await stage.instance("web-1.1", (incoming) => incoming.socket.destroy());
      await stage.instance("web-2.1", (incoming, response) => response.end(JSON.stringify(incoming.headers)));
      await stage.route({ "web-1.1": "available", "web-2.1": "available" });
      const said =
        "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 10.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 8443\r\nX_Forwarded_Host: evil\r\n";
      for (let count = 0; count < 12; count += 1) {
        const heard = await speak(stage.port, [`GET / HTTP/1.1\r\nHost: shop\r\n${said}Connection: close\r\n\r\n`]);
        const seen = JSON.parse(heard.slice(heard.indexOf("{"))) as Record<string, string>;
        assert.equal(seen["x-forwarded-for"], trusted ? "198.51.100.1, 10.1.1.1, 127.0.0.1" : "127.0.0.1");
        assert.equal(seen["x-forwarded-proto"], trusted ? "https" : "http");
        assert.equal(seen["x-forwarded-port"], trusted ? "8443" : undefined);
        assert.equal(seen["x-forwarded-host"], "shop");
        assert.equal(seen["x_forwarded_host"], undefined); // CGI and its like take it for the real one
      }
    } finally {
      await stage.close();
    }
  }
});

test("nodes without a probe: what a proxy in front says one way is told both ways, and ends no quotation; each request has an identifier that is one", {
  timeout: 180_000,
}, async () => {
  const stage = await Stage.open({ trustProxy: "127.0.0.1" }, { probed: false });
  try {
    await stage.instance("web-1.1", (incoming, response) => response.end(JSON.stringify(incoming.headersDistinct)));
    await stage.route({ "web-1.1": "available" });
    const seenWith = async (lines: string) => {
      const heard = await speak(stage.port, [`GET / HTTP/1.1\r\nHost: shop\r\n${lines}Connection: close\r\n\r\n`]);
      return JSON.parse(heard.slice(heard.indexOf("{"))) as Record<string, string[]>;
    };
    const { forwarded } = await seenWith("X-Forwarded-Host: a\\\r\n");
    assert.deepEqual(forwarded, ["for=127.0.0.1;proto=http"]);
    const listed = await seenWith("X-Forwarded-For: 198.51.100.1, 2001:db8::1\r\nX-Forwarded-Proto: https\r\n");
    assert.deepEqual(listed["forwarded"], ['for=198.51.100.1;proto=https, for="[2001:db8::1]", for=127.0.0.1;proto=http;host="shop"']);
    const [longRow = ""] = (await seenWith(`X-Forwarded-For: ${"6.6.6.6, ".repeat(200)}198.51.100.1\r\n`))["x-forwarded-for"] ?? [];
    assert.match(longRow, /^6\.6\.6\.6, .*, 6\.6\.6\.6, 198\.51\.100\.1, 127\.0\.0\.1$/, "whom the client made up hides it from nobody");
    assert.ok(longRow.length < 700);
    for (const own of ['"', "", ","]) {
      const { forwarded: long = [] } = await seenWith(`Forwarded: ${own}${"for=6.6.6.6, ".repeat(200)}for="${own}", for="[::1]"\r\n`);
      assert.match(long.join(), /(^|, )for="\[::1\]", for=127\.0\.0\.1;/, own);
      assert.ok(long.join().length < 700);
    }
    const elements = await seenWith('Forwarded: for="[2001:db8::1]:81";proto=https;host=public\r\n');
    assert.deepEqual(elements["x-forwarded-for"], ["2001:db8::1, 127.0.0.1"]);
    assert.deepEqual([elements["x-forwarded-proto"], elements["x-forwarded-host"]], [["https"], ["public"]]);
    for (const empty of ["", "X-Request-Id:\r\n", "X-Request-Id: \t\r\nx-request-id: ,\r\n"]) {
      const [id = "", ...more] = (await seenWith(empty))["x-request-id"] ?? [];
      assert.match(id, /^[0-9a-f-]{36}$/, JSON.stringify(empty));
      assert.deepEqual(more, []);
    }
    assert.deepEqual((await seenWith("X-Request-Id:\r\nX-Request-Id: own\r\n"))["x-request-id"], ["", "own"]);
  } finally {
    await stage.close();
  }
});
