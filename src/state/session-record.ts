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
}

export interface IncomingWrite {
  readonly base: number;
  readonly expiresAtMs: number | null;
  readonly text: string;
  /** The base's text, if it came with the write. */
  readonly baseText: string | null;
}

export type WriteOutcome =
  | { readonly kind: "store"; readonly record: SessionRecord; readonly merged: boolean; readonly conflicts: number }
  /** The same write came again (its acknowledgement was lost): it is stored already. */
  | { readonly kind: "stored-already"; readonly version: number }
  | { readonly kind: "base-wanted" }
  | { readonly kind: "dropped" };

/** The version that a write names if it was made without reading: it replaces whatever is there. */
export const anyBase = -1;

export function hasExpired(record: SessionRecord, nowMs: number): boolean {
  return record.expiresAtMs !== null && record.expiresAtMs <= nowMs;
}

export function write(current: SessionRecord | null, incoming: IncomingWrite, nowMs: number, versionFloor: number): WriteOutcome {
  const { base, expiresAtMs, text, baseText } = incoming;
  if (current === null || hasExpired(current, nowMs)) {
    const version = Math.max(base, versionFloor, current?.version ?? 0) + 1;
    return { kind: "store", record: { version, expiresAtMs, tombstone: false, text }, merged: false, conflicts: 0 };
  }
  if (current.tombstone) return { kind: "dropped" };
  if (current.version === base || base === anyBase) {
    return { kind: "store", record: { version: current.version + 1, expiresAtMs, tombstone: false, text }, merged: false, conflicts: 0 };
  }
  if (current.version === base + 1 && current.text === text) return { kind: "stored-already", version: current.version };
  if (base > 0 && baseText === null) return { kind: "base-wanted" };
  const baseData = baseText === null ? {} : parse(baseText);
  const currentData = parse(current.text);
  const incomingData = parse(text);
  const version = current.version + 1;
  // Not objects (a store may be given anything): there is nothing to merge by key, the later one stands.
  if (baseData === null || currentData === null || incomingData === null) {
    return { kind: "store", record: { version, expiresAtMs, tombstone: false, text }, merged: false, conflicts: 1 };
  }
  const { data, conflicts } = mergeData(baseData, currentData, incomingData);
  return { kind: "store", record: { version, expiresAtMs, tombstone: false, text: JSON.stringify(data) }, merged: true, conflicts };
}

function parse(text: string): Data | null {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Data) : null; // checked beside
  } catch {
    return null;
  }
}
