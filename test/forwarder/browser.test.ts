/** A browser through it: a page of Chromium's that sends bodies, and keeps a WebSocket and an event stream over a cordon. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { IncomingMessage, RequestListener } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { clientHeader } from "../../src/forwarder/headers.ts";
import { endAfterTest } from "../left-open.ts";
import { has } from "./commands.ts";
import { withTls } from "./secure-stage.ts";
import { type Stage, withStage } from "./stage.ts";

const command = "chromium";
const sizes = Array.from({ length: 20 }, (_, index) => 1 + index * 15_000);

/** It tells `/first` when everything is open, and `/second` when its streams have come to an end and begun anew. */
const page = `<!doctype html><title>a page</title><script type="module">
const tell = (path, what) => fetch(path, { method: "POST", body: JSON.stringify(what) });
const echoed = await Promise.all(${JSON.stringify(sizes)}.map(async (size) =>
  (await (await fetch("/echo", { method: "POST", body: "x".repeat(size) })).text()).length));
const protocol = performance.getEntriesByType("navigation")[0].nextHopProtocol;
const socket = new WebSocket(location.origin.replace("http", "ws") + "/socket");
const said = new Promise((resolve) => { socket.onmessage = ({ data }) => resolve(data); });
const closed = new Promise((resolve) => { socket.onclose = ({ code, wasClean }) => resolve({ code, wasClean }); });
socket.onopen = () => socket.send("hello");
const events = [];
const source = new EventSource("/events");
const event = () => new Promise((resolve) => { source.onmessage = ({ data }) => resolve(events.push(data)); });
await event();
const again = event();
await tell("/first", { echoed, protocol, said: await said });
const { code, wasClean } = await closed;
await again;
await tell("/second", { code, wasClean, events });
</script>`;

interface First {
  readonly echoed: readonly number[];
  readonly protocol: string;
  readonly said: string;
}

interface Second {
  readonly code: number;
  readonly wasClean: boolean;
  readonly events: readonly string[];
}

/** What the page tells, as it comes. */
class Told {
  first: First | null = null;
  second: Second | null = null;
  /** By the private header: on which connection the page came, and its WebSocket. */
  pageClient: unknown = null;
  socketClient: unknown = null;

  server(id: string): RequestListener {
    return async (incoming, response) => {
      const body = await text(incoming);
      if (incoming.url === "/") this.pageClient = incoming.headers[clientHeader];
      if (incoming.url === "/") response.setHeader("content-type", "text/html").end(page);
      else if (incoming.url === "/echo") response.end(body);
      else if (incoming.url === "/events") response.setHeader("content-type", "text/event-stream").write(`retry: 20\ndata: ${id}\n\n`);
      else {
        if (incoming.url === "/first") this.first = JSON.parse(body) as First; // as the page tells it
        if (incoming.url === "/second") this.second = JSON.parse(body) as Second; // the same
        response.writeHead(incoming.method === "POST" ? 204 : 404).end();
      }
    };
  }
}

/** RFC 6455: agrees, and says the first message, a short one, back. */
function echo(incoming: IncomingMessage, socket: Socket): void {
  const key = `${incoming.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash("sha1").update(key).digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.on("error", () => {});
  socket.once("data", (frame: Buffer) => {
    const [mask, payload] = [frame.subarray(2, 6), frame.subarray(6)];
    const said = payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0));
    socket.write(Buffer.concat([Buffer.from([0x81, said.length]), said]));
  });
}

async function browse(stage: Stage, scheme: "http" | "https"): Promise<{ first: First; second: Second; sameConnection: boolean }> {
  const told = new Told();
  for (const id of ["web-1.1", "web-2.1"])
    (await stage.instance(id, told.server(id))).on("upgrade", (incoming, socket: Socket) => {
      told.socketClient ??= incoming.headers[clientHeader];
      echo(incoming, socket);
    });
  await stage.route({ "web-1.1": "available" });
  const profile = mkdtempSync(join(tmpdir(), "coppice-browser-"));
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors", `--user-data-dir=${profile}`];
  const browser = spawn(command, [...flags, "--remote-debugging-port=0", `${scheme}://127.0.0.1:${stage.port}/`], { stdio: "ignore" });
  endAfterTest(() => browser.kill("SIGKILL"));
  try {
    await stage.until(() => told.first !== null, 40_000);
    await stage.route({ "web-1.1": "cordoned", "web-2.1": "available" });
    await stage.until(() => told.second !== null);
  } finally {
    const exited = once(browser, "exit");
    browser.kill();
    await exited;
    rmSync(profile, { recursive: true, maxRetries: 10 });
  }
  const { first, second } = told;
  if (first === null || second === null) throw new Error("just seen");
  return { first, second, sameConnection: told.pageClient === told.socketClient };
}

if (!has(command)) test("a browser", { skip: `there is no ${command} here` }, () => {});
else {
  withStage(
    "a page in Chromium: bodies, a WebSocket that is told 1012, an event stream that goes on at another node",
    { drainTimeoutMs: 4_000 },
    async (stage) => {
      const { first, second } = await browse(stage, "http");
      assert.deepEqual(first, { echoed: sizes, protocol: "http/1.1", said: "hello" });
      assert.deepEqual(second, { code: 1012, wasClean: true, events: ["web-1.1", "web-2.1"] });
    },
  );
  withTls("a page in Chromium over TLS has the same, and HTTP/2", { drainTimeoutMs: 4_000 }, async ({ stage }) => {
    const { first, second, sameConnection } = await browse(stage, "https");
    assert.deepEqual(first, { echoed: sizes, protocol: "h2", said: "hello" });
    assert.deepEqual(second, { code: 1012, wasClean: true, events: ["web-1.1", "web-2.1"] });
    assert.ok(sameConnection, "its WebSocket is a stream too");
  });
}
