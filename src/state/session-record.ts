/**
 * What is kept of a session, and the rule by which a write becomes the next version. Pure: the store
 * process reads the current record, asks this rule, and stores what it says.
 *
 * Versions of an id never go back: a new record after an expiry takes a version above `versionFloor`, a
 * number that the store only ever raises, so "unchanged since v" can never mean another life of the id.
 */
import { type Data, mergeData } from "./merge.ts";

export interface SessionRecord {
  readonly version: number;
  readonly expiresAtMs: number | null;
  /** Nothing is there: the session was destroyed, and late writes are dropped until this expires; or it was removed, and a put may follow. */
  readonly tombstone: boolean;
  /** The text that the application's store was given; empty for a tombstone. */
  readonly text: string;
  /** The latest writes that made it, newest last. */
  readonly writes: readonly WriteId[];
  /** The version that it began with, if one was destroyed before it: what was made from an older one is of that one. */
  readonly since?: number;
}

/** The same when a write is sent again, as its acknowledgement may have been lost; never that of another one. */
export type WriteId = string;

export interface IncomingWrite {
  readonly id: WriteId;
  readonly base: number;
  readonly expiresAtMs: number | null;
  readonly text: string;
  /** The base's text, if it came with the write. */
  readonly baseText: string | null;
}

export type WriteOutcome =
  /** What is stored is another text than the incoming one where it was merged. */
  | { readonly kind: "store"; readonly record: SessionRecord; readonly conflicts: number }
  /** The same write came again (its acknowledgement was lost): it is stored already, others perhaps upon it. */
  | { readonly kind: "stored-already"; readonly record: SessionRecord }
  | { readonly kind: "base-wanted" }
  | { readonly kind: "dropped" };

/** The version that a write names if it was made without reading: it replaces whatever is there. */
export const anyBase = -1;
/** So many writes of others may come between a write and its being sent again, half a second later at most. */
const writesMax = 8;
/** A tombstone stands so long at least: longer than any request is in process. */
const tombstoneMs = 24 * 60 * 60 * 1_000;
/** Longer than an instance sends again what it sent (`sessionStoreTimeoutMs`, 10 minutes at most). */
const removedMs = 11 * 60_000;

/** The version that a put or a removal names if nothing may be there, and the first write of a session that was made anew: it replaces what is. */
export const absentBase = 0;

export type PutOutcome = Extract<WriteOutcome, { kind: "store" | "stored-already" }> | { readonly kind: "stale" };

/** What the record becomes, null where the same removal came again; whether something was there to remove. */
export type RemovalOutcome =
  | { readonly kind: "removed"; readonly record: SessionRecord | null; readonly wasThere: boolean }
  | { readonly kind: "stale" };

export function hasExpired(record: SessionRecord, nowMs: number): boolean {
  return record.expiresAtMs !== null && record.expiresAtMs <= nowMs;
}

export function write(current: SessionRecord | null, incoming: IncomingWrite, nowMs: number, versionFloor: number): WriteOutcome {
  const { id, base, expiresAtMs, text, baseText } = incoming;
  if (current === null || hasExpired(current, nowMs)) {
    const version = Math.max(base, versionFloor, current?.version ?? 0) + 1;
    return { kind: "store", record: { version, expiresAtMs, tombstone: false, text, writes: [id] }, conflicts: 0 };
  }
  const isKnown = current.writes.includes(id);
  // Who was made after its end is another one under the same name (`genid`), and no late write.
  if (current.tombstone && (base !== absentBase || isKnown)) return { kind: "dropped" };
  if (isKnown) return { kind: "stored-already", record: current };
  const version = current.version + 1;
  const since = current.tombstone ? version : current.since;
  if (base > absentBase && base < (since ?? 0)) return { kind: "dropped" };
  const writes = latest(current, id);
  const next = (newText: string): SessionRecord => ({
    version,
    expiresAtMs,
    tombstone: false,
    text: newText,
    writes,
    ...(since === undefined ? {} : { since }),
  });
  if (current.version === base || base === anyBase || base === absentBase) return { kind: "store", record: next(text), conflicts: 0 };
  if (baseText === null) return { kind: "base-wanted" };
  const baseData = parse(baseText);
  const currentData = parse(current.text);
  const incomingData = parse(text);
  // Not objects (a store may be given anything): there is nothing to merge by key, the later one stands.
  if (baseData === null || currentData === null || incomingData === null) return { kind: "store", record: next(text), conflicts: 1 };
  const { data, conflicts, keepsCookie } = mergeData(baseData, currentData, incomingData);
  const record = next(JSON.stringify(data));
  return { kind: "store", record: keepsCookie ? { ...record, expiresAtMs: current.expiresAtMs } : record, conflicts };
}

