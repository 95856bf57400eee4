/** A map that all nodes share, as the application sees it: values as JSON, changes one after the other. */
import { absentBase, anyBase } from "../../state/session-record.ts";
import type { Held, StateHost } from "./host.ts";
import type { StateMap, StateMapOptions } from "./index.ts";

/** Longer ones do not fit the store's keys. */
const keyBytesMax = 1_000;
/** The store's keys cannot hold the ones; the others (a text that was cut within an emoji) have no bytes of their own: two keys would be one. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unfit = /[\u0000-\u001f\p{Surrogate}]/u;
/** So often others may come between: each time one of them has made its change. */
const triesMax = 1_000;

export class SharedMap<V> implements StateMap<V> {
  /** Asked at each use: a helper process may load what it does not use. */
  readonly #host: () => StateHost;
  readonly #name: string;
  readonly #ttlMs: number | null;
  /** The last update of a key in this process: the next one waits for it, instead of trying in vain. */
  readonly #updates = new Map<string, Promise<unknown>>();

  constructor(host: () => StateHost, name: string, { ttlMs }: StateMapOptions) {
    if (ttlMs !== undefined && !(typeof ttlMs === "number" && ttlMs > 0))
      throw new RangeError(`ttlMs is ${ttlMs} (${typeof ttlMs}): expected a number of milliseconds above 0`);
    this.#host = host;
    this.#name = name;
    this.#ttlMs = ttlMs ?? null;
  }

  async get(key: string): Promise<V | undefined> {
    return parsed<V>(await this.#host().read(this.#name, checked(key)));
  }

  async has(key: string): Promise<boolean> {
    return (await this.#host().read(this.#name, checked(key))) !== null;
  }

  async set(key: string, value: V): Promise<void> {
    await this.#host().put(this.#name, checked(key), anyBase, textOf(value, "the value"), this.#expiresAtMs());
  }

  async update(key: string, change: (value: V | undefined) => V | undefined | Promise<V | undefined>): Promise<V | undefined> {
    const before = this.#updates.get(checked(key)) ?? Promise.resolve();
    const mine = before.then(() => this.#update(key, change));
    const settled = mine.then(
      () => {},
      () => {},
    );
    this.#updates.set(key, settled);
    try {
      return await mine;
    } finally {
      if (this.#updates.get(key) === settled) this.#updates.delete(key);
    }
  }

  async #update(key: string, change: (value: V | undefined) => V | undefined | Promise<V | undefined>): Promise<V | undefined> {
    let held = await this.#host().read(this.#name, key);
    for (let tries = 0; tries < triesMax; tries += 1) {
      const next = await change(parsed<V>(held));
      const base = held?.version ?? absentBase;
      if (next === undefined && held === null) return undefined;
      const outcome =
        next === undefined
          ? await this.#host().remove(this.#name, key, base)
          : await this.#host().put(this.#name, key, base, textOf(next, "the value"), this.#expiresAtMs());
      if (outcome.isDone) return next;
      held = outcome.current;
    }
    throw new Error(`${this.#name}: others changed ${JSON.stringify(key)} ${triesMax} times meanwhile; nothing was changed here`);
  }

  async delete(key: string): Promise<boolean> {
    const outcome = await this.#host().remove(this.#name, checked(key), anyBase);
    return outcome.isDone && outcome.wasThere;
  }

  async clear(): Promise<void> {
    return this.#host().clear(this.#name);
  }

  async size(): Promise<number> {
    return this.#host().count(this.#name);
  }

  async entries(): Promise<[key: string, value: V][]> {
    return (await this.#host().all(this.#name)).map(({ id, text }) => [id, JSON.parse(text) as V]); // as it was set
  }

  #expiresAtMs(): number | null {
    return this.#ttlMs === null ? null : Date.now() + this.#ttlMs;
  }
}

function parsed<V>(held: Held | null): V | undefined {
  return held === null ? undefined : (JSON.parse(held.text) as V); // as it was set
}

function checked(key: string): string {
  if (typeof key === "string" && key !== "" && Buffer.byteLength(key) <= keyBytesMax && !unfit.test(key)) return key;
  throw new RangeError(`a key is a text of 1 to ${keyBytesMax} bytes without control characters and halves of surrogate pairs`);
}

/** @throws TypeError where JSON has no words for it. */
export function textOf(value: unknown, what: string): string {
  const text = JSON.stringify(value) as string | undefined; // undefined, functions and symbols have none
  if (text === undefined) throw new TypeError(`${what} is ${typeof value}, which cannot be kept: keep what JSON can say`);
  return text;
}
