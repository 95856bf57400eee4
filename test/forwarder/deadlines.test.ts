/** Deadlines towards what does not move: a client that takes no answer, a node that takes no connection. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { parseSettings } from "../../src/config/settings.ts";
import { Choosing } from "../../src/forwarder/choosing.ts";
import { Dispatcher } from "../../src/forwarder/dispatcher.ts";
import { ParkingLot } from "../../src/forwarder/parking.ts";
import type { Upstream } from "../../src/routing/upstream-table.ts";
import { freePort } from "../e2e/cluster.ts";
import { endAfterTest } from "../left-open.ts";
import { endHeaders, endStream, FrameClient, frame, frameType, get } from "./http2-frames.ts";
import { ask, http2To, withTls } from "./secure-stage.ts";
import { listener, type Stage, withStage } from "./stage.ts";

const large = Buffer.alloc(64 * 1024 * 1024, "x");
/** More than the system's buffers take, and slowly read more than three deadlines. */
const slowBytes = 24 * 1024 * 1024;
/** Longer than a busy machine lets a reader wait. */
const writeTimeoutMs = 3_000;

const inFlight = (stage: Stage) =>
  stage.heard.findLast((one) => one.kind === "traffic")?.upstreams.reduce((sum, { total }) => sum + total, 0);
const traffic = (stage: Stage) => stage.heard.findLast((one) => one.kind === "traffic");

/** Reads 256 KiB each 100 ms. */
async function readSlowly(socket: Socket): Promise<number> {
  let bytes = 0;
  socket.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes % 262_144 < chunk.length) socket.pause();
  });
  const timer = setInterval(() => socket.resume(), 100);
  await once(socket, "close").finally(() => clearInterval(timer));
  return bytes;
}

