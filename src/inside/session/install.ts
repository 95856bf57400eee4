/**
 * Sessions without a change to the application: its default in-memory store becomes one on the
 * replicator, with the same methods and the same results. A write's callback comes when the write is
 * durable, and so does the end of the answer.
 */
import type { IncomingMessage } from "node:http";
import type { InstanceBirth } from "../../model/birth.ts";
import type { FromInstance } from "../../model/control.ts";
import { isSameCookie } from "../../state/cookie.ts";
import { findDefaultStores, type StoreConstructor, type StoreKind } from "./default-stores.ts";
import { expiryOf, isToBeTouched } from "./expiry.ts";
import { lostValue } from "./lost-values.ts";
import { type Base, newSession, ReplicatedStore } from "./replicated-store.ts";
import type { StoreClient } from "./store-client.ts";
import { nameOf } from "./store-name.ts";

type Callback = ((error: unknown, result?: unknown) => void) | undefined;
type StoreObject = Record<string, unknown>;
interface Cookie {
  expires?: unknown;
  readonly originalMaxAge?: unknown;
  readonly toJSON?: () => Cookie;
}
interface SessionObject {
  readonly cookie?: Cookie;
  readonly req?: Partial<Pick<IncomingMessage, "socket">>;
}
/** Of a session that was loaded without a request (`store.load`, as for a WebSocket) it has the identifier alone. */
type SessionedRequest = Partial<Pick<IncomingMessage, "headers">> & { sessionID?: string };

interface MadeFrom {
  readonly id: string;
  readonly base: Base;
  readonly cookie: Cookie | undefined;
}

/** A session object as it was when it was saved. */
interface Saved {
  readonly id: string;
  readonly text: string;
  readonly cookie: Cookie | undefined;
  readonly expiresAtMs: number;
}

interface Waiting {
  saved: Saved;
  readonly saving: Promise<void>;
}

/** Of express-session: makes a request's session. */
type Generator = (this: unknown, request: { readonly session?: object }, ...rest: unknown[]) => unknown;

/**
 * @fastify/session makes its session object from what the store gave by copying: the values of its text keys, and
 * the options of its cookie with all their properties. Through these a symbol of ours comes along, unseen.
 */
const madeFrom = Symbol("coppice.madeFrom");

type Tell = (message: FromInstance) => void;

/** Clients name their cookies: who sends its identifier under ever new names is not listened to for ever. The monitor keeps as many. */
const cookiesToldMax = 8;

/**
 * Made before the application loads; until it begins, and in processes where it never does, the stores are
 * the application's own.
 */
export class Sessions {
  readonly #client: StoreClient;
  readonly #kinds: StoreKind[] = [];
  #birth: InstanceBirth | null = null;
  #tell: Tell = () => {};

  constructor(client: StoreClient) {
    this.#client = client;
    findDefaultStores((storeClass, kind, stores) => {
      const context = { isActive: () => this.#isActive, tell: (message: FromInstance) => this.#tell(message) };
      new StoreReplacement(this.#client, kind, context).install(storeClass, stores);
      this.#kinds.push(kind);
      if (this.#isActive) this.#announce(kind);
    });
  }

  begin(birth: InstanceBirth, tell: Tell): void {
    this.#birth = birth;
    this.#tell = tell;
    if (this.#isActive) for (const kind of this.#kinds) this.#announce(kind);
  }

  get #isActive(): boolean {
    return this.#birth?.replaceSessionStore === true;
  }

  #announce(kind: StoreKind): void {
    this.#tell({
      kind: "notice",
      level: "info",
      code: "session-store-replaced",
      text: `the default in-memory store of ${kind} is replaced by the cluster's own: sessions outlive each process (--set replaceSessionStore=false turns it off)`,
    });
  }
}

interface ReplacementContext {
  readonly isActive: () => boolean;
  readonly tell: Tell;
}

