/** A forwarder that may have few descriptors open (`ulimit -n`): clients wait for one, and nobody is failed for want of it. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { clientsWithin } from "../../src/forwarder/descriptors.ts";
import { Stage } from "./stage.ts";

const descriptors = 120;
const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

function canLimit(): boolean {
  try {
    execFileSync("prlimit", ["--nofile=64:64", "true"]);
    return true;
  } catch {
    return false;
  }
}

interface Asking {
  readonly socket: Socket;
  heard: string;
  closed: boolean;
}

function client(port: number): Asking {
  const asking: Asking = { socket: connect({ port, host: "127.0.0.1" }), heard: "", closed: false };
  asking.socket.on("error", () => {});
  asking.socket.on("close", () => {
    asking.closed = true;
  });
  asking.socket.setEncoding("latin1").on("data", (text: string) => {
    asking.heard += text;
  });
  return asking;
}

test("where clients could take all descriptors, some are left for nodes; who finds none waits, and each is answered", {
  timeout: 180_000,
  skip: canLimit() ? false : "there is no prlimit here",
}, async () => {
  const stage = await Stage.open({}, { descriptors });
  try {
    const open: ServerResponse[] = [];
    let held = true;
    for (const id of ["web-1.1", "web-2.1"])
      await stage.instance(id, (_, response) => {
        if (held) open.push(response);
        else response.end("ok");
      });
    await stage.route({ "web-1.1": "available", "web-2.1": "available" });
    const max = clientsWithin(descriptors);
    const clients: Asking[] = [];
    for (let count = 0; count < max + 10; count += 1) {
      const asking = client(stage.port);
      clients.push(asking);
      await once(asking.socket, "connect");
    }
    await stage.until(() => clients.filter(({ closed }) => closed).length === 10);
    const taken = clients.filter(({ closed }) => !closed);
    assert.equal(taken.length, max);
    for (const { socket } of taken) socket.write(get);
    // All that has a descriptor is in process; the others are parked.
    await stage.until(() => stage.heard.some((message) => message.kind === "traffic" && message.parked + open.length === max));
    assert.ok(open.length < max, "there were enough for all: nothing was tried");
    held = false;
    for (const response of open) response.end("ok");
    await stage.until(() => taken.every(({ heard }) => /\r\n\r\nok$/.test(heard)));
    for (const { socket } of taken) socket.write(get);
    await stage.until(() => taken.every(({ heard }) => /ok[\s\S]*\r\n\r\nok$/.test(heard)));
    assert.ok(taken.every(({ heard }) => heard.split("HTTP/1.1 200 OK").length === 3));
    const traffic = stage.heard.findLast((message) => message.kind === "traffic");
    assert.equal(
      traffic?.kind === "traffic" && traffic.upstreams.reduce((sum, { failedTotal, resentTotal }) => sum + failedTotal + resentTotal, 0),
      0,
    );
    for (const { socket } of clients) socket.destroy();
  } finally {
    await stage.close();
  }
});

test("connections that rest for one client alone make room where there are no others", {
  timeout: 180_000,
  skip: canLimit() ? false : "there is no prlimit here",
}, async () => {
  const stage = await Stage.open({ parkTimeoutMs: 10_000 }, { descriptors });
  try {
    await stage.instance("web-1.1", (_, response) => response.end("ok"));
    await stage.route({ "web-1.1": "available" });
    const clients = Array.from({ length: clientsWithin(descriptors) }, () => client(stage.port));
    await Promise.all(clients.map(({ socket }) => once(socket, "connect")));
    for (const asking of clients) {
      asking.socket.write("GET / HTTP/1.1\r\nHost: x\r\nAuthorization: NTLM x\r\n\r\n");
      await stage.until(() => asking.heard !== "");
      assert.match(asking.heard, /^HTTP\/1\.1 200 /);
    }
  } finally {
    await stage.close();
  }
});

test("idle connections to nodes make room for new clients, before these are lost for want of descriptors", {
  timeout: 180_000,
  skip: canLimit() ? false : "there is no prlimit here",
}, async () => {
  const stage = await Stage.open({}, { descriptors });
  try {
    const open: ServerResponse[] = [];
    await stage.instance("web-1.1", ({ url }, response) => {
      if (url === "/held") open.push(response);
      else response.end("ok");
    });
    await stage.route({ "web-1.1": "available" });
    const first = Array.from({ length: 36 }, () => client(stage.port));
    for (const { socket } of first) socket.write(get.replace("/", "/held"));
    await stage.until(() => open.length === first.length);
    for (const response of open) response.end("ok");
    await stage.until(() => first.every(({ heard }) => heard.endsWith("ok")));
    for (let count = first.length; count < clientsWithin(descriptors); count += 1) {
      const further = client(stage.port);
      further.socket.write(get);
      await stage.until(() => further.closed || further.heard.endsWith("ok"));
      assert.match(further.heard, /^HTTP\/1\.1 200 /, `client ${count}`);
    }
  } finally {
    await stage.close();
  }
});
