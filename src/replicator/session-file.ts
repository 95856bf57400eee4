/**
 * The sessions' file: LMDB. A write counts as durable once it is committed to the memory map: that
 * outlives the death of every process of ours (measured: none of 165,184 lost over 7 kills), though not a
 * loss of power, as no fsync is waited for.
 *
 * Until its commit a write lives in the overlay: whoever reads or writes the same session sees it, but no
 * answer that rests on it leaves before the commit ("answered implies replicated").
 */
import { setTimeout as pause } from "node:timers/promises";
import { open, type RootDatabase } from "lmdb";
import type { SessionId, StoreName } from "../model/session.ts";
import type { SessionRecord } from "../state/session-record.ts";
import { Commits } from "./commits.ts";
import { DiskFull, Room } from "./room.ts";

const mapBytesMax = 64 * 1024 ** 3; // address space, not memory; the file grows with its content
/** A full disk is tried again so often: until there is room the write is not acknowledged, and its answer waits. */
const fullRetryMs = 1_000;
/** So much may wait for room on the disk, in memory; what comes beyond is refused at once. */
const waitingBytesMax = 64 * 1024 ** 2;
/** What an operation that waits takes beside its text (measured: 7 KB a read, 12 KB a write). */
const waitingBytes = 16 * 1024;
const floorKey = "\u0000floor";
/** Behind our own keys, and before all that begin with a store's name. */
const firstKey = " ";
/** Of marks that clears leave, each under its own number. */
export const clearsStore = "clear.";
/** How the names of `coppice/state`'s stores begin, and ours; those of sessions have no dot. */
const stateStores = ["map.", "checkpoint.", clearsStore];
/** Between store and session in a key. */
const separator = ":";
/** The next character: no key of a store comes behind it. */
const separatorAfter = ";";
/** LMDB's control characters, which its long keys do not bring back, and halves of surrogate pairs, which have no bytes; and what stands for them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unfit = /[\u0000-\u001f\u007f\p{Surrogate}]/gu;
const fit = /\u007f([0-9a-f]{4})/g;

/** What a loss of power tore: no record, and nothing to be touched, since its pages may not be its own. */
const torn = 0;

export interface Entry {
  readonly key: string;
  readonly store: StoreName;
  readonly id: SessionId;
  /** The newest; null: it was removed, and that is not committed yet. */
  readonly record: SessionRecord | null;
}

interface Pending {
  record: SessionRecord | null;
  committed: Promise<unknown>;
  /** A later write of the same session. */
  newer: Pending | null;
}

export class SessionFile {
  readonly #database: RootDatabase<SessionRecord | number, string>;
  readonly #commits: Commits;
  readonly #pending = new Map<string, Pending>();
  readonly #room: Room;
  readonly #onFull: (full: boolean) => void;
  #full = false;
  /** Of writes that are not committed yet, and of reads that wait for them. */
  #pendingBytes = 0;
  #floor: number;
  /** Records that are no sessions. */
  #ofState = 0;

