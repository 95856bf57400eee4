/**
 * The start-up check: what works in one process and breaks with several, or with each regeneration, found by how the
 * application sets up the well-known packages. A secret is told as a fingerprint only, which the monitor
 * compares over the nodes. What cannot be seen from here, docs/start-up-check.md says.
 */
import { createHmac } from "node:crypto";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { InstanceBirth } from "../../model/birth.ts";
import type { FromInstance } from "../../model/control.ts";
import { setUpBegins, setUpEnds } from "../session/store-name.ts";
import { watched, watchModules } from "./modules.ts";

type Options = Readonly<Record<string, unknown>>;
type Tell = (message: FromInstance) => void;

const answersLookedAt = 200;
const answerFinished = "http.server.response.finish";

export class StartUpCheck {
  #tell: Tell | null = null;
  #key = "";
  /** Found before it was known that this process is the instance. */
  #waiting: (() => void)[] = [];
  /** What is set after its package was set up: looked at when the server listens. */
  #atListen: (() => void)[] = [];
  readonly #secretsSeen = new Map<string, number>();
  readonly #advised = new Set<string>();
  #limiterHasStore = false;

  /** Before the application loads. */
  constructor() {
    const secretsOf = (name: string, at: number, ...keys: string[]) => this.#secrets(name, at, keys);
    watchModules({
      "express-session/index.js": (exported) =>
        watched(exported, { called: ([options]) => this.#expressSession(exported, optionsOf(options)), returned: setUpEnds }),
      "cookie-session/index.js": secretsOf("cookie-session", 0, "keys", "secret"),
      "cookie-parser/index.js": (exported) => watched(exported, { called: ([secret]) => this.#secret("cookie-parser", secret) }),
      "@fastify/session/index.js": (exported) =>
        watched(exported, { called: ([, options]) => this.#fastifySession(optionsOf(options)), returned: setUpEnds }),
      "@fastify/cookie/index.js": secretsOf("@fastify/cookie", 1, "secret"),
      "@fastify/secure-session/index.js": secretsOf("@fastify/secure-session", 1, "key", "secret"),
      "koa/lib/application.js": (exported) =>
        watched(exported, { constructed: (app) => this.#later(() => this.#secret("koa", Reflect.get(app, "keys"))) }),
      "express-rate-limit/dist/index.cjs": this.#limiter("express-rate-limit", 0, "store"),
      "@fastify/rate-limit/index.js": this.#limiter("@fastify/rate-limit", 1, "store", "redis"),
      "rate-limiter-flexible/lib/RateLimiterMemory.js": (exported) =>
        watched(exported, { constructed: () => this.#countsInMemory("RateLimiterMemory of rate-limiter-flexible counts in memory") }),
      "socket.io/dist/index.js": (exported) => this.#socketIo(exported),
      "@hapi/yar/lib/index.js": (exported) => this.#yar(exported),
    });
    this.#watchRights();
  }

  begin({ fingerprintKey }: InstanceBirth, tell: Tell): void {
    this.#key = fingerprintKey;
    this.#tell = tell;
    for (const found of this.#waiting.splice(0)) found();
    if (hasFixedInspector([...process.execArgv, process.env["NODE_OPTIONS"] ?? ""].join(" ")))
      this.#advise(
        "inspector",
        "the inspector has a fixed port, which one process alone can have: with --inspect=0 each node takes one of its own, and prints it",
      );
    this.#watchAnswers();
  }

  /** Coppice's sockets are closed to every user but the one that it started the server as. */
  #watchRights(): void {
    const { setuid, getuid } = process;
    if (setuid === undefined || getuid === undefined) return;
    process.setuid = (id) => {
      const before = getuid();
      setuid(id);
      if (getuid() === before) return;
      this.#advise(
        "drops-rights",
        `the server gives its rights away itself (process.setuid): as user ${getuid()} it cannot reach Coppice any more, so sessions fail, and it is taken for stuck when the monitor was started anew. Leave that out, and let Coppice start it as that user (--user)`,
      );
    };
  }

  /** The application's set-up is through. */
  listening(): void {
    for (const look of this.#atListen.splice(0)) {
      try {
        look();
      } catch {
        // It was not what it seemed to be.
      }
    }
  }

  #later(look: () => void): void {
    this.#atListen.push(look);
  }

  #secrets(name: string, at: number, keys: readonly string[]) {
    const called = (args: readonly unknown[]) => {
      const options = optionsOf(args[at]);
      this.#secret(
        name,
        keys.map((key) => options[key]).find((value) => value !== undefined),
      );
    };
    return (exported: unknown) => watched(exported, { called });
  }

  /** The n-th set-up of a package is the same one in every process. */
  #secret(name: string, secret: unknown): void {
    const text = textOf(secret);
    if (text === null) return;
    const count = (this.#secretsSeen.get(name) ?? 0) + 1;
    this.#secretsSeen.set(name, count);
    this.#say(() => {
      const value = createHmac("sha256", this.#key).update(text).digest("hex");
      this.#tell?.({ kind: "fingerprint", name: count === 1 ? name : `${name} (${count}.)`, value });
    });
  }

  #fastifySession({ cookieName, secret }: Options): void {
    setUpBegins(cookieName || "sessionId"); // as the package has it
    this.#secret("@fastify/session", secret);
  }

  #expressSession(exported: unknown, options: Options): void {
    setUpBegins(options["name"] || options["key"] || "connect.sid"); // as the package has it
    this.#secret("express-session", options["secret"]);
    const { store } = options;
    const MemoryStore: unknown = Reflect.get(Object(exported), "MemoryStore");
    if (store === undefined || store === null || (typeof MemoryStore === "function" && store instanceof MemoryStore)) return;
    const name = Object(store).constructor?.name ?? "a store";
    if (/memory/i.test(name))
      this.#advise(
        "session-store-in-process",
        `express-session keeps its sessions with ${name}, in the memory of each process: they are not shared, and end with it. Without a \`store\` Coppice keeps them`,
      );
    else
      this.#note("session-store-own", `express-session keeps its sessions with the application's own ${name}: Coppice has nothing to move`);
  }

  /** hapi's sessions: small ones lie in the cookie, larger ones in a cache of hapi's, which is in memory unless told otherwise. */
  #yar(exported: unknown): unknown {
    const plugin: unknown = Reflect.get(Object(exported), "plugin");
    const called = ([server, given]: readonly unknown[]) => {
      const { cookieOptions, cache, maxCookieSize = 1024 } = optionsOf(given);
      this.#secret("@hapi/yar", optionsOf(cookieOptions)["password"]);
      const caches: unknown = Reflect.get(Object(Reflect.get(Object(server), "_core")), "caches");
      const used: unknown = caches instanceof Map ? caches.get(optionsOf(cache)["cache"] ?? "_default") : null;
      const engine = optionsOf(Reflect.get(Object(optionsOf(used)["client"]), "connection"));
      if (engine.constructor.name.startsWith("CatboxMemory"))
        this.#advise(
          "session-store-in-process",
          `@hapi/yar keeps sessions of more than ${Number(maxCookieSize)} bytes (maxCookieSize) in hapi's memory cache: they are not shared, and end with their process. Give it a \`cache\` that is (@hapi/catbox-redis and others), or larger cookies`,
        );
    };
    Reflect.set(Object(plugin), "register", watched(Reflect.get(Object(plugin), "register"), { called }));
    return exported;
  }

  #limiter(name: string, at: number, ...keys: string[]) {
    const called = (args: readonly unknown[]) => {
      const options = optionsOf(args[at]);
      if (keys.some((key) => options[key] !== undefined && options[key] !== null)) this.#limiterHasStore = true;
      else this.#countsInMemory(`${name} counts in memory, as is its default`);
    };
    return (exported: unknown) => watched(exported, { called });
  }

  #countsInMemory(what: string): void {
    this.#advise(
      "rate-limit-in-memory",
      `${what}: each node counts for itself, so a client may do up to as many times more as there are nodes, and a regenerated node begins at 0. Give it a store that is shared, or divide its limit by the number of nodes`,
    );
  }

  #socketIo(exported: unknown): unknown {
    const server = watched(Reflect.get(Object(exported), "Server"), {
      constructed: (io) => this.#later(() => this.#lookAtSocketIo(io)),
    });
    Reflect.set(Object(exported), "Server", server);
    return watched(exported, { called: () => {} });
  }

  #lookAtSocketIo(io: object): void {
    const engine = optionsOf(Reflect.get(optionsOf(Reflect.get(io, "engine")), "opts"));
    const transports = engine["transports"];
    if (!Array.isArray(transports) || transports.includes("polling"))
      this.#advise(
        "socket-io-polling",
        'Socket.IO\'s long-polling needs all requests of a client on the same server: with more than one node set `transports: ["websocket"]` in the server and in its clients',
      );
    const adapter: unknown = Reflect.apply(Reflect.get(io, "adapter"), io, []);
    if (typeof adapter === "function" && /^(SessionAware)?Adapter$/.test(adapter.name))
      this.#advise(
        "socket-io-rooms",
        "Socket.IO's rooms and broadcasts are of one process: an emit reaches the clients of the node that makes it. An adapter (@socket.io/redis-adapter and others) carries it to all",
      );
  }

  /** For limiters that were not seen when they were loaded: the first answers show that there is one. */
  #watchAnswers(): void {
    let left = answersLookedAt;
    const look = (message: unknown) => {
      if (left <= 0) return;
      left -= 1;
      const head: unknown = Reflect.get(Object(Reflect.get(Object(message), "response")), "_header");
      const hasLimit = typeof head === "string" && /\n(?:x-)?ratelimit(?:-limit|-policy)?:/i.test(head);
      if (hasLimit) left = 0;
      if (hasLimit && !this.#limiterHasStore)
        this.#countsInMemory("answers carry the headers of a rate limit. If that counts in memory, as is the usual default");
      // Not here: Node 18 throws where a channel loses its last subscriber while it tells it something.
      if (left <= 0) setImmediate(() => unsubscribe(answerFinished, look));
    };
    subscribe(answerFinished, look);
  }

  #advise(code: string, text: string): void {
    if (this.#advised.has(code)) return;
    this.#advised.add(code);
    this.#say(() => this.#tell?.({ kind: "notice", level: "advice", code, text }));
  }

  #note(code: string, text: string): void {
    this.#say(() => this.#tell?.({ kind: "notice", level: "info", code, text }));
  }

  #say(say: () => void): void {
    if (this.#tell === null) this.#waiting.push(say);
    else say();
  }
}

/** `--inspect`, `--inspect=9229`, `--inspect-brk=host:1234`; port 0 is free. */
function hasFixedInspector(options: string): boolean {
  return [...options.matchAll(/--inspect(?:-brk|-wait|-port)?(?:=(\S+)|(?=\s|$))/g)].some(([, at = ""]) => !/^(?:.*:)?0$/.test(at));
}

function optionsOf(value: unknown): Options {
  return typeof value === "object" && value !== null ? (value as Options) : {}; // looked at key by key
}

/** Secrets are texts, bytes, or several of them. */
function textOf(secret: unknown): string | null {
  if (typeof secret === "string") return secret;
  if (Buffer.isBuffer(secret)) return secret.toString("hex");
  if (!Array.isArray(secret) || secret.length === 0) return null;
  const texts = secret.map(textOf);
  return texts.includes(null) ? null : JSON.stringify(texts);
}
