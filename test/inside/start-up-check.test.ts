/** The start-up check in real server processes, on every Node that is here: what it names, and what it leaves alone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FromInstance } from "../../src/model/control.ts";
import { runtimes } from "./runtimes.ts";
import { InsideStage } from "./stage.ts";

interface Found {
  readonly advice: string[];
  readonly info: string[];
  readonly fingerprints: Record<string, string>;
}

function found(heard: readonly FromInstance[]): Found {
  const notices = heard.filter((message) => message.kind === "notice");
  const codes = (level: string) => notices.filter((notice) => notice.level === level).map(({ code }) => code);
  const fingerprints = heard.filter((message) => message.kind === "fingerprint").map(({ name, value }) => [name, value] as const);
  return { advice: codes("advice").toSorted(), info: codes("info").toSorted(), fingerprints: Object.fromEntries(fingerprints) };
}

/** Of one process that ran this code, after it listened and answered: more often than its answers are looked at. */
async function check(nodePath: string, kind: "commonjs" | "module", code: string): Promise<Found> {
  const stage = new InsideStage(nodePath, code, kind);
  await stage.listen();
  try {
    for (let asked = 0; asked < 210; asked += 1) assert.equal((await stage.ask("/")).body, "here");
    await stage.hear("sample", ({ sample }) => (sample.requestsTotal ?? 0) === 210);
    return found(stage.heard);
  } finally {
    await stage.close();
  }
}

const load = (kind: "commonjs" | "module", name: string, from: string) =>
  kind === "commonjs" ? `const ${name} = require("${from}");` : `import ${name === "io" ? "* as io" : name} from "${from}";`;

const application = (kind: "commonjs" | "module", setUp: string) =>
  `${load(kind, "express", "express")} ${load(kind, "session", "express-session")} ${load(kind, "limiter", "express-rate-limit")}
   ${load(kind, "crypto", "node:crypto")} ${load(kind, "http", "node:http")} ${load(kind, "io", "socket.io")}
   const app = express(); const server = http.createServer(app); ${setUp}
   app.get("/", (q, r) => r.send("here")); server.listen(3000);`;

const sound = `app.use(session({ secret: ["new", "old"], resave: false, saveUninitialized: false }));
  new io.Server(server, { transports: ["websocket"], adapter: class Shared { constructor(nsp) { this.nsp = nsp; } init() {} close() {} } });`;
const unsound = `app.use(session({ secret: crypto.randomBytes(20).toString("hex"), resave: false, saveUninitialized: false }));
  app.use(limiter({ windowMs: 1000, limit: 1000 })); new io.Server(server);`;

for (const { path, version } of runtimes()) {
  test(`Node ${version}: a server that gives root's rights away itself is told to let Coppice do it`, {
    timeout: 300_000,
    skip: process.getuid?.() === 0 ? false : "only root has them",
  }, async () => {
    const server = (uid: number) =>
      `const s = require("node:http").createServer((q, r) => r.end("here")); s.listen(3000, () => process.setuid(${uid}));`;
    assert.deepEqual((await check(path, "commonjs", server(65_534))).advice, ["drops-rights"]);
    assert.deepEqual((await check(path, "commonjs", server(0))).advice, []);
  });

  for (const kind of ["commonjs", "module"] as const) {
    test(`Node ${version}, ${kind}: what breaks with several processes is named, each thing once`, { timeout: 300_000 }, async () => {
      const [one, other] = [await check(path, kind, application(kind, unsound)), await check(path, kind, application(kind, unsound))];
      assert.deepEqual(one.advice, ["rate-limit-in-memory", "socket-io-polling", "socket-io-rooms"]);
      assert.deepEqual(Object.keys(one.fingerprints), ["express-session"]);
      assert.notEqual(one.fingerprints["express-session"], other.fingerprints["express-session"]);
    });

    test(`Node ${version}, ${kind}: a sound application is left alone, and its secret is not told`, { timeout: 300_000 }, async () => {
      const [one, other] = [await check(path, kind, application(kind, sound)), await check(path, kind, application(kind, sound))];
      assert.deepEqual(one.advice, []);
      assert.deepEqual(one.fingerprints, other.fingerprints);
      assert.match(one.fingerprints["express-session"] ?? "", /^[0-9a-f]{64}$/);
    });
  }

  test(`Node ${version}: stores of the application's own: one in memory is named, another only mentioned`, {
    timeout: 300_000,
  }, async () => {
    const withStore = (name: string) =>
      application(
        "commonjs",
        `class ${name} extends session.Store { get(id, done) { done(); } set(id, data, done) { done(); } }
        app.use(session({ secret: "s", store: new ${name}(), resave: false, saveUninitialized: false }));`,
      );
    const memory = await check(path, "commonjs", withStore("CheckedMemoryStore"));
    assert.deepEqual([memory.advice, memory.info.includes("session-store-own")], [["session-store-in-process"], false]);
    const redis = await check(path, "commonjs", withStore("RedisStore"));
    assert.deepEqual([redis.advice, redis.info.includes("session-store-own")], [[], true]);
  });

  test(`Node ${version}: hapi's sessions: those in its memory cache are named, those in a shared one are not`, {
    timeout: 300_000,
  }, async () => {
    const withCache = (engine: string, cache: string) =>
      `(async () => {
         class ${engine} { start() {} stop() {} isReady() { return true; } validateSegmentName() { return null; } get() { return null; } set() {} drop() {} }
         const server = require("@hapi/hapi").server({ port: 3000, cache: [{ name: "shared", provider: { constructor: ${engine} } }] });
         const cookieOptions = { password: "p".repeat(32), isSecure: false };
         await server.register({ plugin: require("@hapi/yar"), options: { cookieOptions${cache} } });
         server.route({ method: "GET", path: "/", handler: () => "here" });
         await server.start();
       })();`;
    const memory = await check(path, "commonjs", withCache("Shared", ""));
    assert.deepEqual([memory.advice, Object.keys(memory.fingerprints)], [["session-store-in-process"], ["@hapi/yar"]]);
    assert.deepEqual((await check(path, "commonjs", withCache("Shared", ', cache: { cache: "shared" }'))).advice, []);
  });
}
