/**
 * The settings' type. Default, range and documentation of each are declared once, in
 * src/config/. Durations are milliseconds, sizes are bytes, ratios are 0..1.
 */
export interface Settings {
  readonly sampleIntervalMs: number;
  readonly drainTimeoutMs: number;
  readonly killTimeoutMs: number;
  readonly startTimeoutMs: number;
  /** 0: never. */
  readonly stuckTimeoutMs: number;
  readonly minReadyMs: number;
  readonly slowStartMs: number;
  readonly quietMs: number;
  readonly fenceTimeoutMs: number;
  readonly handOffTimeoutMs: number;
  readonly evidenceTimeoutMs: number;
  readonly minRegenerationIntervalMs: number;
  readonly maxConsecutiveFailures: number;
  /** 0: as old as it gets. */
  readonly maxAgeMs: number;
  /** 0: as many as come. */
  readonly maxRequests: number;
  /** `indicator:level`. */
  readonly watermarks: readonly string[];
  readonly probationMs: number;
  readonly releaseWatchMs: number;
  readonly horizonMs: number;
  readonly parkTimeoutMs: number;
  readonly parkedMax: number;
  readonly saveBodyBytesMax: number;
  readonly saveBytesMax: number;
  readonly heldAnswerBytesMax: number;
  readonly headBytesMax: number;
  readonly headTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly connectionsMax: number;
  /** 0: no limit. */
  readonly nodeRequestsMax: number;
  readonly resendWithIdempotencyKey: boolean;
  readonly stopTimeoutMs: number;
  readonly sessionStoreTimeoutMs: number;
  readonly replaceSessionStore: boolean;
  readonly proxyProtocol: boolean;
  /** Addresses and networks (`10.0.0.0/8`) whose X-Forwarded-* are believed. */
  readonly trustProxy: readonly string[];
  readonly affinityCookies: readonly string[];
  readonly restartBackoffMsMin: number;
  readonly restartBackoffMsMax: number;
  readonly crashLoopRestarts: number;
  readonly crashLoopWindowMs: number;
  /** 0: as the container, else the machine. */
  readonly memoryLimitBytes: number;
  readonly mode: "automatic" | "supervised" | "observe";
  /** Times of the week (model/calendar.ts). Empty: any time. */
  readonly maintenanceWindows: readonly string[];
  readonly forbiddenTimes: readonly string[];
  readonly regenerate: "auto" | "replace" | "in-place";
}

export type SettingValue = Settings[keyof Settings];

/** As the command line takes it. */
export function settingText(value: SettingValue): string {
  return typeof value === "object" ? value.join(",") : String(value);
}

/** When a change of a setting acts on a running cluster: on all of it at once, on each instance that is started from then on, or not before its next start. */
export type Acts = "at-once" | "new-instances" | "next-start";
