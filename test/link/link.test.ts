/** Links over real Unix sockets: who is let in, and what happens when the other side goes away. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Link } from "../../src/link/link.ts";
import { LinkServer, type Peer } from "../../src/link/link-server.ts";
import { markFor, tokenFor, tokenIsRight } from "../../src/link/token.ts";
import { controlProtocol, type Hello } from "../../src/model/control.ts";
import { encodeFrame } from "../../src/wire/frame.ts";

const directory = mkdtempSync(join(tmpdir(), "coppice-link-"));
const clusterKey = "00ff";
after(() => rmSync(directory, { recursive: true }));

function helloOf(id: string, token = tokenFor(clusterKey, "instance", id)): Hello {
  return { kind: "hello", protocol: controlProtocol, role: "instance", id, token, pid: process.pid };
}

/** A server whose happenings can be awaited by name. */
function recordingServer(name: string) {
  const heard: string[] = [];
  const peers: Peer[] = [];
  const waiting: { text: string; resolve: () => void }[] = [];
  const note = (text: string) => {
    heard.push(text);
    for (const one of waiting.filter((entry) => entry.text === text)) one.resolve();
  };
  const server = new LinkServer({
    path: join(directory, name),
    clusterKey,
    onPeer: (peer) => {
      peers.push(peer);
      note(`joined ${peer.hello.id}`);
    },
    onFrame: (peer, { head, body }) => note(`${peer.hello.id} said ${JSON.stringify(head)} ${Buffer.from(body).toString()}`),
    onGone: (peer) => note(`left ${peer.hello.id}`),
  });
  const heardText = (text: string) =>
    heard.includes(text) ? Promise.resolve() : new Promise<void>((resolve) => waiting.push({ text, resolve }));
  return { server, heard, peers, heardText, path: join(directory, name) };
}

test("link: says hello, carries heads and bodies both ways", { timeout: 180_000 }, async () => {
  const { server, heardText, peers, path } = recordingServer("a");
  await server.listen();
  const answer = Promise.withResolvers<string>();
  const link = new Link({
    path,
    hello: helloOf("web-1.1"),
    keepAlive: true,
    onFrame: ({ body }) => answer.resolve(Buffer.from(body).toString()),
  });
  await heardText("joined web-1.1");
  link.send({ kind: "x" }, Buffer.from("body"));
  await heardText('web-1.1 said {"kind":"x"} body');
  peers[0]?.send({ kind: "y" }, Buffer.from("back"));
  assert.equal(await answer.promise, "back");
  link.close();
  await heardText("left web-1.1");
  server.close();
});

test("link: connects again by itself after the server was restarted, and says hello again", { timeout: 180_000 }, async () => {
  const first = recordingServer("b");
  await first.server.listen();
  const link = new Link({ path: first.path, hello: helloOf("web-1.2"), keepAlive: true, onFrame: () => {} });
  await first.heardText("joined web-1.2");
  first.server.close();
  const second = recordingServer("b");
  await second.server.listen();
  await second.heardText("joined web-1.2");
  link.close();
  second.server.close();
});

test("link: without a server nothing is sent, and send says so", async () => {
  const link = new Link({ path: join(directory, "nobody"), hello: helloOf("web-1.3"), onFrame: () => {} });
  assert.equal(link.send({ kind: "x" }), false);
  link.close();
});

test("link: where the other side hangs, what waits for it is bounded, and gone with the connection", { timeout: 180_000 }, async () => {
  const hanging = createServer((socket) => socket.pause());
  const connections: Socket[] = [];
  hanging.on("connection", (socket) => connections.push(socket));
  hanging.listen(join(directory, "h"));
  await once(hanging, "listening");
  const up = Promise.withResolvers<void>();
  const link = new Link({
    path: join(directory, "h"),
    hello: helloOf("web-1.6"),
    keepAlive: true,
    unsentBytesMax: 1_000_000,
    onFrame: () => {},
    onUp: () => up.resolve(),
  });
  await up.promise;
  let mostBytes = 0;
  for (let frames = 0; frames < 1_000 && link.send({ kind: "x" }, Buffer.alloc(10_000)); frames += 1) mostBytes = link.unsentBytes;
  assert.ok(mostBytes > 900_000 && mostBytes < 1_100_000, `${mostBytes} bytes waited`);
  await once(hanging, "connection");
  assert.equal(connections.length, 2, "it has connected again");
  assert.equal(link.unsentBytes, 0);
  link.close();
  hanging.close();
  for (const socket of connections) socket.destroy();
});

