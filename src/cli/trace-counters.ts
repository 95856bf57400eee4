/**
 * Counters by Prometheus's conventions. They go up for as long as their process lives: judged as gauges they would be trends for
 * ever, and hide the columns beside them that have no limit. Those that count requests are the work that the model goes by.
 */
import { withoutLabels } from "../aging/amounts.ts";

/** Without a number where it has none for that time. */
export interface Reading {
  readonly atMs: number;
  readonly value: number;
}

export function isCounterName(name: string): boolean {
  return /_(?:total|count|sum|bucket)$/.test(withoutLabels(name));
}

/** Gauges of Node's usual client that are named like counters: a leak of handles may only rise. */
const namedLikeCounters = /^nodejs_active_\w+_total$/;

/** It never falls but where its process begins anew, from little; what counts requests may have served as many again by its next reading. */
export function isCounter(name: string, readings: readonly Reading[]): boolean {
  if (!isCounterName(name) || namedLikeCounters.test(name)) return false;
  if (countsRequests(name)) return true;
  return readings.every(({ value }, at) => {
    const before = readings[at - 1]?.value ?? 0;
    return value >= before || value < before / 2;
  });
}

/** `http_requests_total`, or the count of a histogram of how long requests took. */
export function countsRequests(name: string): boolean {
  return /(?:^|_)requests_total$|(?:^|_)requests?_duration_\w+_count$/.test(name);
}

/**
 * The work of all series of one process, by route and status as they are: one that has no reading stays at its last; where one
 * falls, the process began anew, and the sum with it.
 * @returns one reading for each time, in order.
 */
export function summed(series: readonly (readonly Reading[])[]): Reading[] {
  const all = series.flatMap((readings, which) => readings.map((reading) => ({ ...reading, which })));
  all.sort((a, b) => a.atMs - b.atMs);
  const last = new Map<number, number>();
  const sums: Reading[] = [];
  for (let begin = 0, end = 0; begin < all.length; begin = end) {
    const atMs = all[begin]?.atMs ?? 0;
    while (all[end]?.atMs === atMs) end += 1;
    const now = all.slice(begin, end);
    if (now.some(({ which, value }) => value < (last.get(which) ?? 0))) last.clear();
    for (const { which, value } of now) last.set(which, value);
    sums.push({ atMs, value: [...last.values()].reduce((sum, value) => sum + value, 0) });
  }
  return sums;
}
