/** Whose port is tried, for want of a probe: where it is found, and that its end is seen too. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { PortWatch } from "../../src/daemon/port-watch.ts";
import { anyFreePort } from "../../src/init/listening-sockets.ts";
import { endAfterTest } from "../left-open.ts";

async function listen(port: number, host: string): Promise<Server> {
  const server = createServer((socket) => socket.resume()).listen(port, host);
  endAfterTest(() => server.close());
  await once(server, "listening");
  return server;
}

class Heard {
  readonly words: string[] = [];
  readonly watch: PortWatch;
  #wake: (() => void) | null = null;

  constructor() {
    const hear = (word: string) => {
      this.words.push(word);
      this.#wake?.();
    };
    this.watch = new PortWatch({
      onListening: (instance, socket) => hear(`${instance} ${socket}`),
      onClosed: (instance) => hear(`${instance} closed`),
    });
    endAfterTest(() => this.watch.end("web-1.1"));
  }

  async atLeast(count: number): Promise<readonly string[]> {
    while (this.words.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.words;
  }
}

test("port watch: a server that ends is told, and each one that comes after it", { timeout: 60_000 }, async () => {
  const port = anyFreePort();
  const heard = new Heard();
  heard.watch.begin("web-1.1", port);
  const server = await listen(port, "127.0.0.1");
  assert.deepEqual(await heard.atLeast(1), [`web-1.1 127.0.0.1:${port}`]);
  server.close();
  assert.deepEqual((await heard.atLeast(2)).slice(1), ["web-1.1 closed"]);
  await listen(port, "0.0.0.0");
  assert.deepEqual((await heard.atLeast(3)).slice(2), [`web-1.1 127.0.0.1:${port}`]);
});

test("port watch: one that ended while the monitor was away is told, too", { timeout: 60_000 }, async () => {
  const port = anyFreePort();
  const heard = new Heard();
  heard.watch.begin("web-1.1", port, `127.0.0.1:${port}`);
  assert.deepEqual(await heard.atLeast(1), ["web-1.1 closed"]);
});

const hasIPv6 = networkInterfaces()["lo"]?.some(({ family }) => family === "IPv6") === true;

test("port watch: a server that listens on ::1 alone is found", { timeout: 60_000, skip: hasIPv6 ? false : "no IPv6 here" }, async () => {
  const port = anyFreePort();
  const heard = new Heard();
  heard.watch.begin("web-1.1", port);
  await listen(port, "::1");
  assert.deepEqual(await heard.atLeast(1), [`web-1.1 ::1:${port}`]);
});
