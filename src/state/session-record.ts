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
  /** The session was destroyed: nothing is read, late writes are dropped, until it expires. */
  readonly tombstone: boolean;
  /** The text that the application's store was given; empty for a tombstone. */
  readonly text: string;
  /** The latest writes that made it, newest last. */
  readonly writes: readonly WriteId[];
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

/** The version that a put or a removal names if nothing may be there. */
export const absentBase = 0;

export type PutOutcome = Extract<WriteOutcome, { kind: "store" | "stored-already" }> | { readonly kind: "stale" };

export function hasExpired(record: SessionRecord, nowMs: number): boolean {
  return record.expiresAtMs !== null && record.expiresAtMs <= nowMs;
}

export function write(current: SessionRecord | null, incoming: IncomingWrite, nowMs: number, versionFloor: number): WriteOutcome {
  const { id, base, expiresAtMs, text, baseText } = incoming;
  if (current === null || hasExpired(current, nowMs)) {
    const version = Math.max(base, versionFloor, current?.version ?? 0) + 1;
    return { kind: "store", record: { version, expiresAtMs, tombstone: false, text, writes: [id] }, conflicts: 0 };
  }
  if (current.tombstone) return { kind: "dropped" };
  if (current.writes.includes(id)) return { kind: "stored-already", record: current };
  const writes = [...current.writes, id].slice(-writesMax);
  const next = (newText: string): SessionRecord => ({ version: current.version + 1, expiresAtMs, tombstone: false, text: newText, writes });
  if (current.version === base || base === anyBase) return { kind: "store", record: next(text), conflicts: 0 };
  if (base > 0 && baseText === null) return { kind: "base-wanted" };
  const baseData = baseText === null ? {} : parse(baseText);
  const currentData = parse(current.text);
  const incomingData = parse(text);
  // Not objects (a store may be given anything): there is nothing to merge by key, the later one stands.
  if (baseData === null || currentData === null || incomingData === null) return { kind: "store", record: next(text), conflicts: 1 };
  const { data, conflicts } = mergeData(baseData, currentData, incomingData);
  return { kind: "store", record: next(JSON.stringify(data)), conflicts };
}

/** Compare and set: `current` is null where nothing is there, or it has expired. */
export function put(current: SessionRecord | null, incoming: Omit<IncomingWrite, "baseText">, versionFloor: number): PutOutcome {
  const { id, base, expiresAtMs, text } = incoming;
  if (current?.writes.includes(id) === true) return { kind: "stored-already", record: current };
  if (!isCurrent(current, base)) return { kind: "stale" };
  const version = Math.max(versionFloor, current?.version ?? 0) + 1;
  const writes = [...(current?.writes ?? []), id].slice(-writesMax);
  return { kind: "store", record: { version, expiresAtMs, tombstone: false, text, writes }, conflicts: 0 };
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
