/** Settings that change while a forwarder runs: they come with a route table, and act on whatever begins from then on. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { Stage, withStage } from "./stage.ts";

const get = (stage: Stage, path = "/") => fetch(`http://127.0.0.1:${stage.port}${path}`);
const parked = (stage: Stage) => stage.heard.findLast((one) => one.kind === "traffic")?.parked;

withStage("who is parked is judged by a shorter time at once, and a smaller lot sends those away who find no place", {}, async (stage) => {
  const patient = get(stage);
  await stage.until(() => parked(stage) === 1);
  await stage.configure({ parkTimeoutMs: 60_000 });
  const other = get(stage);
  await stage.until(() => parked(stage) === 2);
  await stage.configure({ parkTimeoutMs: 100 });
  assert.deepEqual([(await patient).status, (await other).status], [503, 503]);
  await stage.configure({ parkedMax: 0 });
  assert.equal((await get(stage)).status, 503);
  await stage.configure({});
  const waits = get(stage);
  await stage.until(() => parked(stage) === 1);
  await stage.instance("web-1.1", (_, response) => response.end("here"));
  await stage.route({ "web-1.1": "available" });
  assert.equal(await (await waits).text(), "here", "the table alone changes no settings");
});

withStage(
  "a request that waits for room at a node has it when there is more, and none in process notices",
  { nodeRequestsMax: 1 },
  async (stage) => {
    const held: (() => void)[] = [];
    await stage.instance("web-1.1", (incoming, response) => {
      incoming.resume().on("end", () => held.push(() => response.end(incoming.url)));
    });
    await stage.route({ "web-1.1": "available" });
    const first = fetch(`http://127.0.0.1:${stage.port}/first`, { method: "POST", body: "x".repeat(100_000) });
    await stage.until(() => held.length === 1);
    const second = get(stage, "/second");
    await stage.until(() => parked(stage) === 1);
    await stage.configure({ nodeRequestsMax: 2, saveBodyBytesMax: 0, saveBytesMax: 0, heldAnswerBytesMax: 0, idleTimeoutMs: 1_000 });
    await stage.until(() => held.length === 2);
    for (const answer of held) answer();
    assert.deepEqual([await (await first).text(), await (await second).text()], ["/first", "/second"]);
  },
);

withStage("a body is saved for another node up to what may be saved when it comes", {}, async (stage) => {
  let died = 0;
  await stage.instance("web-1.1", (incoming) => {
    incoming.once("data", () => {
      died += 1;
      incoming.socket.destroy();
    });
  });
  await stage.instance("web-2.1", (incoming, response) => incoming.resume().on("end", () => response.end("whole")));
  await stage.route({ "web-1.1": "available", "web-2.1": "available" });
  /** Until the one that dies had it; which of them it is given to is drawn. */
  const put = async () => {
    const before = died;
    for (let tries = 0; tries < 60; tries += 1) {
      const { status } = await fetch(`http://127.0.0.1:${stage.port}/`, { method: "PUT", body: "x".repeat(50_000) });
      if (died > before) return status;
      assert.equal(status, 200);
    }
    return assert.fail("it never had it");
  };
  assert.equal(await put(), 200);
  await stage.configure({ saveBodyBytesMax: 10_000 });
  assert.equal(await put(), 502);
});

withStage("a client's connection may be idle as long as is set when it falls idle, and only so many connect", {}, async (stage) => {
  await stage.instance("web-1.1", (_, response) => response.end("x"));
  await stage.route({ "web-1.1": "available" });
  const client = () => connect(stage.port, "127.0.0.1").on("error", () => {});
  const answered = async (socket: ReturnType<typeof client>) => {
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(socket, "data");
  };
  const kept = client();
  await answered(kept);
  await stage.configure({ idleTimeoutMs: 300, connectionsMax: 1 });
  const refused = client();
  await once(refused, "close");
  const closed = once(kept, "close");
  await answered(kept);
  await closed;
  const next = client();
  await answered(next);
  next.destroy();
});

test("proxies in front are believed as is set when a request comes", { timeout: 180_000 }, async () => {
  const stage = await Stage.open({}, { probed: false });
  try {
    await stage.instance("web-1.1", (incoming, response) => response.end(incoming.headers["x-forwarded-for"]));
    await stage.route({ "web-1.1": "available" });
    const told = async () => (await fetch(`http://127.0.0.1:${stage.port}/`, { headers: { "x-forwarded-for": "192.0.2.7" } })).text();
    assert.equal(await told(), "127.0.0.1");
    await stage.configure({ trustProxy: "127.0.0.1" });
    assert.equal(await told(), "192.0.2.7, 127.0.0.1");
    await stage.configure({});
    assert.equal(await told(), "127.0.0.1");
  } finally {
    await stage.close();
  }
});