test("link server: a peer that reads nothing is closed before what waits for it fills the memory", { timeout: 180_000 }, async () => {
  const { server, peers, heardText, path } = recordingServer("e");
  await server.listen();
  const socket = connect(path);
  socket.write(encodeFrame(helloOf("web-1.7")));
  await heardText("joined web-1.7");
  const [peer] = peers;
  for (let frames = 0; frames < 200; frames += 1) peer?.send({ kind: "x" }, Buffer.alloc(1024 * 1024));
  await heardText("left web-1.7");
  await peer?.drained();
  socket.destroy();
  server.close();
});

test("link server: a wrong token, a wrong protocol and a first frame that is no hello are cut off unheard", {
  timeout: 180_000,
}, async () => {
  const { server, heard, path } = recordingServer("c");
  await server.listen();
  const wrong = [
    helloOf("web-1.4", "0".repeat(64)),
    { ...helloOf("web-1.4"), protocol: 99 },
    { kind: "routes" },
    { ...helloOf("web-1.4"), role: "forwarder" },
  ];
  for (const hello of wrong) {
    const socket = connect(path);
    socket.resume();
    socket.write(encodeFrame(hello));
    await once(socket, "close");
  }
  assert.deepEqual(heard, []);
  server.close();
});

test("link server: of two connections with one id the newer stays", { timeout: 180_000 }, async () => {
  const { server, heard, heardText, path } = recordingServer("d");
  await server.listen();
  const socket = connect(path);
  socket.resume();
  socket.write(encodeFrame(helloOf("web-1.5")));
  await heardText("joined web-1.5");
  const link = new Link({ path, hello: helloOf("web-1.5"), keepAlive: true, onFrame: () => {} });
  await once(socket, "close");
  link.send({ kind: "still" });
  await heardText('web-1.5 said {"kind":"still"} ');
  assert.deepEqual(heard.filter((text) => text.startsWith("joined")).length, 2);
  link.close();
  server.close();
});

test("tokens: prove role and id under one key; marks differ from tokens", () => {
  const token = tokenFor("aa", "instance", "web-1.1");
  assert.equal(tokenIsRight("aa", "instance", "web-1.1", token), true);
  assert.equal(tokenIsRight("aa", "instance", "web-1.2", token), false);
  assert.equal(tokenIsRight("aa", "forwarder", "web-1.1", token), false);
  assert.equal(tokenIsRight("bb", "instance", "web-1.1", token), false);
  assert.equal(token.startsWith(markFor("aa", "web-1.1")), false);
});

test("link that gathers: what is sent in one turn of the loop waits for its end, and leaves whole and in order, both ways", {
  timeout: 180_000,
}, async () => {
  const path = join(directory, "gathers");
  const heard: unknown[] = [];
  const ended = Promise.withResolvers<void>();
  const server = new LinkServer({
    path,
    clusterKey,
    gathers: true,
    onPeer: () => {},
    onFrame: (peer, { head }) => peer.send(head as object), // what the link sent
    onGone: () => {},
  });
  await server.listen();
  const up = Promise.withResolvers<void>();
  const link = new Link({
    path,
    hello: helloOf("web-1.1"),
    keepAlive: true,
    gathers: true,
    onUp: () => up.resolve(),
    onFrame: ({ head }) => {
      heard.push(head);
      if (heard.length === 3) ended.resolve();
    },
  });
  await up.promise;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(link.unsentBytes, 0);
  for (let n = 0; n < 3; n += 1) link.send({ n });
  assert.equal(link.unsentBytes, 3 * encodeFrame({ n: 0 }).length);
  await ended.promise;
  assert.deepEqual(heard, [{ n: 0 }, { n: 1 }, { n: 2 }]);
  link.close();
  server.close();
});
