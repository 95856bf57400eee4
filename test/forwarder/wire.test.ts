/** The wire path through a real forwarder, byte for byte: raw sockets on both sides. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { freePort } from "../e2e/cluster.ts";
import { answerCases, requestCases } from "../wire/corpus.ts";
import { listener, type Stage, withStage } from "./stage.ts";

/** A client that speaks and hears bytes. */
class Client {
  heard = "";
  ended = false;
  readonly socket: Socket;
  readonly #stage: Stage;

  constructor(stage: Stage, { half = false }: { readonly half?: boolean } = {}) {
    this.#stage = stage;
    this.socket = connect({ port: stage.port, host: "127.0.0.1", allowHalfOpen: half });
    this.socket.setNoDelay(true);
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.ended = true;
    });
    this.socket.on("end", () => {
      this.ended = true;
    });
    this.socket.setEncoding("latin1").on("data", (text: string) => {
      this.heard += text;
    });
  }

  say(text: string): this {
    this.socket.write(Buffer.from(text, "latin1"));
    return this;
  }

  until(pattern: RegExp): Promise<void> {
    return this.#stage.until(() => pattern.test(this.heard));
  }

  untilEnd(): Promise<void> {
    return this.#stage.until(() => this.ended);
  }
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

/** Answers each head that ends in what was heard; requests without bodies only. */
function answering(answerOf: (target: string, socket: Socket) => string | null) {
  return (socket: Socket) => {
    let heard = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      heard += text;
      for (let end = heard.indexOf("\r\n\r\n"); end >= 0; end = heard.indexOf("\r\n\r\n")) {
        const head = heard.slice(0, end);
        heard = heard.slice(end + 4);
        const answer = answerOf(head, socket);
        if (answer !== null) socket.write(Buffer.from(answer, "latin1"));
      }
    });
  };
}

withStage(
  "corpus: every request that is to be refused is, with its status, and its connection closed; no server sees it",
  {},
  async (stage) => {
    const seen: string[] = [];
    await stage.instance("web-1.1", (incoming, response) => {
      incoming.on("error", () => {});
      incoming.on("end", () => seen.push(`${incoming.method} ${incoming.url}`)).resume();
      response.end();
    });
    await stage.route({ "web-1.1": "available" });
    const refused = requestCases.filter(([verdict]) => verdict !== "accepted");
    await Promise.all(
      refused.map(async ([verdict, bytes]) => {
        const client = new Client(stage).say(bytes);
        await client.untilEnd();
        assert.equal(client.heard.slice(0, 12), `HTTP/1.1 ${verdict}`, JSON.stringify(bytes.slice(0, 200)));
        assert.match(client.heard, /\r\nconnection: close\r\n/);
      }),
    );
    assert.deepEqual(seen, [], "a refused request was executed");
  },
);

withStage("corpus: an answer that is not valid becomes a 502, whole, and nothing of it passes", {}, async (stage) => {
  const refused = answerCases.filter(([verdict]) => verdict !== "accepted");
  const broken = answering((head) => {
    const number = Number(/^GET \/(\d+) /.exec(head)?.[1]);
    return refused[number]?.[1] ?? null;
  });
  await stage.rawInstance("web-1.1", broken);
  await stage.route({ "web-1.1": "available" });
  await Promise.all(
    refused.map(async ([, bytes], index) => {
      const client = new Client(stage).say(get(`/${index}`));
      await client.until(/\r\n\r\n[\s\S]+\n$/);
      assert.match(client.heard, /^HTTP\/1\.1 502 Bad Gateway\r\n/, JSON.stringify(bytes.slice(0, 200)));
      client.socket.destroy();
    }),
  );
});