for (const secure of [false, true])
  (secure ? withTlsStage : withStage)(
    `${secure ? "https" : "http"}: a client that takes nothing of its answer is closed at the deadline; one that takes a little all the time is not`,
    { writeTimeoutMs },
    async (stage) => {
      await stage.instance("web-1.1", (incoming, response) =>
        response.end(incoming.url === "/short" ? "short" : incoming.url === "/slow" ? large.subarray(0, slowBytes) : large),
      );
      await stage.route({ "web-1.1": "available" });
      const open = (path: string) => {
        const to = { port: stage.port, host: "127.0.0.1" };
        const socket = secure ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to);
        endAfterTest(() => socket.destroy());
        socket
          .on("error", () => {})
          .write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: ${path === "/short" ? "keep-alive" : "close"}\r\n\r\n`);
        return socket;
      };
      const slow = open("/slow");
      const whole = readSlowly(slow);
      const never = open("/never");
      // Its answer is in the system's buffers: nothing of ours waits for it.
      const fits = open("/short");
      await stage.until(() => traffic(stage)?.stalledTotal === 1);
      assert.ok((await whole) > slowBytes);
      assert.equal(traffic(stage)?.stalledTotal, 1);
      await stage.until(() => inFlight(stage) === 0);
      let heard = "";
      fits.setEncoding("latin1").on("data", (text: string) => (heard += text));
      await stage.until(() => heard.endsWith("short"));
      never.destroy();
      fits.destroy();
    },
  );

function withTlsStage(name: string, settings: Readonly<Record<string, unknown>>, body: (stage: Stage) => Promise<void>): void {
  withTls(name, settings, ({ stage }) => body(stage));
}

withTls(
  "HTTP/2: a stream whose client opens no window is reset at the deadline, its session goes on; one that reads nothing at all is closed",
  { writeTimeoutMs },
  async ({ stage }) => {
    await stage.instance("web-1.1", (incoming, response) => response.end(incoming.url === "/" ? "ok" : large));
    await stage.route({ "web-1.1": "available" });
    const client = await FrameClient.open(stage);
    client.send(frame(frameType.headers, endHeaders | endStream, 1, get("/large")));
    await stage.until(() => client.codeOf(1) !== null);
    await stage.until(() => traffic(stage)?.stalledTotal === 1);
    client.send(frame(frameType.window, 0, 0, Buffer.from([0, 1, 0, 0])), frame(frameType.headers, endHeaders | endStream, 3, get("/")));
    await stage.until(() => client.of(frameType.data, 3) !== undefined);
    const most = Buffer.from([0x7f, 0, 0, 0]);
    client.socket.pause();
    client.send(frame(frameType.headers, endHeaders | endStream, 5, get("/large")));
    client.send(frame(frameType.window, 0, 0, most), frame(frameType.window, 0, 5, most));
    await stage.until(() => traffic(stage)?.stalledTotal === 2);
    await stage.until(() => inFlight(stage) === 0 && traffic(stage)?.connections === 0);
    client.socket.destroy();
    const other = http2To(stage);
    assert.equal((await ask(other, { ":path": "/" })).status, 200);
    other.close();
  },
);

withTls("HTTP/2: a client whose streams all stand still is counted as one", { writeTimeoutMs }, async ({ stage }) => {
  await stage.instance("web-1.1", (_, response) => response.end(large));
  await stage.route({ "web-1.1": "available" });
  const client = await FrameClient.open(stage, Buffer.from([0, 4, 0, 0, 0, 0])); // SETTINGS_INITIAL_WINDOW_SIZE
  const streams = Array.from({ length: 20 }, (_, at) => 2 * at + 1);
  client.send(...streams.map((stream) => frame(frameType.headers, endHeaders | endStream, stream, get("/large"))));
  await stage.until(() => streams.every((stream) => client.codeOf(stream) !== null));
  await stage.until(() => inFlight(stage) === 0);
  const stalled = traffic(stage)?.stalledTotal ?? 0;
  assert.ok(stalled >= 1 && stalled <= 3, `${stalled}: once in each sweep that finds some`);
  client.socket.destroy();
});

withStage(
  "a node's port that takes no connection: at the deadline its request goes to another",
  { connectTimeoutMs: 300 },
  async (stage) => {
    const stuck = await StuckServer.start();
    try {
      const port = await freePort();
      await stage.rawInstance("good", (socket) => socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")), {
        port,
      });
      const upstream = (id: string, at: number) => ({
        id,
        availability: "available" as const,
        sockets: { [listener]: `127.0.0.1:${at}` },
        probed: false,
      });
      await stage.routeTo(upstream("stuck", stuck.port));
      const client = connect({ port: stage.port, host: "127.0.0.1" });
      let heard = "";
      client.setEncoding("latin1").on("data", (text: string) => (heard += text));
      client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
      await stage.until(() => traffic(stage)?.upstreams[0]?.requestsTotal === 1);
      await stage.routeTo(upstream("stuck", stuck.port), upstream("good", port));
      await stage.until(() => /^HTTP\/1\.1 200 [\s\S]*ok$/.test(heard));
      client.destroy();
    } finally {
      stuck.kill();
    }
  },
);

withStage(
  "nodes whose ports all take no connection: each is waited for once, and the request is refused when its time is over",
  { connectTimeoutMs: 300, parkTimeoutMs: 5_000 },
  async (stage) => {
    const stuck = await Promise.all([StuckServer.start(), StuckServer.start(), StuckServer.start()]);
    try {
      await stage.routeTo(
        ...stuck.map(({ port }, index) => ({
          id: `stuck-${index}`,
          availability: "available" as const,
          sockets: { [listener]: `127.0.0.1:${port}` },
          probed: false,
        })),
      );
      const answer = await fetch(`http://127.0.0.1:${stage.port}/`);
      assert.equal(answer.status, 503);
      assert.match(await answer.text(), /It was not executed/);
      const tried = () => traffic(stage)?.upstreams.map(({ requestsTotal }) => requestsTotal) ?? [];
      await stage.until(() => tried().every((times) => times > 0));
      assert.deepEqual(tried(), [1, 1, 1]);
    } finally {
      for (const server of stuck) server.kill();
    }
  },
);