/** Moves the expiry. @param version what it was made from: where others wrote since, perhaps another cookie, the later expiry stands. */
export function touch(current: SessionRecord, expiresAtMs: number | null, version: number | undefined): SessionRecord {
  if (version === undefined || version === current.version) return { ...current, expiresAtMs };
  const isLater = current.expiresAtMs !== null && (expiresAtMs === null || expiresAtMs > current.expiresAtMs);
  return isLater ? { ...current, expiresAtMs } : current;
}

/** Leaves a tombstone. Null where the same destroy came again: the session may have been made anew since. */
export function destroy(record: SessionRecord | null, id: WriteId, nowMs: number, versionFloor: number): SessionRecord | null {
  if (record?.writes.includes(id) === true) return null;
  return {
    version: (record?.version ?? versionFloor) + 1,
    expiresAtMs: Math.max(record?.expiresAtMs ?? 0, nowMs + tombstoneMs),
    tombstone: true,
    text: "",
    writes: latest(record, id),
  };
}

/** Compare and set, where `record` is kept, alive or not. */
export function put(
  record: SessionRecord | null,
  incoming: Omit<IncomingWrite, "baseText">,
  nowMs: number,
  versionFloor: number,
): PutOutcome {
  const { id, base, expiresAtMs, text } = incoming;
  if (record?.writes.includes(id) === true) return { kind: "stored-already", record };
  if (!isCurrent(alive(record, nowMs), base)) return { kind: "stale" };
  const version = Math.max(versionFloor, record?.version ?? 0) + 1;
  return { kind: "store", record: { version, expiresAtMs, tombstone: false, text, writes: latest(record, id) }, conflicts: 0 };
}

/** By the same rule. It leaves a mark: sent again, it must not remove what others have put there since. */
export function remove(
  record: SessionRecord | null,
  { id, base }: Pick<IncomingWrite, "id" | "base">,
  nowMs: number,
  versionFloor: number,
): RemovalOutcome {
  const inVain = `${id} in vain`;
  const earlier = record?.writes.find((write) => write === id || write === inVain);
  if (earlier !== undefined) return { kind: "removed", record: null, wasThere: earlier === id };
  const current = alive(record, nowMs);
  if (!isCurrent(current, base)) return { kind: "stale" };
  const wasThere = current !== null;
  const version = Math.max(versionFloor, record?.version ?? 0);
  const writes = latest(record, wasThere ? id : inVain);
  return { kind: "removed", record: { version, expiresAtMs: nowMs + removedMs, tombstone: true, text: "", writes }, wasThere };
}

/** How far a clear has come: the key that it looked at last, empty at its end. Sent again, it goes on there. */
export function clearMark(reached: string, nowMs: number): SessionRecord {
  return { version: 1, expiresAtMs: nowMs + removedMs, tombstone: true, text: reached, writes: [] };
}

/** Null where nothing is to be read. */
export function alive(record: SessionRecord | null, nowMs: number): SessionRecord | null {
  return record === null || record.tombstone || hasExpired(record, nowMs) ? null : record;
}

function latest(record: SessionRecord | null, id: WriteId): WriteId[] {
  return [...(record?.writes ?? []), id].slice(-writesMax);
}

export function isCurrent(current: SessionRecord | null, base: number): boolean {
  return base === anyBase || base === (current?.version ?? absentBase);
}

function parse(text: string): Data | null {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Data) : null; // checked beside
  } catch {
    return null;
  }
}
