/**
 * The authority over the host's sessions: executes operations one after the other in the order in which
 * they come (each is decided at once, against the overlay), and answers when what the answer rests on is
 * durable. So each session is linearizable.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { SessionAnswer, SessionRequest } from "../model/session.ts";
import { alive, anyBase, clearMark, destroy, hasExpired, put, remove, type SessionRecord, touch, write } from "../state/session-record.ts";
import type { Tally } from "../state/tally.ts";
import { frameBytesMax } from "../wire/frame.ts";
import { clearsStore, isDamage, isOfState, type SessionFile } from "./session-file.ts";

const noBytes = new Uint8Array(0);
/** What goes through a whole store lets others have their turn after so many records. */
const pageRecords = 500;
/** Of a merged session, whose answer must fit a frame with its head: a longer one could never be read. */
const mergedBytesMax = frameBytesMax - 16 * 1024;
/** A quarter of an hour, at a call a second. */
const sweepCalls = 1_000;

export interface Caller {
  /** Of an instance's name and its boot's: sessions outlive a boot, and the next one has the same names again. */
  readonly writer: string;
  readonly tally: Tally;
  readonly revoked: () => boolean;
  readonly answer: (answer: SessionAnswer, body?: Uint8Array) => void;
  /** Resolves when the answers so far have left. */
  readonly drained: () => Promise<void>;
}

interface LiveEntry {
  readonly id: string;
  readonly record: SessionRecord;
}

export class SessionStore {
  readonly #file: SessionFile;
  conflictsTotal = 0;
  #sweptTo: string | null = null;
  #sweeping = false;

  constructor(file: SessionFile) {
    this.#file = file;
  }

