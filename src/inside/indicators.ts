/**
 * Indicators from inside: heap, collector, event loop. A reading costs some tens of microseconds, once a
 * sample; the dear one (active handles) is taken each tenth time.
 */
import { monitorEventLoopDelay, type PerformanceEntry, PerformanceObserver, performance } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { Sample } from "../model/sample.ts";
import { heapLimitBytes } from "./heap-limit.ts";

const majorCollection = 4; // perf_hooks.constants.NODE_PERFORMANCE_GC_MAJOR
const delayResolutionMs = 100;
const handlesEvery = 10;

export class Indicators {
  readonly #delay = monitorEventLoopDelay({ resolution: delayResolutionMs });
  #utilisation = performance.eventLoopUtilization();
  #gcMs = 0;
  #sampledAtMs = performance.now();
  #floorBytes: number | null = null;
  #floorAtMs = 0;
  #samples = 0;
  #handles: number | null = null;

  constructor() {
    this.#delay.enable();
    new PerformanceObserver((list) => this.#collected(list.getEntries())).observe({ entryTypes: ["gc"] });
  }

  sample(nowMs: number, requestsTotal: number): Sample {
    const monotonicMs = performance.now();
    const elapsedMs = Math.max(monotonicMs - this.#sampledAtMs, 1);
    const utilisation = performance.eventLoopUtilization();
    const since = performance.eventLoopUtilization(utilisation, this.#utilisation);
    if (this.#samples % handlesEvery === 0) this.#handles = countHandles();
    this.#samples += 1;
    const sample: Sample = {
      atMs: nowMs,
      requestsTotal,
      ...(this.#floorBytes === null ? {} : { heapAfterGcAtMs: this.#floorAtMs }),
      indicators: {
        ...memoryInUse(),
        eventLoopDelayP99Ms: Math.max(this.#delay.percentile(99) / 1e6 - delayResolutionMs, 0),
        eventLoopUtilisationRatio: since.utilization,
        gcTimeRatio: this.#gcMs / elapsedMs,
        ...(this.#handles === null ? {} : { activeHandles: this.#handles }),
        ...(this.#floorBytes === null ? {} : { heapAfterGcBytes: this.#floorBytes }),
      },
      limits: { heapAfterGcBytes: heapLimitBytes, heapUsedBytes: heapLimitBytes },
    };
    this.#delay.reset();
    this.#gcMs = 0;
    this.#sampledAtMs = monotonicMs;
    this.#utilisation = utilisation;
    return sample;
  }

  /**
   * Entries come in a task of their own, soon after the collection: what was allocated in between is in
   * the floor too. It is at most one turn's garbage, little against a heap that leaks.
   */
  #collected(entries: readonly PerformanceEntry[]): void {
    let major = false;
    for (const entry of entries) {
      this.#gcMs += entry.duration;
      major ||= (entry as PerformanceEntry & { detail?: { kind?: number } }).detail?.kind === majorCollection; // gc entries carry it
    }
    if (!major) return;
    this.#floorBytes = getHeapStatistics().used_heap_size;
    this.#floorAtMs = Date.now();
  }
}

/** Node opens a file for it, and throws where no descriptor is left: that is the application's trouble, and must not be its end. */
function memoryInUse(): Sample["indicators"] {
  try {
    const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
    return { heapUsedBytes: heapUsed, externalBytes: external, arrayBuffersBytes: arrayBuffers, rssBytes: rss };
  } catch {
    const { used_heap_size: heapUsedBytes, external_memory: externalBytes } = getHeapStatistics();
    return { heapUsedBytes, externalBytes };
  }
}

function countHandles(): number | null {
  return typeof process.getActiveResourcesInfo === "function" ? process.getActiveResourcesInfo().length : null;
}
