/** The probe in real server processes, on every Node that is here: what the server sees, and what it tells. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { Agent } from "node:http";
import { test } from "node:test";
import { runtimes } from "./runtimes.ts";
import { InsideStage, mark } from "./stage.ts";

const all = runtimes();
test("the probe is tried on more than one Node", {
  skip: all.length > 1 ? false : `only Node ${all[0]?.version} is here; COPPICE_TEST_NODE may name another`,
}, () => {
  assert.ok(all.some(({ version }) => version.startsWith("24.")));
});

/** Says all that a server can see of itself and of a request. */
const seeing = `(q, r) => r.end(JSON.stringify({ encrypted: q.socket.encrypted ?? null, remote: [q.socket.remoteAddress, q.socket.remotePort, q.socket.remoteFamily], local: [q.socket.localAddress ?? null, q.socket.localPort], headers: q.headers, raw: q.rawHeaders,
  address: server.address(), argv: process.argv.slice(1), execArgv: process.execArgv, own: Object.keys(process.env).filter((k) => k.startsWith("COPPICE_BIRTH")) }))`;

interface Seen {
  readonly encrypted: boolean | null;
  readonly remote: unknown[];
  readonly local: unknown[];
  readonly headers: Record<string, string>;
  readonly raw: string[];
  readonly address: unknown;
  readonly argv: string[];
  readonly execArgv: string[];
  readonly own: string[];
}