withStage("pipelining: a hundred requests in one write, and one byte at a time, are answered in their order", {}, async (stage) => {
  await stage.rawInstance(
    "web-1.1",
    answering((head) => {
      const path = /^GET (\S+)/.exec(head)?.[1] ?? "";
      return `HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`;
    }),
  );
  await stage.route({ "web-1.1": "available" });
  const many = Array.from({ length: 100 }, (_, index) => get(`/${index}`)).join("");
  const paths = (heard: string) => [...heard.matchAll(/\r\n\r\n\/(\d+)/g)].map(([, number]) => Number(number));
  const all = Array.from({ length: 100 }, (_, index) => index);
  const client = new Client(stage).say(many);
  await stage.until(() => paths(client.heard).length === 100);
  assert.deepEqual(paths(client.heard), all);
  const slow = new Client(stage);
  await once(slow.socket, "connect");
  for (const letter of many.slice(0, many.indexOf("/10 "))) slow.say(letter);
  slow.say(many.slice(many.indexOf("/10 ")));
  await stage.until(() => paths(slow.heard).length === 100);
  assert.deepEqual(paths(slow.heard), all);
});

withStage("Expect: 100-continue goes to the server, its 100 and 103 to the client; an early refusal ends the wait", {}, async (stage) => {
  let bodies = "";
  await stage.rawInstance("web-1.1", (socket) => {
    socket.setEncoding("latin1").on("data", (text: string) => {
      if (text.startsWith("POST /no"))
        return void socket.write("HTTP/1.1 403 Forbidden\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n");
      if (text.startsWith("POST /yes")) {
        assert.match(text, /\r\nExpect: 100-continue\r\n/);
        return void socket.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
      }
      bodies += text;
      if (bodies.endsWith("abc")) socket.write(ok);
    });
  });
  await stage.route({ "web-1.1": "available" });
  const post = (path: string) => `POST ${path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n`;
  const client = new Client(stage).say(post("/yes"));
  await client.until(/103 Early Hints\r\nLink: <\/a>\r\n\r\n$/);
  assert.match(client.heard, /^HTTP\/1\.1 100 Continue\r\n\r\n/);
  client.say("abc");
  await client.until(/\r\n\r\nok$/);
  const refused = new Client(stage).say(post("/no"));
  await refused.until(/403 Forbidden/);
  assert.doesNotMatch(refused.heard, /100 Continue/);
  // Whether the body still comes, nobody can know: no further request on that connection.
  await refused.untilEnd();
  assert.deepEqual(refused.heard.match(/^connection: .*$/gim), ["connection: close"]);
});

