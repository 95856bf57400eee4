/**
 * The session protocol, instance ↔ replicator. Requests carry a number `n` that the
 * answer repeats; requests of one connection are executed in order. The session's data travels as
 * the frame's body: the JSON text that the application's store was given, as UTF-8.
 *
 * A version is a positive integer. The base of a write made without reading is -1: it replaces whatever
 * is there (an application that calls its store itself; `anyBase`). So does 0 (`absentBase`), the base of a session that was
 * made anew, and it does so where its identifier's last one was destroyed. Time to live is absolute
 * (`expiresAtMs`), by the clock of the host; null means that the record does not expire.
 */

/** Names a store: the applications' stores of one cluster are kept apart by it. */
export type StoreName = string;
export type SessionId = string;

export type SessionRequest = {
  readonly n: number;
  readonly store: StoreName;
} /** Answered `unchanged` if `version` is current, else `record` (body: data) or `absent`. */ & (
  | { readonly kind: "read"; readonly id: SessionId; readonly version?: number }
  /**
   * Body: data. Stored as version + 1 if `base` is current. If it is not, and `baseLength` is absent,
   * answered `base-wanted`: the instance repeats the write with the base's data in front of the new
   * data (`baseLength` bytes), and the replicator merges by top-level key.
   */
  | {
      readonly kind: "write";
      readonly id: SessionId;
      readonly base: number;
      readonly baseLength?: number;
      readonly expiresAtMs: number | null;
    }
  /**
   * Of the application's own maps (`coppice/state`). Body: data. Stored as the next version if `base` is the current one
   * (0: if nothing is there; -1: whatever is there); if it is not, answered `stale`. Nothing is merged.
   */
  | { readonly kind: "put"; readonly id: SessionId; readonly base: number; readonly expiresAtMs: number | null }
  /** Nothing is there any more, by the same rule: another `put` may follow. Answered `done`, `absent`, or `stale`. */
  | { readonly kind: "remove"; readonly id: SessionId; readonly base: number }
  /** Moves the expiry only; answered `done`, or `absent`. Where `version`, which it was made from, is not current, no expiry is shortened. */
  | { readonly kind: "touch"; readonly id: SessionId; readonly expiresAtMs: number | null; readonly version?: number }
  /** Leaves a tombstone until the expiry: a later write is dropped (answered `dropped`), but a new session's. */
  | { readonly kind: "destroy"; readonly id: SessionId }
  | { readonly kind: "count" }
  | { readonly kind: "clear" }
  /** Every live record of the store: one `record` frame each, then `done`. */
  | { readonly kind: "all" }
);

export type SessionAnswer = { readonly n: number } & (
  | { readonly kind: "unchanged"; readonly expiresAtMs: number | null }
  /** Body: data. */
  | { readonly kind: "record"; readonly id: SessionId; readonly version: number; readonly expiresAtMs: number | null }
  | { readonly kind: "absent" }
  /** The write is durable against process death. `merged`: the stored data is the body, not what was sent. */
  | { readonly kind: "written"; readonly version: number; readonly merged: boolean; readonly conflicts: number }
  | { readonly kind: "base-wanted" }
  /** Another one came between: what is there now. Body: data; version 0: nothing is there. */
  | { readonly kind: "stale"; readonly version: number; readonly expiresAtMs: number | null }
  /** The session was destroyed before this write: nothing was stored. */
  | { readonly kind: "dropped" }
  | { readonly kind: "done" }
  | { readonly kind: "counted"; readonly sessions: number }
  /** The instance was revoked, or the request is not understood. Final. */
  | { readonly kind: "refused"; readonly reason: string }
  /** The store failed (disk full ...); the write is not acknowledged. */
  | { readonly kind: "failed"; readonly reason: string }
);
