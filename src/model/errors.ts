/**
 * The one error class of Coppice. Its `code` is API: callers branch on it, documents list it.
 * Expected outcomes are return values; an error is for what a caller must not overlook.
 */

/** Every code that Coppice throws; each has a row in docs/errors.md. */
export type ErrorCode =
  | "COPPICE_INVARIANT"
  | "COPPICE_ARGUMENT"
  | "COPPICE_SETTING"
  | "COPPICE_FRAME"
  | "COPPICE_CLUSTER_RUNNING"
  | "COPPICE_CLUSTER_NOT_RUNNING"
  | "COPPICE_OLDER_CLUSTER"
  | "COPPICE_HOME_UNUSABLE"
  | "COPPICE_UNKNOWN_NODE"
  | "COPPICE_RELOAD_RUNNING"
  | "COPPICE_START_FAILED"
  | "COPPICE_STOP_FAILED";

export interface ErrorDetails {
  /** Facts for logs and JSON; never a secret, never a session identifier. */
  readonly facts?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
  /** True if the same call may succeed later without anybody changing anything. */
  readonly retryable?: boolean;
}

export class CoppiceError extends Error {
  readonly code: ErrorCode;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "CoppiceError";
    this.code = code;
    this.facts = details.facts ?? {};
    this.retryable = details.retryable ?? false;
  }
}

/** What was thrown, in words: anything may be. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** An invariant of our own, checked in production too. Never for outside input. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new CoppiceError("COPPICE_INVARIANT", `invariant broken: ${message}`);
}