withStage("the 100 that a client waits for is passed on behind hints that it has not read", {}, async (stage) => {
  const hint = `HTTP/1.1 103 Early Hints\r\nLink: </${"a".repeat(8_000)}>\r\n\r\n`;
  let written = false;
  await stage.rawInstance("web-1.1", (socket) => {
    socket.setEncoding("latin1").on("data", (text: string) => {
      if (text.endsWith("abc")) return void socket.write(ok);
      for (let at = 0; at < 2_000; at += 1) socket.write(hint);
      socket.write("HTTP/1.1 100 Continue\r\n\r\n", () => (written = true));
    });
  });
  await stage.route({ "web-1.1": "available" });
  const client = new Client(stage).say("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  client.socket.pause();
  await stage.until(() => written);
  client.socket.resume();
  await client.until(/HTTP\/1\.1 100 Continue\r\n\r\n$/);
  assert.ok(client.heard.length < 2_000 * hint.length, "hints are not worth waiting for");
  await client.say("abc").until(/\r\n\r\nok$/);
});

withStage(
  "a client that waits to be told to go on is not late, and has all the time for its body then",
  { bodyTimeoutMs: 3_000 },
  async (stage) => {
    let node: Socket | null = null;
    await stage.rawInstance("web-1.1", (socket) => {
      socket.setEncoding("latin1").on("data", (text: string) => {
        if (text.includes("Expect")) node = socket;
        if (text.endsWith("abc")) socket.write(ok);
      });
    });
    await stage.route({ "web-1.1": "available" });
    const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n";
    const waiting = new Client(stage).say(`${head}Expect: 100-continue\r\n\r\n`);
    await stage.until(() => node !== null);
    // One that came later is late by now.
    await new Client(stage).say(`${head}\r\n`).until(/^HTTP\/1\.1 408 /);
    assert.equal(waiting.heard, "");
    (node as unknown as Socket).write("HTTP/1.1 100 Continue\r\n\r\n"); // set by the handler, which the compiler does not see
    await waiting.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    await waiting.say("abc").until(/\r\n\r\nok$/);
    waiting.socket.destroy();
  },
);

withStage("a client that closes its side after its request gets the answer; one that has gone is told to the server", {}, async (stage) => {
  const came: string[] = [];
  const gone: string[] = [];
  let release: (() => void) | null = null;
  await stage.instance("web-1.1", (incoming, response) => {
    came.push(incoming.url ?? "");
    response.on("close", () => {
      if (!response.writableFinished) gone.push(incoming.url ?? "");
    });
    if (incoming.url === "/late") release = () => response.end("late");
  });
  await stage.route({ "web-1.1": "available" });
  const half = new Client(stage, { half: true }).say("GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
  half.socket.end();
  await stage.until(() => release !== null);
  (release as unknown as () => void)(); // set by the handler, which the compiler does not see
  await half.untilEnd();
  assert.match(half.heard, /^HTTP\/1\.1 200 OK\r\n[\s\S]*late$/);
  for (const [path, leave] of [
    ["/fin", (socket: Socket) => socket.destroy()],
    ["/rst", (socket: Socket) => socket.resetAndDestroy()],
  ] as const) {
    const client = new Client(stage).say(get(path));
    await stage.until(() => came.includes(path));
    leave(client.socket);
    await stage.until(() => gone.includes(path));
  }
});

withStage(
  "deadlines: a head, a body, an idle connection, each has its own",
  { headTimeoutMs: 4_000, bodyTimeoutMs: 4_000, idleTimeoutMs: 4_000 },
  async (stage) => {
    await stage.instance("web-1.1", (incoming, response) => {
      incoming.on("error", () => {});
      incoming.resume().on("end", () => response.end("ok"));
    });
    await stage.route({ "web-1.1": "available" });
    const silent = new Client(stage);
    const head = new Client(stage).say("GET / HTTP/1.1\r\nHos");
    const body = new Client(stage).say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    const idle = new Client(stage).say(get("/"));
    for (const client of [silent, head, body, idle]) await client.untilEnd();
    assert.equal(silent.heard, "");
    assert.match(head.heard, /^HTTP\/1\.1 408 /);
    assert.match(body.heard, /^HTTP\/1\.1 408 /);
    assert.match(idle.heard, /^HTTP\/1\.1 200 /);
  },
);

withStage(
  "a node without a probe, on TCP: the customary fields, from us alone; a kept connection that closes is no client's business",
  {},
  async (stage) => {
    const port = await freePort();
    const heads: string[] = [];
    await stage.rawInstance(
      "web-1.1",
      answering((head, socket) => {
        heads.push(head);
        // Ends each connection right after its answer, without saying so.
        socket.end(Buffer.from(ok));
        return null;
      }),
      { port },
    );
    await stage.routeTo({ id: "web-1.1", availability: "available", sockets: { [listener]: `127.0.0.1:${port}` }, probed: false });
    const forged =
      "X-Forwarded-For: 6.6.6.6\r\nx_forwarded_for: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Forwarded-Port: 1\r\nX-Request-Id: mine\r\nX-Own: 1\r\n";
    const client = new Client(stage);
    for (let count = 1; count <= 20; count += 1) {
      client.say(`GET /${count} HTTP/1.1\r\nHost: shop.example\r\n${count === 1 ? forged : ""}\r\n`);
      await stage.until(() => client.heard === ok.repeat(count) || client.ended);
    }
    assert.equal(client.heard, ok.repeat(20));
    assert.deepEqual(heads[0]?.split("\r\n").slice(1), [
      "X-Forwarded-For: 127.0.0.1",
      "X-Forwarded-Proto: http",
      "X-Forwarded-Host: shop.example",
      'Forwarded: for=127.0.0.1;proto=http;host="shop.example"',
      "Host: shop.example",
      "X-Request-Id: mine",
      "X-Own: 1",
    ]);
    assert.match(heads[1] ?? "", /\r\nX-Request-Id: [0-9a-f-]{36}\r\n/);
  },
);

withStage(
  "a POST that its server never read goes to another; one that it read gets a 502; with a key and the setting, it is sent again",
  { resendWithIdempotencyKey: true },
  async (stage) => {
    let unread = 0;
    const bad = (how: "unread" | "read") => (socket: Socket) => {
      if (how === "read") socket.once("data", () => socket.destroy());
      else {
        unread += 1;
        // The request lies in the socket's queue by then: closing it resets.
        setTimeout(() => socket.destroy(), 30);
      }
    };
    await stage.rawInstance("bad-1.1", bad("unread"), { unread: true });
    await stage.rawInstance("bad-2.1", bad("read"));
    await stage.rawInstance("good-1.1", (socket) => socket.on("data", () => socket.write(ok)));
    const upstream = (id: string) => ({ id, availability: "available" as const, sockets: { [listener]: stage.socketOf(id) } });
    const post = (fields = "") => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n${fields}\r\nhi`;
    const tried = async (id: string, bytes: string, met: () => boolean): Promise<string> => {
      // Choice is by chance: until the bad one was met.
      for (let count = 0; count < 40; count += 1) {
        await stage.routeTo(upstream(id), upstream("good-1.1"));
        const client = new Client(stage).say(bytes);
        await client.until(/\r\n\r\n[\s\S]/);
        client.socket.destroy();
        if (met() || !client.heard.startsWith("HTTP/1.1 200")) return client.heard;
      }
      throw new Error(`${id} was never met`);
    };
    assert.match(await tried("bad-1.1", post(), () => unread > 0), /^HTTP\/1\.1 200 /);
    assert.match(await tried("bad-2.1", post(), () => false), /^HTTP\/1\.1 502 /);
    const resent = () =>
      stage.heard.some(
        (message) => message.kind === "traffic" && message.upstreams.some(({ id, resentTotal }) => id === "bad-2.1" && resentTotal > 0),
      );
    for (let count = 0; count < 30 && !resent(); count += 1) {
      const client = new Client(stage).say(post("Idempotency-Key: k1\r\n"));
      await client.until(/\r\n\r\n[\s\S]/);
      assert.match(client.heard, /^HTTP\/1\.1 200 /);
      client.socket.destroy();
    }
    await stage.until(resent);
  },
);

withStage("a node's limit: further requests wait until one has ended", { nodeRequestsMax: 2 }, async (stage) => {
  const open: (() => void)[] = [];
  let most = 0;
  let now = 0;
  await stage.instance("web-1.1", (_, response) => {
    now += 1;
    most = Math.max(most, now);
    open.push(() => {
      now -= 1;
      response.end("ok");
    });
  });
  await stage.route({ "web-1.1": "available" });
  const clients = Array.from({ length: 6 }, (_, index) => new Client(stage).say(get(`/${index}`)));
  for (let served = 0; served < 6; served += 1) {
    await stage.until(() => open.length > 0);
    open.shift()?.();
  }
  for (const client of clients) await client.until(/ok/);
  assert.equal(most, 2);
});

withStage(
  "HTTP/1.0 clients: kept where they ask for it, closed where not; an answer until close ends with its connection",
  {},
  async (stage) => {
    await stage.rawInstance(
      "web-1.1",
      answering((head, socket) => {
        if (!head.startsWith("GET /close")) return ok;
        socket.end("HTTP/1.0 200 OK\r\nX: 1\r\nConnection: keep-alive\r\n\r\nuntil close");
        return null;
      }),
    );
    await stage.route({ "web-1.1": "available" });
    const old = new Client(stage).say("GET / HTTP/1.0\r\n\r\n");
    await old.untilEnd();
    assert.equal(old.heard, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nconnection: close\r\n\r\nok");
    const kept = new Client(stage).say("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    await kept.until(/ok$/);
    kept.say("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    await kept.until(/ok[\s\S]*ok$/);
    assert.equal(kept.heard, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nconnection: keep-alive\r\n\r\nok".repeat(2));
    const untilClose = new Client(stage).say(get("/close"));
    await untilClose.untilEnd();
    assert.equal(untilClose.heard, "HTTP/1.1 200 OK\r\nX: 1\r\nconnection: close\r\n\r\nuntil close");
  },
);

withStage(
  "what a server sends behind its answer, or later unasked, is never taken for the answer to the next request",
  {},
  async (stage) => {
    const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    let connections = 0;
    let saidLater = 0;
    await stage.rawInstance("web-1.1", (socket) => {
      connections += 1;
      const kind = connections % 3;
      answering(() => {
        if (kind === 0) return ok;
        if (kind === 1) return `${ok}${evil}`;
        setTimeout(() => socket.write(evil, () => (saidLater += 1)), 5);
        return ok;
      })(socket);
    });
    await stage.route({ "web-1.1": "available" });
    const client = new Client(stage);
    for (let count = 1; count <= 12; count += 1) {
      const later = saidLater + (connections % 3 === 1 ? 1 : 0);
      client.say(get(`/${count}`));
      await stage.until(() => client.heard.length >= ok.length * count && saidLater >= later);
    }
    assert.equal(client.heard, ok.repeat(12));
    assert.ok(connections >= 3 && saidLater > 0, `${connections} connections, ${saidLater} said later`);
  },
);

withStage("trailers, bytes in any pieces, and a slow reader beside a fast one: all arrive as they were sent", {}, async (stage) => {
  const body = `5;x=1\r\nhello\r\n${"a".repeat(3)}\r\n${"z".repeat(0xaaa)}\r\n0\r\nX-Sum: 7\r\n\r\n`;
  const long = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n${body}`;
  await stage.rawInstance(
    "web-1.1",
    answering((head, socket) => {
      if (!head.startsWith("GET /pieces")) return long;
      const send = (at: number): void => {
        if (at < long.length) socket.write(Buffer.from(long.slice(at, at + 7), "latin1"), () => setImmediate(send, at + 7));
      };
      send(0);
      return null;
    }),
  );
  await stage.route({ "web-1.1": "available" });
  for (const path of ["/whole", "/pieces"]) {
    const client = new Client(stage).say(get(path));
    await client.until(/X-Sum: 7\r\n\r\n$/);
    assert.equal(client.heard, long);
  }
  const slow = new Client(stage);
  slow.socket.pause();
  slow.say(get("/whole").repeat(3_000));
  const fast = new Client(stage).say(get("/whole"));
  await fast.until(/X-Sum: 7\r\n\r\n$/);
  slow.socket.resume();
  await stage.until(() => slow.heard.length === long.length * 3_000);
  assert.ok(slow.heard === long.repeat(3_000), "some bytes differ");
});

withStage("a body that may not be kept goes on whole, however much of it came with its head", { saveBodyBytesMax: 0 }, async (stage) => {
  await stage.instance("web-1.1", async (incoming, response) => {
    let bytes = 0;
    for await (const chunk of incoming) bytes += (chunk as Buffer).length; // of a body that nobody decodes
    response.end(`${bytes} bytes`);
  });
  await stage.route({ "web-1.1": "available" });
  for (const bytes of [10, 20_000, 60_000, 200_000]) {
    const client = new Client(stage).say(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n${"b".repeat(bytes)}`);
    await client.until(new RegExp(`${bytes} bytes`));
    client.socket.destroy();
  }
});

withStage(
  "a server that announces a body where there is none is not asked again on that connection: it may send it yet",
  {},
  async (stage) => {
    let connections = 0;
    await stage.rawInstance("web-1.1", (socket) => {
      connections += 1;
      const length = (head: string) => (head.includes(" /with ") ? "Content-Length: 2\r\n" : "");
      const status = (head: string) =>
        head.startsWith("HEAD") ? "200 OK" : head.startsWith("GET") ? "204 No Content" : "304 Not Modified";
      answering((head) => `HTTP/1.1 ${status(head)}\r\n${length(head)}\r\n`)(socket);
    });
    await stage.route({ "web-1.1": "available" });
    const client = new Client(stage);
    for (const [index, line] of ["HEAD /without", "GET /with", "HEAD /with", "HEAD /with", "QUERY /with", "QUERY /with"].entries()) {
      client.say(`${line} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await stage.until(() => client.heard.split("\r\n\r\n").length === index + 2);
    }
    assert.equal(connections, 5);
  },
);
