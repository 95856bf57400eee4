/** Clients that ask for more before they have their answer, and go away. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { type Stage, withStage } from "./stage.ts";

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** A node that answers when it is told to; what it was asked, and how many who asked are still there. */
async function node(stage: Stage): Promise<{ asked: string[]; open: () => number; answer: () => void }> {
  const sockets = new Set<Socket>();
  const asked: string[] = [];
  await stage.rawInstance("web-1.1", (socket) => {
    sockets.add(socket);
    socket.setEncoding("latin1").on("data", (text: string) => asked.push(text.split(" ")[1] ?? ""));
    socket.on("end", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  });
  await stage.route({ "web-1.1": "available" });
  const answer = () => {
    for (const socket of sockets) socket.write(ok);
  };
  return { asked, open: () => sockets.size, answer };
}

function client({ port }: Stage): { socket: Socket; heard: () => string } {
  let heard = "";
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket
    .setEncoding("latin1")
    .on("error", () => {})
    .on("data", (text: string) => (heard += text));
  return { socket, heard: () => heard };
}

withStage(
  "a client that vanishes behind several requests is told to the node at once; nothing of the others is asked",
  {},
  async (stage) => {
    const { asked, open } = await node(stage);
    for (const goes of ["reset", "end"] as const) {
      const { socket } = client(stage);
      socket.write(get("/1") + get("/2") + get("/3"));
      await stage.until(() => asked.length === 1);
      if (goes === "reset") socket.resetAndDestroy();
      else socket.end();
      await stage.until(() => open() === 0);
      assert.deepEqual(asked.splice(0), ["/1"]);
      socket.destroy();
    }
  },
);

withStage("a client that closes its side behind several requests has its answers, each if it comes soon", {}, async (stage) => {
  const { asked, answer, open } = await node(stage);
  const { socket, heard } = client(stage);
  const ended = new Promise<void>((resolve) => socket.once("end", resolve));
  socket.end(get("/1") + get("/2") + get("/3"));
  for (const path of ["/1", "/2", "/3"]) {
    await stage.until(() => asked.at(-1) === path);
    answer();
  }
  await ended;
  assert.equal(heard(), ok.repeat(3));
  // The last of them does not come.
  const other = client(stage);
  other.socket.end(get("/4") + get("/5"));
  await stage.until(() => asked.at(-1) === "/4");
  answer();
  await stage.until(() => asked.at(-1) === "/5");
  await stage.until(() => open() === 0);
  assert.equal(other.heard(), ok);
  other.socket.destroy();
});

withStage("a client that closes its side within a further request is given up when it has the answer before", {}, async (stage) => {
  const { asked, answer, open } = await node(stage);
  for (const half of ["GET /half HT", "POST /half HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"]) {
    const { socket, heard } = client(stage);
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.on("end", () => socket.destroy());
    socket.end(get("/1") + half);
    await stage.until(() => asked.includes("/1"));
    asked.length = 0;
    answer();
    await closed;
    assert.equal(heard(), ok);
  }
  await stage.until(() => open() <= 1);
});

withStage("a client that closes its side just as an answer comes has that of its next request too", {}, async (stage) => {
  const { asked, answer } = await node(stage);
  const { socket, heard } = client(stage);
  const ended = new Promise<void>((resolve) => socket.once("end", resolve));
  socket.write(get("/1") + get("/2"));
  await stage.until(() => asked.at(-1) === "/1");
  // The forwarder finds both in one turn of its loop, the answer first.
  stage.process.kill("SIGSTOP");
  answer();
  await new Promise<void>((resolve) => socket.end(resolve));
  stage.process.kill("SIGCONT");
  let over = false;
  void ended.then(() => (over = true));
  await stage.until(() => asked.at(-1) === "/2" || over);
  answer();
  await ended;
  assert.equal(heard(), ok.repeat(2));
});