  /** @param onFull is told when writes begin to wait for room on the disk, and when they go on. */
  constructor(path: string, onFull: (full: boolean) => void) {
    this.#database = open<SessionRecord | number, string>({
      path,
      noSubdir: true,
      encoding: "msgpack",
      noSync: true,
      mapSize: mapBytesMax,
      cache: false,
    });
    forgiveTorn(this.#database as unknown as { encoder: Decoder }); // LMDB's own, not in its types
    this.#commits = new Commits(this.#database);
    this.#onFull = onFull;
    this.#room = new Room(path, () => this.#contentBytes());
    const floor = this.#database.get(floorKey);
    this.#floor = typeof floor === "number" ? floor : 0;
    for (const store of stateStores) this.#ofState += this.#database.getKeysCount({ start: store, end: `${store}\uffff` });
  }

  /** No version of a new record may be at or below this. */
  get versionFloor(): number {
    return this.#floor;
  }

  /** Versions up to this one are known of another file: none of this one is to be taken for them. */
  async raiseFloor(version: number): Promise<void> {
    this.#floor = Math.max(this.#floor, version);
    await this.#room.run(0, () => this.#commits.add(() => this.#database.putSync(floorKey, this.#floor)));
  }

  get size(): number {
    const { entryCount } = this.#database.getStats() as { entryCount: number }; // LMDB's own statistics
    return entryCount - (this.#database.doesExist(floorKey) ? 1 : 0); // it may be raised, and not written yet
  }

  /** Neither what `coppice/state` keeps, nor marks. */
  get sessions(): number {
    return this.size - this.#ofState;
  }

  get(store: StoreName, id: SessionId): SessionRecord | null {
    const key = keyOf(store, id);
    const pending = this.#pending.get(key);
    if (pending !== undefined) return pending.record;
    const record = this.#database.get(key);
    return record === undefined || typeof record === "number" ? null : record;
  }

  /** Resolves when the newest write of the session so far is durable. @throws DiskFull as `set` does. */
  async settled(store: StoreName, id: SessionId): Promise<void> {
    const pending = this.#pending.get(keyOf(store, id));
    if (pending === undefined) return;
    this.#checkWaiting(0);
    this.#pendingBytes += waitingBytes;
    try {
      await pending.committed;
    } finally {
      this.#pendingBytes -= waitingBytes;
    }
  }

  #checkWaiting(bytes: number): void {
    if (this.#full && this.#pendingBytes + bytes > waitingBytesMax) throw new DiskFull();
  }

  /**
   * Resolves when durable. Removing raises the floor above the record's version.
   * @throws DiskFull where too much waits for room already; LMDB's error, as for a key that is too long.
   */
  async set(store: StoreName, id: SessionId, record: SessionRecord | null): Promise<void> {
    const key = keyOf(store, id);
    const bytes = record === null ? 0 : Buffer.byteLength(record.text);
    if (record !== null) this.#checkWaiting(bytes);
    const ofState = isOfState(store);
    const before = record === null || ofState ? this.get(store, id) : null;
    if (ofState) this.#ofState += Number(record !== null) - Number(before !== null);
    const raised = record === null && before !== null && before.version > this.#floor;
    if (raised) this.#floor = before.version;
    const write = () => {
      if (record === null) this.#database.removeSync(key);
      else this.#database.putSync(key, record);
      if (raised) this.#database.putSync(floorKey, this.#floor);
    };
    const pending: Pending = { record, committed: Promise.resolve(), newer: null };
    const older = this.#pending.get(key);
    if (older !== undefined) older.newer = pending;
    this.#pending.set(key, pending);
    pending.committed = this.#commit(bytes, write, pending);
    this.#pendingBytes += waitingBytes + bytes;
    try {
      await pending.committed;
    } finally {
      this.#pendingBytes -= waitingBytes + bytes;
      if (this.#pending.get(key) === pending) this.#pending.delete(key);
    }
  }

  /** A disk that is full takes it later; by then a newer write of the same session may stand for it. */
  async #commit(bytes: number, write: () => void, mine: Pending): Promise<void> {
    for (;;) {
      try {
        await this.#room.run(bytes, () => this.#commits.add(write));
        this.#tellFull(this.#room.full);
        return;
      } catch (error) {
        if (!isDiskFull(error)) throw error;
        this.#tellFull(true);
        await pause(fullRetryMs);
        if (mine.newer !== null) {
          await mine.newer.committed;
          return;
        }
      }
    }
  }

  #tellFull(full: boolean): void {
    if (full === this.#full) return;
    this.#full = full;
    this.#onFull(full);
  }

  #contentBytes(): number {
    const { lastPageNumber, pageSize } = this.#database.getStats() as { lastPageNumber: number; pageSize: number }; // LMDB's own
    return (lastPageNumber + 1) * pageSize;
  }

  /** Resolves when what was written to the store so far is durable, or failed. */
  async settledOf(store: StoreName): Promise<void> {
    const pending = [...this.#pending].filter(([key]) => isOf(store, key));
    await Promise.allSettled(pending.map(([, { committed }]) => committed));
  }

  /**
   * The next records, live or not, in the order of their keys: of one store or of all, behind the key `after`. Up to `limit` that are
   * committed, and what is new in the overlay up to the last of them: who wrote it finds it, as if it were committed.
   * @throws an error of damage where they are not in that order, as in a torn file: who goes on from page to page would never end.
   */
  page(limit: number, after: string | null, store?: StoreName): Entry[] {
    const start = after ?? (store === undefined ? firstKey : keyOf(store, ""));
    const range = { start, exclusiveStart: after !== null, ...(store === undefined ? {} : { end: `${store}${separatorAfter}` }) };
    const committed = [...this.#database.getRange({ ...range, limit })];
    checkForward(after, committed.at(-1)?.key);
    const found = new Map<string, SessionRecord | null>();
    for (const { key, value } of committed) if (typeof value !== "number") found.set(key, this.#newest(key, value));
    const last = committed.length < limit ? null : (committed.at(-1)?.key ?? null);
    const isNew = (key: string) => !found.has(key) && (store === undefined || isOf(store, key)) && isBetween(after, key, last);
    const added = [...this.#pending].filter(([key, { record }]) => record !== null && isNew(key));
    for (const [key, { record }] of added) found.set(key, record);
    if (found.size === 0 && last !== null) return this.page(limit, last, store); // none could be read: an empty page would be the end
    const keys = added.length === 0 ? [...found.keys()] : [...found.keys()].sort(inOrder);
    checkForward(after, keys.at(-1));
    return keys.map((key) => {
      const at = key.indexOf(separator);
      const id = key.slice(at + 1).replace(fit, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
      return { key, store: key.slice(0, at), id, record: found.get(key) ?? null };
    });
  }

  #newest(key: string, committed: SessionRecord): SessionRecord | null {
    const pending = this.#pending.get(key);
    return pending === undefined ? committed : pending.record;
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#pending.values()].map(({ committed }) => committed));
    await this.#database.close();
    this.#room.close();
  }
}

interface Decoder {
  decode: (...args: unknown[]) => unknown;
}

/** One record that cannot be read must not keep those beside it from being read. */
function forgiveTorn({ encoder }: { readonly encoder: Decoder }): void {
  const decode = encoder.decode;
  encoder.decode = (...args) => {
    try {
      return Reflect.apply(decode, encoder, args);
    } catch {
      return torn;
    }
  };
}

export function isOfState(store: StoreName): boolean {
  return stateStores.some((prefix) => store.startsWith(prefix));
}

function keyOf(store: StoreName, id: SessionId): string {
  return `${store}${separator}${id.replace(unfit, (one) => `\u007f${one.charCodeAt(0).toString(16).padStart(4, "0")}`)}`;
}

function isOf(store: StoreName, key: string): boolean {
  return key.startsWith(`${store}${separator}`);
}

/** LMDB's order is that of the bytes. */
function inOrder(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

/** Behind `after`, and not behind `last`; null: without a bound. */
function isBetween(after: string | null, key: string, last: string | null): boolean {
  return (after === null || inOrder(after, key) < 0) && (last === null || inOrder(key, last) <= 0);
}

function checkForward(after: string | null, key: unknown): void {
  if (key === undefined || (typeof key === "string" && isBetween(after, key, null))) return;
  throw new Error("MDB_CORRUPTED: its keys are in no order");
}

/**
 * Where a file system takes room even for what was written before (copy on write), LMDB meets the full disk all the
 * same: it says so in the error, or in the one of the commit that the write was part of; where a page fits in part
 * only, it speaks of input and output. A disk that really fails is waited for too: no answer rests on it.
 */
function isDiskFull(error: unknown): boolean {
  if (error instanceof DiskFull) return true;
  return error instanceof Error && /Commit failed|No space left|Input\/output error/.test(error.message);
}

/** A tree that is deeper than any, or no tree, among them. Not MDB_PROBLEM as such: so it says of one record that is torn, too. */
const damage =
  /^MDB_(?:BAD_TXN|CORRUPTED|CURSOR_FULL|INVALID|PAGE_NOTFOUND|PANIC|VERSION_MISMATCH)\b|^MDB_PROBLEM\b.*expected node to be branch/;

/** What is in the file cannot be: LMDB says so where it does not die of it. */
export function isDamage(error: unknown): boolean {
  return error instanceof Error && damage.test(error.message);
}
