/** TLS towards clients: certificates, what nodes are told, PROXY protocol, an orderly end; HTTP/2 has http2.test.ts. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { Agent, request } from "node:https";
import { connect as connectPlain } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect } from "node:tls";
import { promisify } from "node:util";
import { freePort } from "../e2e/cluster.ts";
import { has } from "./commands.ts";
import { makeKeyPair } from "./key-pairs.ts";
import { type Answer, ask, http2To, telling, toldIn, withTls } from "./secure-stage.ts";
import { Stage } from "./stage.ts";

async function askHttps(
  { port }: Stage,
  { agent, method = "GET", body }: { agent?: Agent; method?: string; body?: Buffer } = {},
): Promise<Answer> {
  const outgoing = request({ host: "127.0.0.1", port, method, path: "/", agent: agent ?? false, rejectUnauthorized: false });
  outgoing.end(body);
  const [answer] = (await once(outgoing, "response")) as [import("node:http").IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer); // as above
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) };
}

async function certificateName({ port }: Stage, servername?: string): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...(servername === undefined ? {} : { servername }) });
  await once(socket, "secureConnect");
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

withTls(
  "the certificate is the one of the name asked for, else the first; changed files are taken, unusable ones are not",
  {},
  async ({ stage, directory }) => {
    await stage.instance("web-1.1", telling);
    await stage.route({ "web-1.1": "available" });
    assert.equal(await certificateName(stage, "news.example"), "news.example");
    assert.equal(await certificateName(stage, "shop.example"), "shop.example");
    assert.equal(await certificateName(stage, "other.example"), "shop.example");
    assert.equal(await certificateName(stage), "shop.example");

    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const before = toldIn(await askHttps(stage, { agent }));
    makeKeyPair(directory, "renewed.example", "new");
    for (const kind of ["cert", "key"]) renameSync(join(directory, `new.${kind}.pem`), join(directory, `shop.example.${kind}.pem`));
    for (let name = ""; name !== "renewed.example"; name = await certificateName(stage));
    assert.equal(await certificateName(stage, "renewed.example"), "renewed.example");
    assert.equal(await certificateName(stage, "news.example"), "news.example");
    assert.deepEqual(toldIn(await askHttps(stage, { agent })).client, before.client, "the open connection went on");
    agent.destroy();

    copyFileSync(join(directory, "shop.example.cert.pem"), join(directory, "kept.pem"));
    writeFileSync(join(directory, "shop.example.cert.pem"), "half of a certif");
    makeKeyPair(directory, "other.example", "news.example");
    // Longer than it takes until the files are looked at.
    for (const endMs = Date.now() + 3_000; Date.now() < endMs; ) assert.equal(await certificateName(stage), "renewed.example");
    // The other pair was renewed all the same.
    for (let name = ""; name !== "other.example"; name = await certificateName(stage, "other.example"));
    renameSync(join(directory, "kept.pem"), join(directory, "shop.example.cert.pem"));
    assert.equal(await certificateName(stage, "renewed.example"), "renewed.example");
  },
);

withTls("a certificate that nobody can look at any more stays in use, and the forwarder goes on", {}, async ({ stage, directory }) => {
  const path = join(directory, "shop.example.cert.pem");
  renameSync(path, join(directory, "away.pem"));
  symlinkSync(path, path);
  const before = stage.seconds;
  await stage.until(() => stage.seconds > before + 3 || stage.process.exitCode !== null);
  assert.equal(await certificateName(stage), "shop.example");
});

withTls(
  "a forwarder that starts while one pair of files is amiss serves with the others, and takes that one later",
  {},
  async (context) => {
    const { directory } = context;
    const tls = ["shop.example", "news.example"].map((name) => ({
      cert: join(directory, `${name}.cert.pem`),
      key: join(directory, `${name}.key.pem`),
    }));
    renameSync(join(directory, "shop.example.key.pem"), join(directory, "away.pem"));
    const stage = await Stage.open({}, { tls });
    assert.equal(await certificateName(stage, "shop.example"), "news.example");
    renameSync(join(directory, "away.pem"), join(directory, "shop.example.key.pem"));
    for (let name = ""; name !== "shop.example"; name = await certificateName(stage, "shop.example"));
    assert.equal(await certificateName(stage), "shop.example");
    await stage.close();
  },
);

withTls("HTTP/1.1 over TLS: the node is told the client and that it came by https; an upgrade passes", {}, async ({ stage }) => {
  const server = await stage.instance("web-1.1", telling);
  server.on("upgrade", (_incoming, socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    socket.pipe(socket);
  });
  await stage.route({ "web-1.1": "available" });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const body = randomBytes(300_000);
  const told = toldIn(await askHttps(stage, { agent, method: "POST", body }));
  assert.deepEqual([told.bytes, told.sha256], [body.length, createHash("sha256").update(body).digest("hex")]);
  assert.equal(told.client[0], "127.0.0.1");
  assert.equal(told.client[2], "https");
  assert.deepEqual(toldIn(await askHttps(stage, { agent })).client, told.client, "one connection, kept");
  agent.destroy();

  const socket = connect({ host: "127.0.0.1", port: stage.port, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
  socket.write("GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
  let heard = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    heard += text;
    if (heard.endsWith("\r\n\r\n")) socket.write("to and fro");
  });
  await stage.until(() => heard.endsWith("to and fro"));
  socket.destroy();
});

withTls(
  "nodes without a probe are told https; only proxies that are trusted are believed",
  { trustProxy: "127.0.0.0/8" },
  async ({ stage }) => {
    await stage.instance("web-1.1", (incoming, response) => response.end(JSON.stringify(incoming.headers)));
    await stage.route({ "web-1.1": "available" });
    const session = http2To(stage);
    const headers = { ":path": "/", "x-forwarded-for": "203.0.113.7", "x-forwarded-host": "public.example", forwarded: "for=203.0.113.7" };
    const seen = JSON.parse((await ask(session, headers)).body.toString()) as Record<string, string>;
    assert.equal(seen["x-forwarded-for"], "203.0.113.7, 127.0.0.1");
    assert.equal(seen["x-forwarded-proto"], "https");
    assert.equal(seen["x-forwarded-host"], "public.example");
    assert.equal(seen["forwarded"], 'for=203.0.113.7, for=127.0.0.1;proto=https;host="public.example"');
    session.close();
  },
  false,
);

/** Speaks TLS behind a PROXY header. */
async function askAnnounced(port: number, header: Buffer): Promise<string> {
  const plain = connectPlain(port, "127.0.0.1");
  await once(plain, "connect");
  plain.write(header);
  const socket = connect({ socket: plain, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
  socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  let heard = "";
  for await (const chunk of socket.setEncoding("latin1")) heard += String(chunk);
  return heard;
}

withTls("PROXY protocol before TLS: the node is told the client that the balancer named", { proxyProtocol: true }, async ({ stage }) => {
  await stage.instance("web-1.1", telling);
  await stage.route({ "web-1.1": "available" });
  const version2 = Buffer.concat([
    Buffer.from("0d0a0d0a000d0a515549540a2111000c", "hex"),
    Buffer.from([198, 51, 100, 9, 127, 0, 0, 1, 0x12, 0x34, 0x01, 0xbb]),
  ]);
  assert.match(await askAnnounced(stage.port, version2), /"client":\["198.51.100.9","4660","https"\]/);
  const version1 = Buffer.from("PROXY TCP6 2001:db8::9 ::1 4711 443\r\n");
  assert.match(await askAnnounced(stage.port, version1), /"client":\["2001:db8::9","4711","https"\]/);
  await assert.rejects(certificateName(stage), /disconnected|ECONNRESET|socket hang up/);
  await stage.until(() => stage.heard.findLast((one) => one.kind === "traffic")?.connections === 0);
});

withTls("one port of a balancer's towards two addresses of ours: each client is told as it was named", {}, async ({ directory }) => {
  const tls = [{ cert: join(directory, "shop.example.cert.pem"), key: join(directory, "shop.example.key.pem") }];
  const stage = await Stage.open({ proxyProtocol: true }, { tls, address: "0.0.0.0" });
  await stage.instance("web-1.1", telling);
  await stage.route({ "web-1.1": "available" });
  const localPort = await freePort();
  const arrive = async (host: string, name: string) => {
    const carrier = connectPlain({ host, port: stage.port, localAddress: "127.0.0.9", localPort });
    await once(carrier, "connect");
    carrier.write(`PROXY TCP4 ${name} 192.0.2.1 4711 443\r\n`);
    return carrier;
  };
  const carriers = [await arrive("127.0.0.1", "203.0.113.1"), await arrive("127.0.0.2", "203.0.113.2")];
  for (const [at, carrier] of carriers.entries()) {
    const socket = connect({ socket: carrier, rejectUnauthorized: false });
    socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const [, body = ""] = (await text(socket)).split("\r\n\r\n");
    assert.deepEqual(toldIn({ body: Buffer.from(body) }).client, [`203.0.113.${at + 1}`, "4711", "https"]);
  }
  await stage.close();
});

withTls("told to finish: streams in process are answered, sessions and idle connections end, the process too", {}, async ({ stage }) => {
  const held: (() => void)[] = [];
  await stage.instance("web-1.1", (incoming, response) => {
    if (incoming.url === "/waits") held.push(() => response.end("the answer"));
    else response.end();
  });
  await stage.route({ "web-1.1": "available" });
  const session = http2To(stage);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  await askHttps(stage, { agent });
  const answer = ask(session, { ":path": "/waits" });
  await stage.until(() => held.length === 1);
  const goneAway = once(session, "goaway");
  const exited = once(stage.process, "exit");
  stage.process.send({ kind: "finish", deadlineMs: 20_000 });
  await goneAway;
  for (const answerIt of held) answerIt();
  assert.equal((await answer).body.toString(), "the answer");
  assert.deepEqual(await exited, [0, null]);
  agent.destroy();
});

withTls("curl and h2load work through it unchanged", {}, async ({ stage }) => {
  await stage.instance("web-1.1", telling);
  await stage.route({ "web-1.1": "available" });
  const run = promisify(execFile);
  const url = `https://127.0.0.1:${stage.port}/`;
  for (const version of ["--http2", "--http1.1"]) {
    const { stdout } = await run("curl", [
      "-sk",
      "-m",
      "10",
      version,
      "-w",
      " %{http_version} %{http_code}",
      "--data-binary",
      "hello",
      url,
    ]);
    assert.match(stdout, version === "--http2" ? / 2 200$/ : / 1\.1 200$/);
    assert.match(stdout, /"bytes":5/);
  }
  if (!has("h2load")) return;
  const { stdout } = await run("h2load", ["-n", "2000", "-c", "8", "-m", "16", url]);
  assert.match(stdout, /2000 succeeded, 0 failed/);
});

withTls("a client that speaks HTTP/1.0 alone may say so when it shakes hands", {}, async ({ stage }) => {
  await stage.instance("web-1.1", telling);
  await stage.route({ "web-1.1": "available" });
  const socket = connect({ host: "127.0.0.1", port: stage.port, rejectUnauthorized: false, ALPNProtocols: ["http/1.0"] });
  let heard = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    heard += text;
  });
  socket.write("GET / HTTP/1.0\r\n\r\n");
  await once(socket, "end");
  assert.equal(socket.alpnProtocol, "http/1.0");
  assert.match(heard, /^HTTP\/1\.1 200 OK\r\n/);
  socket.destroy();
});