for (const { path, version } of all) {
  const withServer = (
    name: string,
    code: string,
    body: (stage: InsideStage) => Promise<void>,
    kind: "commonjs" | "module" = "commonjs",
    env: Readonly<Record<string, string>> = {},
    options: readonly string[] = [],
  ) =>
    test(`Node ${version}: ${name}`, { timeout: 180_000 }, async () => {
      const stage = new InsideStage(path, code, kind, env, options);
      await stage.listen();
      try {
        await body(stage);
      } finally {
        await stage.close();
      }
    });

  for (const kind of ["commonjs", "module"] as const) {
    const load = kind === "commonjs" ? 'const { createServer } = require("node:http");' : 'import { createServer } from "node:http";';
    withServer(
      `a ${kind} server on a fixed port listens on a private socket and sees what it saw`,
      `${load} const server = createServer(${seeing}); server.listen(3000, () => console.log("callback"));`,
      async (stage) => {
        const told = await stage.hear("listening");
        assert.deepEqual(told.at, { address: null, port: 3000 });
        const { body } = await stage.ask("/");
        const seen = JSON.parse(body) as Seen;
        assert.deepEqual(seen.remote, ["203.0.113.9", 4567, "IPv4"]);
        assert.deepEqual(seen.address, { address: "::", family: "IPv6", port: 3000 });
        assert.deepEqual(seen.local, [null, 3000]);
        assert.deepEqual(seen.raw.slice(0, 2), ["Host", "shop.example"]);
        assert.deepEqual([seen.argv, seen.own], [["argument"], []]);
        assert.equal(seen.execArgv.includes("--require"), false);
        await stage.until(() => stage.output.includes("callback"), "the callback");
      },
      kind,
    );
  }

  const plain = `const server = require("node:http").createServer(${seeing}); server.listen(3000, "127.0.0.1");`;

  withServer(
    "a server reads of its clients' heads as much as it read, beside the private header",
    `const { createServer } = require("node:http");
     const ok = (_, response) => response.end("ok");
     createServer({ maxHeaderSize: 1000 }, ok).listen(3000);`,
    async (stage) => {
      const ask = (bytes: number) =>
        stage.ask("/", [
          "x-coppice-client",
          `${mark} 2001:db8:1111:2222:3333:4444:5555:6666 65535 https`,
          "Host",
          "x",
          "X",
          "x".repeat(bytes),
        ]);
      assert.equal((await ask(980)).status, 200);
      assert.equal((await ask(1_200)).status, 431);
    },
  );

  withServer("a client that came by TLS is told as one, and the next one that did not, is not", plain, async (stage) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const seen = [];
    for (const scheme of [" https", "", " https"]) {
      const { body } = await stage.ask("/", ["x-coppice-client", `${mark} 203.0.113.9 4567${scheme}`, "Host", "x"], agent);
      seen.push((JSON.parse(body) as Seen).encrypted);
    }
    agent.destroy();
    assert.deepEqual(seen, [true, null, true]);
  });

  withServer(
    "time-outs of the server hold for each request, and for no other one on its connection",
    `const server = require("node:http").createServer((q, r) => {
       if (q.url === "/own") r.setTimeout(50, () => {});
       if (q.url === "/hangs") return;
       if (q.url === "/slow") return setTimeout(() => r.end("slow"), 200);
       r.end("ok");
     });
     process.on("SIGUSR2", () => { server.timeout = 100; console.log("hasty"); });
     server.listen(3000);`,
    async (stage) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const ask = (path: string) => stage.ask(path, undefined, agent);
      for (const path of ["/own", "/slow", "/own"]) assert.equal((await ask(path)).status, 200, path);
      stage.process.kill("SIGUSR2");
      await stage.until(() => stage.output.includes("hasty"), "its time-out");
      await assert.rejects(ask("/hangs"), { code: "ECONNRESET" });
      agent.destroy();
    },
  );

  withServer("a header with a wrong mark is hidden and not believed", plain, async (stage) => {
    const { body } = await stage.ask("/", ["X-Coppice-Client", "forged 1.2.3.4 5", "Host", "x"]);
    const seen = JSON.parse(body) as Seen;
    assert.notEqual(seen.remote[0], "1.2.3.4");
    assert.deepEqual(
      Object.keys(seen.headers).filter((name) => name.includes("coppice")),
      [],
    );
    assert.deepEqual(seen.address, { address: "127.0.0.1", family: "IPv4", port: 3000 });
    assert.deepEqual(seen.local, ["127.0.0.1", 3000]);
  });

  withServer(
    "Express says the client's address as req.ip",
    'const app = require("express")(); app.get("/", (q, r) => r.send(q.ip)); app.listen(3000);',
    async (stage) => assert.equal((await stage.ask("/")).body, "203.0.113.9"),
  );

  withServer(
    "listen(0), a path and a second listener on the same port are as without Coppice",
    `const http = require("node:http"); const zero = http.createServer().listen(0, "127.0.0.1", () => {
      http.createServer().listen(3000, () => { http.createServer().on("error", (e) => console.log(JSON.stringify([zero.address().port > 0, e.code, e.syscall, e.port]))).listen(3000); }); });`,
    async (stage) => {
      await stage.until(() => stage.output.includes("]"), "the error");
      await stage.hear("listening");
      assert.match(stage.output, /\[true,"EADDRINUSE","listen",3000\]/);
      assert.equal(stage.heard.filter(({ kind }) => kind === "listening").length, 1);
    },
  );

  withServer(
    "a path beside a port, and a server in a worker thread, are left alone and named",
    `const http = require("node:http"); const { Worker } = require("node:worker_threads"); const path = require("node:path").join(require("node:os").tmpdir(), "coppice-path-" + process.ppid + "-" + process.version);
     http.createServer().listen(3000, () => http.createServer().listen(path, function () { this.close();
       new Worker('require("node:http").createServer().listen(34568, "127.0.0.1", function () { this.close(() => console.log("worker ended")); })', { eval: true }); }));`,
    async (stage) => {
      await stage.hear("listening");
      assert.match((await stage.hear("notice", ({ code }) => code === "unix-socket")).text, /coppice-path-/);
      assert.match((await stage.hear("notice", ({ code }) => code === "worker-thread")).text, /port 34568 is served by a worker thread/);
      await stage.until(() => stage.output.includes("worker ended"), "the worker's own server");
    },
  );

  withServer(
    "a Unix socket whose path is another one in each process, as is advised, is not named",
    `const http = require("node:http"); const { mkdtempSync, rmSync } = require("node:fs"); const { tmpdir } = require("node:os");
     process.chdir(mkdtempSync(require("node:path").join(tmpdir(), "coppice-path-")));
     const listen = ([path, ...rest]) => {
       if (path !== undefined) return http.createServer().listen(path, () => listen(rest));
       rmSync(process.cwd(), { recursive: true });
       http.createServer().listen(3001);
     };
     const { COPPICE_NODE: node, COPPICE_GENERATION: generation } = process.env;
     http.createServer().listen(3000, () => listen([node + "-" + generation + ".sock", process.pid + ".sock", node + ".sock", generation + ".sock"]));`,
    async (stage) => {
      await stage.hear("listening", ({ at }) => at.port === 3001);
      const named = stage.heard.flatMap((message) => (message.kind === "notice" && message.code === "unix-socket" ? [message.text] : []));
      assert.deepEqual(
        named.map((text) => /\((.*\.sock)/.exec(text)?.[1]),
        ["web-1.sock", "1.sock"],
      );
    },
    "commonjs",
    { COPPICE_NODE: "web-1", COPPICE_GENERATION: "1" },
  );

  withServer(
    "raw TCP is left alone and named; the process ends when it wants to, and the socket goes with its listener",
    'require("node:net").createServer().listen(24567, "127.0.0.1", function () { this.close(); }); const s = require("node:http").createServer().listen(3000); process.on("SIGUSR2", () => s.close());',
    async (stage) => {
      await stage.hear("notice", ({ code }) => code === "not-http");
      const { socketPath } = await stage.hear("listening");
      assert.ok(existsSync(socketPath));
      stage.process.kill("SIGUSR2");
      await stage.hear("listener-closed");
      assert.deepEqual(await stage.exited, { code: 0, signal: null });
      assert.equal(existsSync(socketPath), false);
    },
  );

  withServer(
    "a server that closes has no address, and the one that it is given when it listens again",
    `const s = require("node:http").createServer(); s.listen(3000, () => s.close(() => { const closed = s.address();
      s.listen(0, () => { const zero = s.address().port; s.close(() => s.listen(3001, () => console.log(JSON.stringify([closed, zero !== 3000, s.address().port])))); }); }));`,
    async (stage) => {
      assert.deepEqual((await stage.hear("listening", ({ at }) => at.port === 3001)).at, { address: null, port: 3001 });
      await stage.until(() => stage.output.includes("[null,true,3001]"), "its addresses");
    },
  );

  withServer(
    "a server that is being closed gives its port to the next one, though it still has a request",
    `const { createServer } = require("node:http");
     let held = null;
     const old = createServer((_, response) => { held = response; console.log("held"); });
     const next = createServer((_, response) => response.end("next"));
     process.on("SIGUSR2", () => {
       if (next.listening) return held.end("old");
       old.close(() => console.log("old closed"));
       next.listen(3000);
     });
     old.listen(3000);`,
    async (stage) => {
      const { socketPath } = await stage.hear("listening");
      const asked = stage.ask("/");
      await stage.until(() => stage.output.includes("held"), "its request");
      stage.process.kill("SIGUSR2");
      await stage.hear("listening", (told) => told.socketPath !== socketPath);
      stage.process.kill("SIGUSR2");
      assert.equal((await asked).body, "old");
      await stage.until(() => stage.output.includes("old closed"), "its end");
      await stage.restartMonitor();
      assert.equal((await stage.ask("/")).body, "next");
      await stage.hear("sample");
      assert.deepEqual(
        stage.heard.filter(({ kind }) => kind === "listener-closed"),
        [],
      );
    },
  );

  withServer(
    "fenced, a new request is refused as not executed; quiet comes after the one in process; unfenced it serves again",
    'const held = []; let served = 0; require("node:http").createServer((q, r) => { served += 1; if (q.url === "/hold") held.push(r); else { for (const h of held.splice(0)) h.end("held"); r.end(String(served)); } }).listen(3000); process.on("SIGUSR2", () => { for (const h of held.splice(0)) h.end("held"); });',
    async (stage) => {
      await stage.hear("listening");
      const held = stage.ask("/hold");
      await stage.hear("sample", ({ sample }) => sample.requestsTotal === 1);
      stage.tell({ kind: "fence" });
      assert.equal((await stage.hear("fenced")).activeRequests, 1);
      const refused = await stage.ask("/");
      assert.deepEqual([refused.status, refused.headers["x-coppice-fenced"]], [503, mark]);
      assert.equal(
        stage.heard.some(({ kind }) => kind === "quiet"),
        false,
      );
      stage.process.kill("SIGUSR2");
      assert.equal((await held).body, "held");
      await stage.hear("quiet");
      stage.tell({ kind: "unfence" });
      await stage.hear("sample");
      assert.equal((await stage.ask("/")).body, "2", "the refused one was not executed");
    },
  );

  withServer(
    "a request that the application emits a second time is one, and not refused though the fence came meanwhile",
    `const { createServer } = require("node:http");
     const server = createServer((_, response) => response.end("served"));
     let held = null;
     server.on("checkContinue", (request, response) => { held = [request, response]; console.log("checked"); });
     process.on("SIGUSR2", () => { held[1].writeContinue(); server.emit("request", ...held); });
     server.listen(3000);`,
    async (stage) => {
      const asked = stage.ask("/", ["x-coppice-client", `${mark} 203.0.113.9 4567`, "Host", "x", "Expect", "100-continue"]);
      await stage.until(() => stage.output.includes("checked"), "the first time");
      stage.tell({ kind: "fence" });
      assert.equal((await stage.hear("fenced")).activeRequests, 1);
      stage.process.kill("SIGUSR2");
      assert.equal((await asked).body, "served");
      await stage.hear("quiet");
      await stage.hear("sample", ({ sample }) => sample.requestsTotal === 1);
    },
  );

  withServer(
    "samples: heap, its limit and a floor that follows what is really kept",
    "const kept = []; setInterval(() => { for (let i = 0; i < 2000; i += 1) kept.push({ i, text: String(Math.random()).repeat(4) }); Array.from({ length: 40000 }, () => ({})); }, 5); require('node:http').createServer().listen(3000);",
    async (stage) => {
      const early = await stage.hear("sample", ({ sample }) => sample.indicators["heapAfterGcBytes"] !== undefined);
      const floor = early.sample.indicators["heapAfterGcBytes"] ?? 0;
      const later = await stage.hear("sample", ({ sample }) => (sample.indicators["heapAfterGcBytes"] ?? 0) > floor + 8 * 1024 * 1024);
      const { indicators, limits } = later.sample;
      assert.ok((indicators["heapUsedBytes"] ?? 0) > floor);
      assert.equal(limits["heapAfterGcBytes"], 200 * 1024 * 1024);
      for (const name of ["rssBytes", "externalBytes", "eventLoopDelayP99Ms", "gcTimeRatio", "activeHandles"])
        assert.ok(name in indicators, name);
    },
    "commonjs",
    { NODE_OPTIONS: "--max-old-space-size=200" },
  );

  withServer(
    "a heap's limit that Coppice set is the old generation's alone, as one that the user set; the application does not see the option",
    "console.log('sees: ' + process.execArgv.filter((option) => option.startsWith('--max')) + '.'); require('node:http').createServer().listen(3000);",
    async (stage) => {
      const { sample } = await stage.hear("sample");
      assert.equal(sample.limits["heapUsedBytes"], 150 * 1024 * 1024);
      await stage.until(() => stage.output.includes("sees: ."), "no such option is seen");
    },
    "commonjs",
    {},
    ["--max-old-space-size=150", "--max-semi-space-size=4"],
  );

  withServer(
    "evidence is taken with a forced collection, and the global is not leaked",
    `${plain} setInterval(() => { if (globalThis.gc) console.log("leaked"); }, 20);`,
    async (stage) => {
      await stage.hear("listening");
      stage.tell({ kind: "take-evidence" });
      const { evidence } = await stage.hear("evidence");
      assert.ok(Number(evidence["heapAfterForcedGcBytes"]) > 1_000_000);
      assert.equal(evidence["nodeVersion"], version);
      await stage.hear("sample");
      assert.doesNotMatch(stage.output, /leaked/);
    },
  );

  withServer("a monitor that was restarted is told the level again", plain, async (stage) => {
    await stage.hear("listening");
    stage.tell({ kind: "fence" });
    await stage.hear("quiet");
    await stage.restartMonitor();
    await stage.hear("listening");
    await stage.hear("fenced");
    await stage.hear("quiet");
  });

  withServer(
    "a monitor is told of a port that was closed while none was there, and of one that is open again",
    `const { createServer } = require("node:http");
     const admin = createServer((_, response) => response.end());
     const again = (_, response) => admin.close(() => admin.listen(3001, () => response.end()));
     createServer((q, response) => q.url === "/again" ? again(q, response) : admin.close(() => response.end())).listen(3000);
     admin.listen(3001);`,
    async (stage) => {
      await stage.hear("listening", ({ at }) => at.port === 3001);
      await stage.restartMonitor(() => stage.ask("/again"));
      await stage.hear("listening", ({ at }) => at.port === 3001);
      assert.deepEqual(
        stage.heard.filter(({ kind }) => kind === "listener-closed"),
        [],
      );
      await stage.restartMonitor(() => stage.ask("/close"));
      assert.deepEqual((await stage.hear("listener-closed")).at, { address: null, port: 3001 });
      await stage.hear("listening", ({ at }) => at.port === 3000);
    },
  );

  withServer(
    "an application without a descriptor left is watched on, and not ended by it",
    `const server = require("node:http").createServer((_, response) => response.end());
     server.listen(3000, () => {
       require("node:child_process").execFileSync("prlimit", ["--pid", String(process.pid), "--nofile=100:100"]);
       try { for (;;) require("node:fs").openSync("/dev/null"); } catch (error) { process.emitWarning(error.code); }
     });`,
    async (stage) => {
      await stage.until(() => stage.output.includes("EMFILE"), "no descriptor is left");
      stage.heard.length = 0;
      const { sample } = await stage.hear("sample", (message) => message.sample.indicators.rssBytes === undefined);
      assert.ok((sample.indicators.heapUsedBytes ?? 0) > 0);
    },
  );

  withServer(
    "a forked helper stays inert, and the server's own SIGTERM handler is its own",
    `${plain} if (process.send) process.send(process.execArgv); const { fork } = require("node:child_process"); process.on("SIGTERM", () => { console.log("own end"); process.exit(7); });
     require("node:fs").writeFileSync("/dev/null", ""); console.log("helper " + JSON.stringify(require("node:child_process").execFileSync(process.execPath, ["-p", "Object.keys(process.env).filter((k) => k === 'COPPICE_BIRTH_FD').length"], { encoding: "utf8" }).trim()));`,
    async (stage) => {
      await stage.hear("listening");
      await stage.until(() => stage.output.includes('helper "0"'), "the helper");
      stage.process.kill("SIGTERM");
      assert.deepEqual(await stage.exited, { code: 7, signal: null });
    },
  );

  withServer("init's death ends the server", plain, async (stage) => {
    await stage.hear("listening");
    stage.endLifeline();
    assert.equal((await stage.exited).signal, "SIGTERM");
  });

  withServer(
    "an uncaught exception is the server's own, exit code and all",
    `${plain} setTimeout(() => { throw new Error("its own fault"); }, 200);`,
    async (stage) => {
      assert.equal((await stage.exited).code, 1);
      assert.match(stage.output, /its own fault/);
    },
  );
}