withStage("an empty line that comes in parts before a request gives its head no more time", { headTimeoutMs: 1_000 }, async (stage) => {
  await stage.instance("web-1.1", (_, response) => response.end("ok"));
  await stage.route({ "web-1.1": "available" });
  const client = connect({ port: stage.port, host: "127.0.0.1" }).setNoDelay();
  let heard = "";
  client.setEncoding("latin1").on("data", (text: string) => (heard += text));
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await stage.until(() => heard.endsWith("ok"));
  client.write("\r");
  const before = stage.seconds;
  await stage.until(() => stage.seconds > before + 1);
  client.write("\nGET / HTTP/1.1\r\n");
  await stage.until(() => heard.includes("HTTP/1.1 408 "), 20_000);
  client.destroy();
});

test("a request that has waited longer than it may already is given up at once, without a warning of the runtime", async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on("warning", note);
  const lot = new ParkingLot(1, 1_000);
  const go = () => assert.fail("no node came");
  await new Promise<void>((tooLong) => lot.park({ fits: () => true, go, tooLong, waitedMs: 30_000 }));
  process.off("warning", note);
  assert.equal(lot.size, 0);
  assert.deepEqual(warnings, []);
});

test("room at a node is for the request that has waited longest of those that may go there, whoever waits for another listener", () => {
  const lot = new ParkingLot(10, 60_000);
  const released: number[] = [];
  let room = ["*|80"];
  const stops = ["*|81", "*|80", "*|81", "*|80"].map((listener, index) =>
    lot.park({ fits: () => room.includes(listener), go: () => released.push(index), tooLong: () => {}, waitedMs: 0 }),
  );
  lot.releaseOne();
  lot.releaseOne();
  lot.releaseOne();
  assert.deepEqual([released, lot.size], [[1, 3], 2]);
  room = ["*|80", "*|81"];
  lot.releaseOne();
  assert.deepEqual(released, [1, 3, 0]);
  for (const stop of stops) stop?.();
});

test("room that a parked request is offered as its time runs out is its own: nobody else is offered it", () => {
  const settings = parseSettings({ nodeRequestsMax: 1, parkTimeoutMs: 20 });
  const dispatcher = new Dispatcher({ settings, clusterKey: "aa55", accessLog: null, onDrained: () => {} });
  const node = { id: "web-1.1", availability: "available" as const, availableSinceMs: 0, probed: true, slowStart: false };
  const upstreams = [{ ...node, sockets: { [listener]: "/none" } }];
  dispatcher.apply({ revision: 1, listeners: [], upstreams, affinityCookies: [] });
  const served: number[] = [];
  const choosers = [0, 1].map((index) => {
    const chosen = (upstream: Upstream) => {
      dispatcher.table.begin(upstream, false);
      served.push(index);
    };
    return new Choosing({ chosen, noneChosen: () => assert.fail("refused") }, dispatcher, listener, null);
  });
  for (const chooser of choosers) chooser.choose();
  assert.deepEqual([served, dispatcher.parking.size], [[0], 1]);
  const endMs = performance.now() + 30;
  while (performance.now() < endMs);
  for (const upstream of dispatcher.table.all()) dispatcher.end(upstream, false);
  assert.deepEqual([served, dispatcher.parking.size], [[0, 1], 0]);
});

/** A port whose queue of connections is full, of a process that stands still: what comes further is not even refused. */
class StuckServer {
  readonly port: number;
  readonly #kill: () => void;

  private constructor(port: number, kill: () => void) {
    this.port = port;
    this.#kill = kill;
  }

  static async start(): Promise<StuckServer> {
    const program =
      'const s = require("net").createServer(); s.listen({port: 0, host: "127.0.0.1", backlog: 1}, () => console.log(s.address().port));';
    const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
    endAfterTest(() => child.kill("SIGKILL"));
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    child.kill("SIGSTOP");
    const queued = Array.from({ length: 8 }, () => connect({ port: Number(line), host: "127.0.0.1" }).on("error", () => {}));
    await Promise.all(queued.slice(0, 2).map((socket) => once(socket, "connect")));
    return new StuckServer(Number(line), () => {
      for (const socket of queued) socket.destroy();
      child.kill("SIGKILL");
    });
  }

  kill(): void {
    this.#kill();
  }
}
