/** The access log: one line for each request however it ended, in a file that may be moved away. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Stage } from "./stage.ts";

interface Line {
  readonly time: string;
  readonly client: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly bytes: number;
  readonly ms: number;
  readonly instance?: string;
  readonly resent?: number;
}

function linesOf(file: string): Line[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
}

test("the access log has a line for each request: answered, refused, sent again, gone, unreadable; moved away, it is begun anew", {
  timeout: 180_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-log-"));
  const file = join(directory, "access.log");
  const stage = await Stage.open({ headTimeoutMs: 3_000 }, { accessLog: file });
  const url = `http://127.0.0.1:${stage.port}`;
  let waits = false;
  try {
    await stage.instance("web-1.1", (incoming, response) => {
      if (incoming.url === "/dies") incoming.socket.destroy();
      else if (incoming.url === "/waits") waits = true;
      else response.end("x".repeat(1_000));
    });
    await stage.route({ "web-1.1": "available" });
    await (await fetch(`${url}/page?token=secret`)).text();
    assert.equal((await fetch(`${url}/dies`, { method: "POST", body: "b" })).status, 502);
    const gone = connect(stage.port, "127.0.0.1");
    gone.write("GET /waits HTTP/1.1\r\nHost: x\r\n\r\n");
    await stage.until(() => waits);
    gone.destroy();
    await stage.instance("web-2.1", (_incoming, response) => response.end("second"));
    await stage.route({ "web-2.1": "available" });
    for (let turn = 0; !linesOf(file).some(({ resent }) => resent !== undefined); turn += 1) {
      assert.ok(turn < 5_000, "nothing was sent again");
      await (await fetch(`${url}/dies`)).text();
    }
    await stage.until(() => linesOf(file).some(({ path }) => path === "/waits"));
    const lines = linesOf(file);
    const [page, refused] = lines;
    const left = lines.find(({ path }) => path === "/waits");
    assert.deepEqual([page?.client, page?.method, page?.path, page?.status, page?.instance], ["127.0.0.1", "GET", "/page", 200, "web-1.1"]);
    assert.ok((page?.bytes ?? 0) > 1_000 && (page?.ms ?? -1) >= 0 && !Number.isNaN(Date.parse(page?.time ?? "")));
    assert.deepEqual([refused?.method, refused?.status, refused?.instance], ["POST", 502, undefined]);
    assert.deepEqual([left?.path, left?.status, left?.bytes], ["/waits", 499, 0]);
    const again = lines.find(({ resent }) => resent !== undefined);
    assert.deepEqual([again?.path, again?.status, again?.instance, again?.resent], ["/dies", 200, "web-2.1", 1]);
    assert.equal(readFileSync(file, "utf8").includes("secret"), false);

    const half = connect(stage.port, "127.0.0.1");
    half.write("GET /half HTTP/1.1\r\n");
    const malformed = connect(stage.port, "127.0.0.1");
    malformed.write("GET /malformed HTTP/1.1\r\nHost : x\r\n\r\n");
    const unread = () => linesOf(file).filter(({ path }) => path === "-");
    await stage.until(() => unread().length === 2);
    assert.deepEqual(
      unread().map(({ client, method, status, bytes }) => [client, method, status, bytes > 100]),
      [
        ["127.0.0.1", "-", 400, true],
        ["127.0.0.1", "-", 408, true],
      ],
    );

    renameSync(file, `${file}.1`);
    await stage.until(() => existsSync(file));
    await (await fetch(`${url}/new`)).text();
    await stage.until(() => linesOf(file).some(({ path }) => path === "/new"));
  } finally {
    await stage.close();
    rmSync(directory, { recursive: true });
  }
});

test("an access log that cannot be written is no matter for requests; when it can be, what was kept is there", {
  timeout: 180_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-log-"));
  const file = join(directory, "logs", "access.log");
  const stage = await Stage.open({}, { accessLog: file });
  const ask = async (path: string) => (await fetch(`http://127.0.0.1:${stage.port}${path}`)).text();
  try {
    await stage.instance("web-1.1", (_, response) => response.end("ok"));
    await stage.route({ "web-1.1": "available" });
    const { length: before } = stage.heard;
    while (stage.heard.length < before + 4) assert.equal(await ask("/early"), "ok"); // three seconds, of a message each
    mkdirSync(join(directory, "logs"));
    assert.equal(await ask("/late"), "ok");
    await stage.until(() => linesOf(file).some(({ path }) => path === "/late"));
    assert.equal(linesOf(file)[0]?.path, "/early");
    assert.equal(stage.process.exitCode, null);
  } finally {
    await stage.close();
    rmSync(directory, { recursive: true });
  }
});

test("the access log says of a request what its client was told: not what was held of a node's answer, and no interim answer", {
  timeout: 180_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-log-"));
  const file = join(directory, "access.log");
  const stage = await Stage.open({}, { accessLog: file });
  try {
    await stage.rawInstance("web-1.1", (socket) =>
      socket.on("data", (bytes) => {
        if (bytes.includes("/upload")) socket.write("HTTP/1.1 100 Continue\r\n\r\n");
        else socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it");
      }),
    );
    await stage.route({ "web-1.1": "available" });
    assert.equal((await fetch(`http://127.0.0.1:${stage.port}/half`, { method: "POST", body: "b" })).status, 502);
    const gone = connect(stage.port, "127.0.0.1");
    gone.write("POST /upload HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    await once(gone, "data");
    gone.destroy();
    await stage.until(() => linesOf(file).length === 2);
    assert.deepEqual(
      linesOf(file).map(({ path, status, instance }) => [path, status, instance]),
      [
        ["/half", 502, undefined],
        ["/upload", 499, undefined],
      ],
    );
  } finally {
    await stage.close();
    rmSync(directory, { recursive: true });
  }
});
