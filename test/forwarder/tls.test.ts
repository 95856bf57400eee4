/** TLS and HTTP/2 towards clients: certificates, what nodes are told, and that the rules of a request hold there too. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2, type OutgoingHttpHeaders } from "node:http2";
import { Agent, request } from "node:https";
import { connect as connectPlain } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "node:tls";
import { promisify } from "node:util";
import { clientHeader } from "../../src/forwarder/headers.ts";
import { makeKeyPair } from "./key-pairs.ts";
import { Stage } from "./stage.ts";

interface Context {
  readonly stage: Stage;
  readonly directory: string;
}

const withTls = (name: string, settings: Readonly<Record<string, unknown>>, body: (context: Context) => Promise<void>, probed = true) =>
  test(name, { timeout: 60_000 }, async () => {
    const directory = mkdtempSync(join(tmpdir(), "coppice-tls-"));
    const tls = [makeKeyPair(directory, "shop.example"), makeKeyPair(directory, "news.example")];
    const stage = await Stage.open(settings, { tls, probed });
    try {
      await body({ stage, directory });
    } finally {
      await stage.close();
      rmSync(directory, { recursive: true });
    }
  });

/** Says what it was told: of the client by the private header, and the request as it came. */
const telling: RequestListener = (incoming, response) => {
  const hash = createHash("sha256");
  let bytes = 0;
  incoming.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    hash.update(chunk);
  });
  incoming.on("end", () => {
    response.setHeader("set-cookie", ["a=1", "b=2"]);
    response.setHeader("x-frame-options", "DENY");
    const client = String(incoming.headers[clientHeader] ?? "").split(" ");
    response.end(
      JSON.stringify({
        method: incoming.method,
        url: incoming.url,
        client: client.slice(1),
        raw: incoming.rawHeaders.slice(2),
        bytes,
        sha256: hash.digest("hex"),
      }),
    );
  });
};

interface Told {
  readonly method: string;
  readonly url: string;
  readonly client: string[];
  readonly raw: string[];
  readonly bytes: number;
  readonly sha256: string;
}

interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** One request on an HTTP/2 session; rejects where its stream was reset. */
async function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: Buffer): Promise<Answer> {
  const stream = session.request(headers);
  stream.end(body);
  const chunks: Buffer[] = [];
  let answered: OutgoingHttpHeaders = {};
  let ended = false;
  stream.on("response", (given) => {
    answered = given;
  });
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("end", () => {
    ended = true;
  });
  await once(stream, "close");
  if (stream.rstCode !== 0 || !ended) throw new Error(`reset with ${stream.rstCode}`);
  return { status: Number(answered[":status"]), headers: answered, body: Buffer.concat(chunks) };
}

const toldIn = ({ body }: { readonly body: Buffer }): Told => JSON.parse(body.toString()) as Told;

function http2To({ port }: Stage, servername = "shop.example"): ClientHttp2Session {
  return connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false, servername });
}

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
    renameSync(join(directory, "kept.pem"), join(directory, "shop.example.cert.pem"));
    for (let name = ""; name !== "other.example"; name = await certificateName(stage, "other.example"));
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
  "HTTP/2: requests of many streams reach the nodes as HTTP/1.1 ones, with what belongs to HTTP/2 taken away",
  {},
  async ({ stage }) => {
    for (const id of ["web-1.1", "web-2.1"]) await stage.instance(id, telling);
    await stage.route({ "web-1.1": "available", "web-2.1": "available" });
    const session = http2To(stage);
    const body = randomBytes(200_000);
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        index % 3 === 0
          ? ask(session, { ":method": "POST", ":path": `/${index}?q=1` }, body)
          : ask(session, { ":path": `/${index}?q=1`, cookie: ["sid=7", "theme=dark"], "x-many": ["1", "2"] }),
      ),
    );
    for (const [index, answer] of answers.entries()) {
      const told = toldIn(answer);
      assert.deepEqual([answer.status, told.url, told.client[0], told.client[2]], [200, `/${index}?q=1`, "127.0.0.1", "https"]);
      assert.deepEqual(answer.headers["set-cookie"], ["a=1", "b=2"]);
      assert.equal("connection" in answer.headers || "keep-alive" in answer.headers || "transfer-encoding" in answer.headers, false);
      if (index % 3 === 0)
        assert.deepEqual([told.method, told.bytes, told.sha256], ["POST", 200_000, createHash("sha256").update(body).digest("hex")]);
      else {
        const named = (name: string) => told.raw.filter((_, at) => told.raw[at - 1]?.toLowerCase() === name && at % 2 === 1);
        assert.deepEqual([named("cookie"), named("host")], [["sid=7; theme=dark"], [`shop.example:${stage.port}`]]);
        assert.deepEqual(named("x-many"), ["1", "2"]);
      }
    }
    const head = await ask(session, { ":method": "HEAD", ":path": "/" });
    assert.deepEqual([head.status, head.body.length], [200, 0]);
    session.close();
  },
);

