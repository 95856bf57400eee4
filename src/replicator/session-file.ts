/**
 * The sessions' file: LMDB. A write counts as durable once it is committed to the memory map: that
 * outlives the death of every process of ours (measured: none of 165,184 lost over 7 kills), though not a
 * loss of power, as no fsync is waited for.
 *
 * Until its commit a write lives in the overlay: whoever reads or writes the same session sees it, but no
 * answer that rests on it leaves before the commit ("answered implies replicated").
 */
import { open, type RootDatabase } from "lmdb";
import type { SessionId, StoreName } from "../model/session.ts";
import type { SessionRecord } from "../state/session-record.ts";

const mapBytesMax = 64 * 1024 ** 3; // address space, not memory; the file grows with its content
const floorKey = "\u0000floor";

interface Pending {
  record: SessionRecord | null;
  committed: Promise<unknown>;
}

export class SessionFile {
  readonly #database: RootDatabase<SessionRecord | number, string>;
  readonly #pending = new Map<string, Pending>();
  #floor: number;

  constructor(path: string) {
    this.#database = open<SessionRecord | number, string>({
      path,
      noSubdir: true,
      encoding: "msgpack",
      noSync: true,
      mapSize: mapBytesMax,
      cache: false,
    });
    const floor = this.#database.get(floorKey);
    this.#floor = typeof floor === "number" ? floor : 0;
  }

  /** No version of a new record may be at or below this. */
  get versionFloor(): number {
    return this.#floor;
  }

  get size(): number {
    const { entryCount } = this.#database.getStats() as { entryCount: number }; // LMDB's own statistics
    return entryCount - (this.#floor > 0 ? 1 : 0);
  }

  get(store: StoreName, id: SessionId): SessionRecord | null {
    const key = keyOf(store, id);
    const pending = this.#pending.get(key);
    if (pending !== undefined) return pending.record;
    const record = this.#database.get(key);
    return record === undefined || typeof record === "number" ? null : record;
  }

  /** Resolves when the newest write of the session so far is durable. */
  settled(store: StoreName, id: SessionId): Promise<unknown> {
    return this.#pending.get(keyOf(store, id))?.committed ?? Promise.resolve();
  }

  /** Resolves when durable. Removing raises the floor above the record's version. */
  async set(store: StoreName, id: SessionId, record: SessionRecord | null): Promise<void> {
    const key = keyOf(store, id);
    const before = record === null ? this.get(store, id) : null;
    const operations: Promise<unknown>[] = [];
    if (before !== null && before.version > this.#floor) {
      this.#floor = before.version;
      operations.push(this.#database.put(floorKey, this.#floor));
    }
    operations.push(record === null ? this.#database.remove(key) : this.#database.put(key, record));
    const committed = Promise.all(operations);
    const pending: Pending = { record, committed };
    this.#pending.set(key, pending);
    try {
      await committed;
    } finally {
      if (this.#pending.get(key) === pending) this.#pending.delete(key);
    }
  }

  /** Every record of a store, live or not, committed ones. */
  *records(store: StoreName): Generator<{ id: SessionId; record: SessionRecord }> {
    const prefix = keyOf(store, "");
    for (const { key, value } of this.#database.getRange({ start: prefix, end: `${prefix}\uffff` })) {
      if (typeof value !== "number") yield { id: key.slice(prefix.length), record: value };
    }
  }

  /** Up to `limit` keys of all stores, from `after` on, for sweeps. */
  page(after: string, limit: number): { key: string; store: StoreName; id: SessionId; record: SessionRecord }[] {
    const page: { key: string; store: StoreName; id: SessionId; record: SessionRecord }[] = [];
    for (const { key, value } of this.#database.getRange({ start: after === "" ? "\u0001" : `${after}\u0000`, limit })) {
      const at = key.indexOf("\u0000");
      if (at > 0 && typeof value !== "number") page.push({ key, store: key.slice(0, at), id: key.slice(at + 1), record: value });
    }
    return page;
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#pending.values()].map(({ committed }) => committed));
    await this.#database.close();
  }
}

function keyOf(store: StoreName, id: SessionId): string {
  return `${store}\u0000${id}`;
}
