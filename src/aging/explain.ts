/** The report's sentences: what an operator reads of a trend. */
import type { Trend } from "../model/report.ts";

const names: Readonly<Record<string, string>> = {
  heapAfterGcBytes: "the heap after collection",
  externalBytes: "memory outside the heap",
  rssBytes: "resident memory",
  openFds: "the number of open descriptors",
};

export function describeTrend({ indicator, floor, limit, slopePerHour, slopePerThousandRequests, exhaustionInMs }: Trend): string {
  const name = names[indicator] ?? indicator;
  const show = (value: number) => amount(indicator, value);
  const perRequest = slopePerThousandRequests === undefined ? "" : `, ${show(slopePerThousandRequests.mid)} per 1,000 requests`;
  const grows = `${name} grows ${show(slopePerHour.mid)} an hour (90 %: ${show(slopePerHour.low)} to ${show(slopePerHour.high)})${perRequest}, now ${show(floor)}`;
  if (limit === undefined || exhaustionInMs === null) return grows;
  return `${grows}; it meets its limit of ${show(limit)} in ${time(exhaustionInMs.mid)} (${time(exhaustionInMs.low)} to ${time(exhaustionInMs.high)})`;
}

/** Why a trend that is held is not called aging. */
export function describeAgainst({ exhaustionInMs }: Trend, horizonMs: number, matters: boolean, steady: boolean): string[] {
  const against: string[] = [];
  if (exhaustionInMs === null) against.push("it has no limit to meet");
  else if (exhaustionInMs.mid > horizonMs) against.push(`it meets its limit later than the horizon of ${time(horizonMs)}`);
  if (!matters) against.push("it has risen too little to matter yet");
  if (!steady) against.push("it is flattening, as a warm-up or a cache that fills does");
  return against;
}

function amount(indicator: string, value: number): string {
  if (!indicator.endsWith("Bytes")) return value.toFixed(Math.abs(value) < 10 ? 1 : 0);
  const size = Math.abs(value);
  if (size < 1024 * 1024) return `${(value / 1024).toFixed(1)} KiB`;
  if (size < 1024 ** 3) return `${(value / 1024 ** 2).toFixed(0)} MiB`;
  return `${(value / 1024 ** 3).toFixed(1)} GiB`;
}

function time(ms: number): string {
  if (!Number.isFinite(ms)) return "never";
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}