withTls("HTTP/2: an answer that it cannot carry ends its stream alone; interim answers and trailers pass", {}, async ({ stage }) => {
  await stage.instance("web-1.1", (incoming, response) => {
    if (incoming.url === "/twice") response.setHeader("content-location", ["/a", "/b"]);
    if (incoming.url === "/hints") {
      response.writeEarlyHints({ link: "</style.css>; rel=preload" });
      response.setHeader("trailer", "x-sum");
      response.write("x");
      response.addTrailers({ "x-sum": "7" });
    }
    response.end("done");
  });
  await stage.route({ "web-1.1": "available" });
  const session = http2To(stage);
  await assert.rejects(ask(session, { ":path": "/twice" }));
  const stream = session.request({ ":path": "/hints" });
  const hints = once(stream, "headers");
  const trailers = once(stream, "trailers");
  stream.resume();
  assert.equal(((await hints) as [Record<string, unknown>])[0]["link"], "</style.css>; rel=preload");
  assert.equal(((await trailers) as [Record<string, unknown>])[0]["x-sum"], "7");
  assert.equal((await ask(session, { ":path": "/" })).status, 200, "the session goes on");
  session.close();
});

withTls("HTTP/2: large bodies in both directions are whole, and one that is not read holds nobody up", {}, async ({ stage }) => {
  const large = randomBytes(24 * 1024 * 1024);
  await stage.instance("web-1.1", (incoming, response) => {
    if (incoming.url === "/large") response.end(large);
    else telling(incoming, response);
  });
  await stage.route({ "web-1.1": "available" });
  const session = http2To(stage);
  const idle = session.request({ ":path": "/large" });
  await once(idle, "response");
  const { body } = await ask(http2To(stage), { ":path": "/large" });
  assert.ok(body.equals(large));
  const told = toldIn(await ask(session, { ":method": "POST", ":path": "/" }, large));
  assert.equal(told.sha256, createHash("sha256").update(large).digest("hex"));
  idle.close();
  session.destroy();
});

withTls(
  "HTTP/2: the death of a node: a GET is sent again, a POST gets a 502, half an answer is reset; a client that cancels is carried on",
  {},
  async ({ stage }) => {
    let aborted = 0;
    await stage.instance("web-1.1", (incoming, response) => {
      response.on("close", () => {
        if (!response.writableFinished) aborted += 1;
      });
      if (incoming.url === "/begun") response.write("x".repeat(100_000), () => incoming.socket.destroy());
      else if (incoming.url === "/slow") response.flushHeaders();
      else incoming.socket.destroy();
    });
    await stage.route({ "web-1.1": "available" });
    const session = http2To(stage);
    const cancelled = session.request({ ":path": "/slow" });
    await stage.until(() => stage.heard.some((one) => one.kind === "traffic" && one.upstreams.some(({ total }) => total === 1)));
    cancelled.close(8);
    await stage.until(() => aborted === 1);
    await assert.rejects(ask(session, { ":path": "/begun" }));
    const refused = await ask(session, { ":method": "POST", ":path": "/", accept: "application/json" }, Buffer.from("x"));
    assert.equal(refused.status, 502);
    assert.match(refused.body.toString(), /not sent again/);
    await stage.instance("web-2.1", telling);
    await stage.route({ "web-1.1": "available", "web-2.1": "available" });
    for (let count = 0; count < 20; count += 1) assert.equal((await ask(session, { ":path": `/${count}` })).status, 200);
    session.close();
  },
);

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

withTls("told to finish: streams in process are answered, sessions and idle connections end, the process too", {}, async ({ stage }) => {
  let answerIt: () => void = () => {};
  await stage.instance("web-1.1", (incoming, response) => {
    if (incoming.url === "/waits") answerIt = () => response.end("the answer");
    else response.end();
  });
  await stage.route({ "web-1.1": "available" });
  const session = http2To(stage);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  await askHttps(stage, { agent });
  const answer = ask(session, { ":path": "/waits" });
  await stage.until(() => stage.heard.some((one) => one.kind === "traffic" && one.upstreams.some(({ total }) => total === 1)));
  const goneAway = once(session, "goaway");
  const exited = once(stage.process, "exit");
  stage.process.send({ kind: "finish", deadlineMs: 20_000 });
  await goneAway;
  answerIt();
  assert.equal((await answer).body.toString(), "the answer");
  assert.deepEqual(await exited, [0, null]);
  agent.destroy();
});

const has = (command: string) => {
  try {
    return execFileSync("sh", ["-c", `command -v ${command}`]).length > 0;
  } catch {
    return false;
  }
};

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
