/**
 * Samples: what is measured of one instance at one time, with the work done beside it.
 * An indicator that could not be read is absent; "no reading counts as a bad reading" is for the
 * model to say, which sees its absence.
 */

/** Indicators that Coppice measures itself. Any other name is a gauge where more is worse. */
export const knownIndicators = [
  "heapAfterGcBytes",
  "heapUsedBytes",
  "externalBytes",
  "arrayBuffersBytes",
  "rssBytes",
  "openFds",
  "threads",
  "activeHandles",
  "eventLoopDelayP99Ms",
  "eventLoopUtilisationRatio",
  "gcTimeRatio",
  "cpuRatio",
  "latencyP99Ms",
] as const;

export type Indicator = (typeof knownIndicators)[number] | (string & {});

export interface Sample {
  /** Time of the measurement, milliseconds since the epoch. */
  readonly atMs: number;
  /** Requests that the instance has served since its start; counts up, starts again at 0 after a restart. */
  readonly requestsTotal?: number;
  /** When the process began, where a recording says it: a later one is a new life. An instance of ours is one process. */
  readonly startedAtMs?: number;
  /**
   * Readings. `heapAfterGcBytes` is sample-and-hold of the last *major* collection: with
   * `heapAfterGcAtMs` the reader tells a new floor point from an old one.
   */
  readonly indicators: Readonly<Partial<Record<Indicator, number>>>;
  /** When the last major collection ended; absent before the first. */
  readonly heapAfterGcAtMs?: number;
  /** What each indicator exhausts at, same unit and scope; absent where there is no limit. */
  readonly limits: Readonly<Partial<Record<Indicator, number>>>;
}