withTls("who closes a connection before it has shaken hands, or with HTTP/2, is not waited for", {}, async ({ stage }) => {
  await stage.instance("web-1.1", (_, response) => response.end(Buffer.alloc(3_000_000)));
  await stage.route({ "web-1.1": "available" });
  const connections = () => {
    const traffic = stage.heard.findLast((message) => message.kind === "traffic");
    return traffic?.kind === "traffic" ? traffic.connections : null;
  };
  // As a load balancer does to see whether anybody listens; and one that went in the middle of its first record.
  const sockets = ["", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc"].map((first) => {
    const socket = connectPlain({ port: stage.port, host: "127.0.0.1" });
    socket.write(Buffer.from(first, "latin1"));
    return socket;
  });
  // As the kernel closes what a killed client had open: in the middle, without a word of TLS or HTTP/2.
  for (let count = 0; count < 20; count += 1) {
    const carrier = connectPlain({ port: stage.port, host: "127.0.0.1" });
    carrier.on("error", () => {});
    const secure = connect({ socket: carrier, rejectUnauthorized: false, ALPNProtocols: ["h2"] }).on("error", () => {});
    const session = connectHttp2("https://shop.example", { createConnection: () => secure }).on("error", () => {});
    for (let n = 0; n < 20; n += 1)
      session
        .request({ ":path": "/" })
        .on("error", () => {})
        .resume();
    sockets.push(carrier);
  }
  await stage.until(() => connections() === sockets.length);
  for (const socket of sockets) socket.destroy();
  await stage.until(() => connections() === 0, 15_000);
});
