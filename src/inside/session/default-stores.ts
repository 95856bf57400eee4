/**
 * The default in-memory stores, recognised by how they behave: both express-session's and
 * @fastify/session's call `util.inherits` while they load, bundled or not. Their prototypes' methods are
 * replaced before the first request; a store that the application wrote or chose itself is left alone.
 */
import util from "node:util";
import { noteSetUp } from "./store-name.ts";

export type StoreKind = "express-session" | "fastify-session";

// A class of the application: anything may come in and go out.
export type StoreConstructor = (new () => Record<string, unknown>) & { prototype: Record<string, unknown> };

const expressMethods: Readonly<Record<string, number>> = { all: 1, clear: 1, destroy: 2, get: 2, length: 1, set: 3, touch: 3 };
const fastifyMethods: Readonly<Record<string, number>> = { destroy: 2, get: 2, set: 3 };

/** What the middleware sets at its store when it is set up: express-session's, and @fastify/session's own constructor. */
const setUpKeys = ["generate", "store"] as const;

/**
 * Calls back for each default store, after the module that made it has run and before anything is served; with those of its
 * stores that are set up by then, in their order. Most are: a server's first turn is all of it.
 */
export function findDefaultStores(found: (storeClass: StoreConstructor, kind: StoreKind, stores: readonly object[]) => void): void {
  const inherits = util.inherits;
  util.inherits = function (this: unknown, storeClass: unknown, parent: unknown): void {
    inherits(storeClass as never, parent as never); // as called
    if (typeof storeClass !== "function" || storeClass.length !== 0) return;
    const candidate = storeClass as StoreConstructor; // a function; its prototype is looked at first
    const stores: object[] = [];
    const ends = setUpKeys.map((key) => listenTo(candidate.prototype, key, stores));
    // The methods are put on the prototype after this call: look when the module has run.
    process.nextTick(() => {
      for (const end of ends) end();
      try {
        const kind = classify(candidate);
        if (kind !== null) found(candidate, kind, stores);
      } catch {
        // A class of the application's own that does not like to be looked at.
      }
    });
  };
}

/** Notes on which objects the key is set, which goes on as it would without. @returns ends it. */
function listenTo(prototype: object, key: string, on: object[]): () => void {
  if (Object.hasOwn(prototype, key) || !Object.isExtensible(prototype)) return () => {};
  const parent: object = Object.getPrototypeOf(prototype) ?? {};
  let listens = true;
  const set = function (this: object, value: unknown): void {
    if (this === prototype) return void Object.defineProperty(this, key, { value, writable: true, configurable: true, enumerable: true });
    if (listens) {
      on.push(this);
      noteSetUp(this);
    }
    Reflect.set(parent, key, value, this);
  };
  const get = function (this: object): unknown {
    return Reflect.get(parent, key, this);
  };
  Object.defineProperty(prototype, key, { configurable: true, get, set });
  return () => {
    listens = false; // a prototype that was frozen meanwhile keeps the listener
    if (Object.getOwnPropertyDescriptor(prototype, key)?.set === set) Reflect.deleteProperty(prototype, key);
  };
}

/** An instance is made only where the methods are exactly a default store's: theirs has no side effect. */
function classify(storeClass: StoreConstructor): StoreKind | null {
  if (hasExactly(storeClass.prototype, expressMethods)) {
    const sessions = new storeClass()["sessions"];
    return typeof sessions === "object" &&
      sessions !== null &&
      Object.getPrototypeOf(sessions) === null &&
      Object.keys(sessions).length === 0
      ? "express-session"
      : null;
  }
  if (hasExactly(storeClass.prototype, fastifyMethods)) return new storeClass()["store"] instanceof Map ? "fastify-session" : null;
  return null;
}

function hasExactly(prototype: Record<string, unknown>, methods: Readonly<Record<string, number>>): boolean {
  const own = Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor");
  const isMethod = (name: string) => {
    const method = prototype[name];
    return typeof method === "function" && method.length === methods[name];
  };
  return own.length === Object.keys(methods).length && own.every(isMethod);
}
