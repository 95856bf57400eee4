/** How fast connections are taken that come at once, and those of clients that are gone by then. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { Stage } from "./stage.ts";

const clients = 200;
/** Says when asked how many turns its loop has made. */
const countsTurns = `process.on("message", ({ kind }) => {
  if (kind === "turns") process.send({ turns: performance.nodeTiming.uvMetricsInfo.loopCount });
});`;

test("of connections that wait several are taken in one turn of the loop", { timeout: 180_000 }, async () => {
  const stage = await Stage.open({}, { nodeOptions: ["--import", `data:text/javascript,${encodeURIComponent(countsTurns)}`] });
  const forwarder = stage.process;
  const turns = () =>
    new Promise<number>((resolve) => {
      // Beside what the forwarder says of its own.
      forwarder.on("message", ({ turns: count }: { turns?: number }) => count !== undefined && resolve(count));
      forwarder.send({ kind: "turns" });
    });
  const sockets: Socket[] = [];
  try {
    const before = await turns();
    forwarder.kill("SIGSTOP");
    for (let count = 0; count < clients; count += 1) sockets.push(connect(stage.port, "127.0.0.1"));
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    forwarder.kill("SIGCONT");
    await stage.until(() => stage.heard.findLast((one) => one.kind === "traffic")?.connections === clients);
    const made = (await turns()) - before;
    assert.ok(made < clients / 2, `${made} turns for ${clients} connections`);
  } finally {
    for (const socket of sockets) socket.destroy();
    await stage.close();
  }
});

test("a client that was gone before its connection was taken: its request goes to nobody, and harms nobody", {
  timeout: 180_000,
}, async () => {
  const stage = await Stage.open({}, { probed: false });
  const forwarder = stage.process;
  try {
    const asked: string[] = [];
    await stage.instance("web-1.1", (incoming, response) => {
      asked.push(incoming.url ?? "");
      response.end("ok");
    });
    await stage.route({ "web-1.1": "available" });
    forwarder.kill("SIGSTOP");
    const gone = connect(stage.port, "127.0.0.1");
    await once(gone, "connect");
    await new Promise((resolve) => gone.write("GET /gone HTTP/1.1\r\nHost: x\r\n\r\n", resolve));
    gone.resetAndDestroy();
    await once(gone, "close");
    forwarder.kill("SIGCONT");
    const there = connect(stage.port, "127.0.0.1");
    there.write("GET /there HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let heard = "";
    for await (const chunk of there.setEncoding("latin1")) heard += String(chunk);
    assert.match(heard, /^HTTP\/1\.1 200 /);
    assert.deepEqual(asked, ["/there"]);
  } finally {
    await stage.close();
  }
});
