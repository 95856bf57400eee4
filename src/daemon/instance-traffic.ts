/**
 * What all forwarders together say of an instance. Each counts from its own start, so what its counts have
 * grown by is added up: one that ended takes nothing back, and a new one begins at nothing. Quantiles cannot
 * be added up: the highest is given, which the one of all requests together never exceeds.
 */
import type { UpstreamTraffic } from "../model/routes.ts";

const counts = ["requestsTotal", "serverErrorsTotal", "resentTotal", "failedTotal"] as const;
export const noCounts: Readonly<TrafficCounts> = { requestsTotal: 0, serverErrorsTotal: 0, resentTotal: 0, failedTotal: 0 };

export type TrafficCounts = Record<(typeof counts)[number], number>;
export type TrafficLatencies = Pick<UpstreamTraffic, "latencyP50Ms" | "latencyP99Ms">;

export class InstanceTraffic {
  readonly counts: TrafficCounts = { ...noCounts };
  readonly #counted = new Map<string, TrafficCounts>();
  readonly #latencies = new Map<string, TrafficLatencies>();

  heard(forwarder: string, traffic: UpstreamTraffic): void {
    const last = this.#counted.get(forwarder) ?? noCounts;
    const before = traffic.requestsTotal < last.requestsTotal ? noCounts : last;
    for (const count of counts) this.counts[count] += traffic[count] - before[count];
    this.#counted.set(forwarder, traffic);
    this.#latencies.set(forwarder, traffic);
  }

  /** It measures nothing any more. Its counts stay known: it may only have lost its connection. */
  gone(forwarder: string): void {
    this.#latencies.delete(forwarder);
  }

  /** Absent while no forwarder knows the instance: it may serve in a way that nobody counts. */
  get requestsTotal(): number | undefined {
    return this.#counted.size === 0 ? undefined : this.counts.requestsTotal;
  }

  /** Of the requests that ended in the last second or so; absent if none did. */
  get latencyP50Ms(): number | undefined {
    return this.#highest("latencyP50Ms");
  }

  get latencyP99Ms(): number | undefined {
    return this.#highest("latencyP99Ms");
  }

  #highest(quantile: keyof TrafficLatencies): number | undefined {
    const known = [...this.#latencies.values()].flatMap(({ [quantile]: ms }) => (ms === undefined ? [] : [ms]));
    return known.length === 0 ? undefined : Math.max(...known);
  }
}