  async execute(request: SessionRequest, body: Uint8Array, caller: Caller, nowMs: number): Promise<void> {
    const { n, store } = request;
    if (caller.revoked() && request.kind !== "read" && request.kind !== "count" && request.kind !== "all") {
      return caller.answer({ n, kind: "refused", reason: "this instance was handed off; its writes are no longer taken" });
    }
    switch (request.kind) {
      case "read":
        return this.#read(request, caller, nowMs);
      case "write":
        return this.#write(request, body, caller, nowMs);
      case "put":
        return this.#put(request, body, caller, nowMs);
      case "remove":
        return this.#remove(request, caller, nowMs);
      case "touch": {
        const record = this.#live(store, request.id, nowMs);
        if (record === null) return caller.answer({ n, kind: "absent" });
        await this.#file.set(store, request.id, touch(record, request.expiresAtMs, request.version));
        return caller.answer({ n, kind: "done" });
      }
      case "destroy": {
        const record = destroy(this.#file.get(store, request.id), `${caller.writer}#${n}`, nowMs, this.#file.versionFloor);
        if (record === null) await this.#file.settled(store, request.id);
        else await this.#file.set(store, request.id, record);
        return caller.answer({ n, kind: "done" });
      }
      case "count": {
        let sessions = 0;
        for await (const page of this.#livePages(store, nowMs)) sessions += page.length;
        return caller.answer({ n, kind: "counted", sessions });
      }
      case "clear":
        return this.#clear(request, caller, nowMs);
      case "all":
        for await (const page of this.#livePages(store, nowMs)) {
          for (const { id, record } of page) {
            caller.answer({ n, kind: "record", id, version: record.version, expiresAtMs: record.expiresAtMs }, Buffer.from(record.text));
            await caller.drained();
          }
        }
        return caller.answer({ n, kind: "done" });
    }
  }

  /** Sessions of all stores, by the file's own count: tombstones and those not swept yet are in it. */
  get sessions(): number {
    return this.#file.sessions;
  }

  /**
   * Removes what has expired among the next records; called each second. One at a time: a full disk lets it wait. However
   * many there are, all have been looked at after so many calls: what comes faster than it goes would fill the disk.
   */
  async sweep(nowMs: number, calls = sweepCalls): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    try {
      let left = Math.ceil(this.#file.size / calls);
      while (left > 0) {
        left -= await this.#sweepPage(nowMs, Math.min(left, pageRecords));
        await nextTurn();
      }
    } finally {
      this.#sweeping = false;
    }
  }

  /** How many records were looked at: one at least, so that it ends. */
  async #sweepPage(nowMs: number, limit: number): Promise<number> {
    const page = this.#file.page(limit, this.#sweptTo);
    this.#sweptTo = page.at(-1)?.key ?? null;
    const expired = page.filter(({ record }) => record !== null && hasExpired(record, nowMs));
    // One that cannot be removed, as its pages are torn, stays, and keeps none beside it.
    failedOf(await Promise.allSettled(expired.map(({ store, id }) => this.#file.set(store, id, null))));
    return Math.max(page.length, 1);
  }

  async #read(request: Extract<SessionRequest, { kind: "read" }>, caller: Caller, nowMs: number): Promise<void> {
    const { n, store, id, version } = request;
    const record = this.#live(store, id, nowMs);
    await this.#file.settled(store, id);
    if (record === null) caller.answer({ n, kind: "absent" });
    else if (record.version === version) caller.answer({ n, kind: "unchanged", expiresAtMs: record.expiresAtMs });
    else caller.answer({ n, kind: "record", id, version: record.version, expiresAtMs: record.expiresAtMs }, Buffer.from(record.text));
  }

  async #write(request: Extract<SessionRequest, { kind: "write" }>, body: Uint8Array, caller: Caller, nowMs: number): Promise<void> {
    const { n, store, id, base, baseLength, expiresAtMs } = request;
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    const baseText = baseLength === undefined ? null : bytes.toString("utf8", 0, baseLength);
    const text = bytes.toString("utf8", baseLength ?? 0);
    const incoming = { id: `${caller.writer}#${n}`, base, expiresAtMs, text, baseText };
    const outcome = write(this.#file.get(store, id), incoming, nowMs, this.#file.versionFloor);
    if (outcome.kind === "base-wanted" || outcome.kind === "dropped") return caller.answer({ n, kind: outcome.kind });
    const { record } = outcome;
    const merged = record.text !== text;
    if (outcome.kind === "store") {
      if (merged && Buffer.byteLength(record.text) > mergedBytesMax)
        return caller.answer({ n, kind: "failed", reason: `with what others wrote it is longer than ${mergedBytesMax} bytes` });
      await this.#file.set(store, id, record);
      this.conflictsTotal += outcome.conflicts;
    } else await this.#file.settled(store, id);
    caller.tally.add(store, id, record.version);
    const conflicts = outcome.kind === "store" ? outcome.conflicts : 0;
    caller.answer({ n, kind: "written", version: record.version, merged, conflicts }, merged ? Buffer.from(record.text) : noBytes);
  }

  async #put(request: Extract<SessionRequest, { kind: "put" }>, body: Uint8Array, caller: Caller, nowMs: number): Promise<void> {
    const { n, store, id, base, expiresAtMs } = request;
    const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8");
    const incoming = { id: `${caller.writer}#${n}`, base, expiresAtMs, text };
    const outcome = put(this.#file.get(store, id), incoming, nowMs, this.#file.versionFloor);
    if (outcome.kind === "stale") return this.#stale(request, caller, nowMs);
    const { record } = outcome;
    if (outcome.kind === "store") await this.#file.set(store, id, record);
    else await this.#file.settled(store, id);
    caller.tally.add(store, id, record.version);
    caller.answer({ n, kind: "written", version: record.version, merged: false, conflicts: 0 });
  }

  async #remove(request: Extract<SessionRequest, { kind: "remove" }>, caller: Caller, nowMs: number): Promise<void> {
    const { n, store, id, base } = request;
    const outcome = remove(this.#file.get(store, id), { id: `${caller.writer}#${n}`, base }, nowMs, this.#file.versionFloor);
    if (outcome.kind === "stale") return this.#stale(request, caller, nowMs);
    if (outcome.record === null) await this.#file.settled(store, id);
    else await this.#file.set(store, id, outcome.record);
    caller.answer({ n, kind: outcome.wasThere ? "done" : "absent" });
  }

  /**
   * How far it came is committed with each page: what others set behind that since is not its own to remove, also where it is sent again.
   * One that cannot be removed, as its pages are torn, stays, and keeps none beside it; that it stays is said at the end.
   */
  async #clear({ n, store }: Extract<SessionRequest, { kind: "clear" }>, caller: Caller, nowMs: number): Promise<void> {
    const write = `${caller.writer}#${n}`;
    let failed: PromiseRejectedResult | undefined;
    for (;;) {
      const reached = this.#file.get(clearsStore, write)?.text ?? null;
      if (reached === "") break;
      const page = this.#file.page(pageRecords, reached, store);
      const removals = page.map(({ id }) => this.#clearOne(store, id, write, nowMs));
      const marked = this.#file.set(clearsStore, write, clearMark(page.at(-1)?.key ?? "", nowMs));
      const [outcomes] = await Promise.all([Promise.allSettled(removals), marked]);
      failed ??= failedOf(outcomes);
    }
    await this.#file.settled(clearsStore, write);
    if (failed !== undefined) throw failed.reason;
    caller.answer({ n, kind: "done" });
  }

  async #clearOne(store: string, id: string, write: string, nowMs: number): Promise<void> {
    if (this.#live(store, id, nowMs) === null) return;
    if (!isOfState(store)) return this.#file.set(store, id, null);
    // The changes of a map's key stay known by their numbers, as behind any removal.
    const outcome = remove(this.#file.get(store, id), { id: write, base: anyBase }, nowMs, this.#file.versionFloor);
    if (outcome.kind === "removed" && outcome.record !== null) await this.#file.set(store, id, outcome.record);
  }

  async #stale({ n, store, id }: Extract<SessionRequest, { kind: "put" | "remove" }>, caller: Caller, nowMs: number): Promise<void> {
    const current = this.#live(store, id, nowMs);
    await this.#file.settled(store, id);
    if (current === null) return caller.answer({ n, kind: "stale", version: 0, expiresAtMs: null });
    const { version, expiresAtMs, text } = current;
    caller.answer({ n, kind: "stale", version, expiresAtMs }, Buffer.from(text));
  }

  #live(store: string, id: string, nowMs: number): SessionRecord | null {
    return alive(this.#file.get(store, id), nowMs);
  }

  async *#livePages(store: string, nowMs: number): AsyncGenerator<LiveEntry[]> {
    for (let page = this.#file.page(pageRecords, null, store); page.length > 0; ) {
      await this.#file.settledOf(store); // what the page says must outlive this process
      yield page.flatMap(({ id, record }) => {
        const live = alive(record, nowMs);
        return live === null ? [] : [{ id, record: live }];
      });
      await nextTurn();
      page = this.#file.page(pageRecords, page.at(-1)?.key ?? null, store);
    }
  }
}

/** The first that failed, if any. @throws what says that the file is damaged. */
function failedOf(outcomes: readonly PromiseSettledResult<void>[]): PromiseRejectedResult | undefined {
  const failed = outcomes.filter((outcome) => outcome.status === "rejected");
  const damaged = failed.find(({ reason }) => isDamage(reason));
  if (damaged !== undefined) throw damaged.reason;
  return failed[0];
}