class StoreReplacement {
  readonly #client: StoreClient;
  readonly #kind: StoreKind;
  readonly #context: ReplacementContext;
  readonly #stores = new WeakMap<StoreObject, ReplicatedStore>();
  /** What each raw or live session object was made from. */
  readonly #bases = new WeakMap<object, MadeFrom>();
  /** Of @fastify/session: it makes its sessions in a way that tells those that are new. */
  #isMarked = false;
  /** Of @fastify/session: who is set now stands for the one that was destroyed, under the same identifier (`idGenerator`). */
  #justDestroyed: string | null = null;
  /** Those that were made just now, and not saved yet. */
  readonly #made = new WeakSet<object>();
  /** Resolves when the last save of a session object has ended, however. */
  readonly #saving = new WeakMap<object, Promise<void>>();
  /** The save that waits for the last one: a later one says what it would have said, and more. So there are two at most. */
  readonly #waiting = new WeakMap<object, Waiting>();
  readonly #cookiesTold = new Set<string>();
  #lostValueTold = false;

  constructor(client: StoreClient, kind: StoreKind, context: ReplacementContext) {
    this.#client = client;
    this.#kind = kind;
    this.#context = context;
  }

  /** @param stores those that are set up already, in their order. */
  install({ prototype }: StoreConstructor, stores: readonly object[]): void {
    const replacement = this;
    const methods: StoreObject = {
      get(this: StoreObject, id: string, callback: Callback) {
        answer(replacement.#get(this, id), callback);
      },
      set(this: StoreObject, id: string, session: SessionObject, callback: Callback) {
        answer(replacement.#set(this, id, session), callback, session);
      },
      destroy(this: StoreObject, id: string, callback: Callback) {
        answer(replacement.#of(this).destroy(id), replacement.#following(id, callback));
      },
      touch(this: StoreObject, id: string, session: SessionObject, callback: Callback) {
        answer(replacement.#touch(this, id, session), callback, session);
      },
      all(this: StoreObject, callback: Callback) {
        answer(replacement.#all(this), callback);
      },
      clear(this: StoreObject, callback: Callback) {
        answer(replacement.#of(this).clear(), callback);
      },
      length(this: StoreObject, callback: Callback) {
        answer(replacement.#of(this).count(), callback);
      },
    };
    for (const [name, method] of Object.entries(methods)) {
      const own = prototype[name];
      if (typeof own !== "function" || typeof method !== "function" || !Object.hasOwn(prototype, name)) continue;
      prototype[name] = function (this: StoreObject, ...args: unknown[]): unknown {
        return Reflect.apply(replacement.#context.isActive() ? method : own, this, args);
      };
    }
    if (this.#kind === "express-session") this.#installExpress(prototype);
    this.#nameAtSetUp(prototype, stores);
  }

  #installExpress(prototype: StoreObject): void {
    const replacement = this;
    const createSession = prototype["createSession"] as (this: StoreObject, request: SessionedRequest, raw: object) => object; // express-session's Store
    prototype["createSession"] = function (this: StoreObject, request: SessionedRequest, raw: object): object {
      const session = createSession.call(this, request, raw);
      if (!replacement.#context.isActive()) return session;
      const pinned = replacement.#bases.get(raw);
      if (pinned !== undefined) replacement.#bases.set(session, pinned);
      replacement.#tellCookie(request);
      return session;
    };
  }

  /** `session(options)` gives its store a generator, once, and @fastify/session's constructor its map: with these calls they are named (store-name.ts). */
  #nameAtSetUp(prototype: StoreObject, stores: readonly object[]): void {
    const replacement = this;
    const key = this.#kind === "express-session" ? "generate" : "store";
    Object.defineProperty(prototype, key, {
      configurable: true,
      set(this: StoreObject, given: unknown) {
        replacement.#of(this);
        const value = replacement.#kind === "express-session" ? replacement.#generatorOf(given as Generator) : given; // express-session's
        Object.defineProperty(this, key, { value, writable: true, configurable: true, enumerable: true });
      },
    });
    for (const store of new Set(stores)) {
      if (!Object.hasOwn(store, key)) continue;
      const given: unknown = Reflect.get(store, key);
      Reflect.deleteProperty(store, key);
      Reflect.set(store, key, given);
    }
  }

  #generatorOf(generate: Generator): Generator {
    const made = this.#made;
    return function (this: unknown, request, ...rest) {
      const result = Reflect.apply(generate, this, [request, ...rest]);
      if (request.session !== undefined) made.add(request.session);
      return result;
    };
  }

  #of(object: StoreObject): ReplicatedStore {
    const known = this.#stores.get(object);
    if (known !== undefined) return known;
    const store = new ReplicatedStore(this.#client, nameOf(object));
    this.#stores.set(object, store);
    return store;
  }

  async #get(object: StoreObject, id: string): Promise<object | undefined> {
    const read = await this.#of(object).read(id);
    if (read === null) return undefined;
    const raw = sessionOf(read.base.text, read.expiresAtMs);
    if (Object(raw) !== raw) return raw;
    const from = { id, base: read.base, cookie: raw.cookie };
    this.#bases.set(raw, from);
    // Refused where this instance was handed off: its reads are answered still.
    if (isToBeTouched(raw, read.expiresAtMs, Date.now())) this.#touch(object, id, raw).catch(() => {});
    if (this.#kind === "fastify-session" && raw.cookie !== undefined) Object.assign(raw.cookie, { [madeFrom]: from });
    return raw;
  }

  async #set(object: StoreObject, id: string, session: SessionObject): Promise<void> {
    const store = this.#of(object);
    // An application that keeps something else in its store: there is nothing to merge, and no cookie.
    if (Object(session) !== session) return void (await store.write(id, null, JSON.stringify(session), expiryOf({}, Date.now())));
    if (this.#justDestroyed === id) this.#made.add(session);
    if (this.#kind === "fastify-session") {
      this.#tellLostValue(session);
      this.#tellCookie({ ...requestOf(session), sessionID: id });
    }
    const saved = { id, text: JSON.stringify(session), cookie: cookieOf(session), expiresAtMs: expiryOf(session, Date.now()) };
    const waiting = this.#waiting.get(session);
    if (waiting?.saved.id === id) {
      waiting.saved = saved;
      return waiting.saving;
    }
    // What a save changes is known when the one before it has been kept, or has not.
    const before = this.#saving.get(session);
    const saving = before === undefined ? this.#save(store, session, saved) : this.#saveAfter(before, store, session, saved);
    const ended = saving.catch(() => {});
    this.#saving.set(session, ended);
    try {
      await saving;
    } finally {
      if (this.#saving.get(session) === ended) this.#saving.delete(session);
    }
  }

  #saveAfter(before: Promise<void>, store: ReplicatedStore, session: SessionObject, saved: Saved): Promise<void> {
    const begin = () => {
      if (this.#waiting.get(session) === waiting) this.#waiting.delete(session);
      return this.#save(store, session, waiting.saved);
    };
    const waiting: Waiting = { saved, saving: before.then(begin) };
    this.#waiting.set(session, waiting);
    return waiting.saving;
  }

  async #save(store: ReplicatedStore, session: SessionObject, { id, text, cookie, expiresAtMs }: Saved): Promise<void> {
    const pinned = this.#bases.get(session) ?? madeFromOf(session);
    if (this.#kind === "fastify-session" && pinned !== undefined) this.#isMarked = true;
    const isNew = this.#made.has(session) || (this.#isMarked && pinned === undefined);
    let base = isNew ? newSession : pinned?.id === id ? pinned.base : null;
    // Of older versions of @fastify/session nothing links the two: what this process saw last is nearer than nothing.
    if (this.#kind === "fastify-session") base ??= store.lastSeen(id);
    const next = await store.write(id, base, text, expiresAtMs);
    this.#made.delete(session);
    // Of one that was destroyed it stays what it was: saved again, it must not stand for who came after it.
    if (next !== null) this.#bases.set(session, { id, base: next, cookie });
  }

  /** What the application changed in the cookie alone ("remember me") is no change of the session to its middleware: it comes as a touch. */
  async #touch(object: StoreObject, id: string, session: SessionObject): Promise<void> {
    const saving = this.#saving.get(session);
    if (saving !== undefined) await saving;
    const pinned = this.#bases.get(session);
    if (pinned?.id !== id) return this.#of(object).touch(id, expiryOf(session, Date.now()));
    if (!isSameCookie(pinned.cookie, cookieOf(session))) return this.#set(object, id, session);
    return this.#of(object).touch(id, expiryOf(session, Date.now()), pinned.base);
  }

  #following(id: string, callback: Callback): Callback {
    if (callback === undefined || this.#kind !== "fastify-session") return callback;
    return (error) => this.#inPlaceOf(id, () => callback(error));
  }

  /** `regenerate` of @fastify/session sets the new one in its callback. */
  #inPlaceOf(id: string, callback: () => void): void {
    this.#justDestroyed = id;
    try {
      callback();
    } finally {
      this.#justDestroyed = null;
    }
  }

  async #all(object: StoreObject): Promise<Record<string, unknown>> {
    const sessions: Record<string, unknown> = Object.create(null) as Record<string, unknown>; // as the default store answers
    for (const { id, text, expiresAtMs } of await this.#of(object).all()) sessions[id] = sessionOf(text, expiresAtMs);
    return sessions;
  }

  #tellLostValue(session: SessionObject): void {
    const lost = this.#lostValueTold ? null : lostValue(session);
    if (lost === null) return;
    this.#lostValueTold = true;
    this.#context.tell({
      kind: "notice",
      level: "advice",
      code: "session-value-lost",
      text: `the session's \`${lost.key}\` is or holds a ${lost.kind}, which the next request does not get back as one: sessions pass from process to process as JSON. Keep plain values in the session, and make of them what is needed`,
    });
  }

  /** The cookie whose value holds the session's identifier is the one that affinity goes by. */
  #tellCookie({ headers, sessionID }: SessionedRequest): void {
    if (sessionID === undefined || headers?.cookie === undefined) return;
    const value = headers.cookie.includes(sessionID) ? sessionID : inCookie(sessionID);
    if (!headers.cookie.includes(value)) return;
    for (const pair of headers.cookie.split(";")) {
      const at = pair.indexOf("=");
      const name = pair.slice(0, at).trim();
      if (at <= 0 || this.#cookiesTold.has(name) || !pair.includes(value, at)) continue;
      if (this.#cookiesTold.size >= cookiesToldMax) return;
      this.#cookiesTold.add(name);
      this.#context.tell({ kind: "affinity-cookie", name });
    }
  }
}

/** As middlewares write an identifier that is not made for cookies (`genid`, with base64). */
function inCookie(id: string): string {
  try {
    return encodeURIComponent(id);
  } catch {
    return id; // half of a surrogate pair: no cookie holds it
  }
}

/** A touch moves the expiry alone: the record's is newer than the text's. */
function sessionOf(text: string, expiresAtMs: number | null): SessionObject {
  const raw = JSON.parse(text) as SessionObject; // written by #set
  if (raw?.cookie?.expires != null && expiresAtMs !== null) raw.cookie.expires = new Date(expiresAtMs).toISOString();
  return raw;
}

/** What @fastify/session keeps under symbols of its own; there are about nine. */
function hiddenIn(session: object): object[] {
  const values = Object.getOwnPropertySymbols(session).map((symbol): unknown => Reflect.get(session, symbol));
  return values.filter((value): value is object => typeof value === "object" && value !== null);
}

function madeFromOf(session: object): MadeFrom | undefined {
  const options = hiddenIn(session).find((value) => madeFrom in value);
  return options === undefined ? undefined : (Reflect.get(options, madeFrom) as MadeFrom); // written by #get alone
}

/** Its request's headers, as far as they can be seen. */
function requestOf(session: object): Pick<IncomingMessage, "headers"> {
  const request = hiddenIn(session).find((value) => "raw" in value && "headers" in value);
  return { headers: request === undefined ? {} : (Reflect.get(request, "headers") as IncomingMessage["headers"]) }; // Fastify's Request
}

function cookieOf({ cookie }: SessionObject): Cookie | undefined {
  return cookie?.toJSON?.() ?? cookie;
}

/**
 * express-session ends the answer as if all were well even when `set` fails: the client would believe a
 * write that was lost. Its connection is broken instead, before the callback. What the callback throws is an
 * uncaught exception, as with the default store, and not a promise that nobody handles.
 */
function answer(result: Promise<unknown>, callback: Callback, session?: SessionObject): void {
  const call = (error: unknown, value?: unknown) => {
    if (callback !== undefined) process.nextTick(callback, error, value);
  };
  result.then(
    (value) => call(null, value),
    (error: unknown) => {
      session?.req?.socket?.destroy();
      call(error);
    },
  );
}
