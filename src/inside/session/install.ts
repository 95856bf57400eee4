/**
 * Sessions without a change to the application: its default in-memory store becomes one on the
 * replicator, with the same methods and the same results. A write's callback comes when the write is
 * durable, and so does the end of the answer.
 */
import type { IncomingMessage } from "node:http";
import type { InstanceBirth } from "../../model/birth.ts";
import type { FromInstance } from "../../model/control.ts";
import { anyBase } from "../../state/session-record.ts";
import { findDefaultStores, type StoreConstructor, type StoreKind } from "./default-stores.ts";
import { expiryOf, isToBeTouched } from "./expiry.ts";
import { lostValue } from "./lost-values.ts";
import { type Base, newSession, ReplicatedStore } from "./replicated-store.ts";
import type { StoreClient } from "./store-client.ts";

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

/**
 * @fastify/session makes its session object from what the store gave by copying: the values of its text keys, and
 * the options of its cookie with all their properties. Through these a symbol of ours comes along, unseen.
 */
const madeFrom = Symbol("coppice.madeFrom");

type Tell = (message: FromInstance) => void;

const sameAgeMs = 1_000;
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
    findDefaultStores((storeClass, kind) => {
      const context = { isActive: () => this.#isActive, tell: (message: FromInstance) => this.#tell(message) };
      new StoreReplacement(this.#client, kind, context).install(storeClass);
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

/** Stores are named by the order of their set-up, which is the same in every instance. */
let storesNamed = 0;

class StoreReplacement {
  readonly #client: StoreClient;
  readonly #kind: StoreKind;
  readonly #context: ReplacementContext;
  readonly #stores = new WeakMap<StoreObject, ReplicatedStore>();
  /** What each raw or live session object was made from. */
  readonly #bases = new WeakMap<object, MadeFrom>();
  /** Those that were made just now, and not saved yet. */
  readonly #made = new WeakSet<object>();
  readonly #cookiesTold = new Set<string>();
  #lostValueTold = false;

  constructor(client: StoreClient, kind: StoreKind, context: ReplacementContext) {
    this.#client = client;
    this.#kind = kind;
    this.#context = context;
  }

  install({ prototype }: StoreConstructor): void {
    const replacement = this;
    const methods: StoreObject = {
      get(this: StoreObject, id: string, callback: Callback) {
        answer(replacement.#get(this, id), callback);
      },
      set(this: StoreObject, id: string, session: SessionObject, callback: Callback) {
        answer(replacement.#set(this, id, session), callback, session);
      },
      destroy(this: StoreObject, id: string, callback: Callback) {
        answer(replacement.#of(this).destroy(id), callback);
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
    // `session(options)` gives its store a generator, once: the order of these calls names the stores.
    Object.defineProperty(prototype, "generate", {
      configurable: true,
      set(this: StoreObject, generate: unknown) {
        replacement.#of(this);
        const value = function (this: StoreObject, request: { readonly session?: object }, ...rest: unknown[]): unknown {
          const result: unknown = Reflect.apply(generate as () => unknown, this, [request, ...rest]); // express-session's
          if (request.session !== undefined) replacement.#made.add(request.session);
          return result;
        };
        Object.defineProperty(this, "generate", { value, writable: true, configurable: true, enumerable: true });
      },
    });
  }

  #of(object: StoreObject): ReplicatedStore {
    const known = this.#stores.get(object);
    if (known !== undefined) return known;
    storesNamed += 1;
    const store = new ReplicatedStore(this.#client, `store-${storesNamed}`);
    this.#stores.set(object, store);
    return store;
  }

  async #get(object: StoreObject, id: string): Promise<object | undefined> {
    const read = await this.#of(object).read(id);
    if (read === null) return undefined;
    const raw = sessionOf(read.base.text, read.expiresAtMs);
    if (Object(raw) !== raw) return raw;
    // Refused where this instance was handed off: its reads are answered still.
    if (isToBeTouched(raw, read.expiresAtMs, Date.now())) this.#touch(object, id, raw).catch(() => {});
    const from = { id, base: read.base, cookie: raw.cookie };
    this.#bases.set(raw, from);
    if (this.#kind === "fastify-session" && raw.cookie !== undefined) Object.assign(raw.cookie, { [madeFrom]: from });
    return raw;
  }

  async #set(object: StoreObject, id: string, session: SessionObject): Promise<void> {
    const store = this.#of(object);
    // An application that keeps something else in its store: there is nothing to merge, and no cookie.
    if (Object(session) !== session) return void (await store.write(id, null, JSON.stringify(session), expiryOf({}, Date.now())));
    const pinned = this.#bases.get(session) ?? madeFromOf(session);
    let base = pinned?.id === id ? pinned.base : null;
    if (this.#kind === "fastify-session") {
      // Of its older versions nothing links the two: what this process saw last is nearer than nothing.
      base ??= store.lastSeen(id);
      this.#tellLostValue(session);
      this.#tellCookie({ ...requestOf(session), sessionID: id });
    }
    const text = JSON.stringify(session);
    const cookie = session.cookie?.toJSON?.() ?? session.cookie;
    const isNew = this.#made.delete(session) && base === null;
    const writing = store.write(id, isNew ? newSession : base, text, expiryOf(session, Date.now()));
    // A save of the same object that does not wait for this one changes what this one sent.
    const sent = { id, base: { version: base?.version ?? anyBase, text, stale: base !== null }, cookie };
    this.#bases.set(session, sent);
    const becomes = (from: MadeFrom | undefined) => {
      if (this.#bases.get(session) !== sent) return;
      if (from === undefined) this.#bases.delete(session);
      else this.#bases.set(session, from);
    };
    try {
      const next = await writing;
      becomes(next === null ? undefined : { id, base: next, cookie });
    } catch (error) {
      becomes(pinned);
      throw error;
    }
  }

  /** What the application changed in the cookie alone ("remember me") is no change of the session to its middleware: it comes as a touch. */
  async #touch(object: StoreObject, id: string, session: SessionObject): Promise<void> {
    const pinned = this.#bases.get(session);
    if (pinned?.id === id && !isSameCookie(pinned.cookie, session.cookie)) return this.#set(object, id, session);
    return this.#of(object).touch(id, expiryOf(session, Date.now()));
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
    if (sessionID === undefined || headers?.cookie === undefined || !headers.cookie.includes(sessionID)) return;
    for (const pair of headers.cookie.split(";")) {
      const at = pair.indexOf("=");
      const name = pair.slice(0, at).trim();
      if (at <= 0 || this.#cookiesTold.has(name) || !pair.includes(sessionID, at)) continue;
      if (this.#cookiesTold.size >= cookiesToldMax) return;
      this.#cookiesTold.add(name);
      this.#context.tell({ kind: "affinity-cookie", name });
    }
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

/** Sets of options, and how long they are for; express-session's arithmetic loses a millisecond of that now and then. */
function isSameCookie(one: Cookie | undefined, other: Cookie | undefined): boolean {
  const { expires: _was, originalMaxAge: was = null, ...before } = one?.toJSON?.() ?? one ?? {};
  const { expires: _is, originalMaxAge: is = null, ...now } = other?.toJSON?.() ?? other ?? {};
  const isSameAge = was === is || (typeof was === "number" && typeof is === "number" && Math.abs(was - is) < sameAgeMs);
  return isSameAge && JSON.stringify(before) === JSON.stringify(now);
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
