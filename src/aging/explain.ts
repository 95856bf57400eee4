/** The report's sentences: what an operator reads of a trend. */
import type { Trend } from "../model/report.ts";
import type { PeerOpinion } from "./peers.ts";

const names: Readonly<Record<string, string>> = {
  heapAfterGcBytes: "the heap after collection",
  externalBytes: "memory outside the heap",
  rssBytes: "resident memory",
  heapUsedBytes: "the used heap",
  openFds: "the number of open descriptors",
  activeHandles: "the number of active handles",
  latencyP99Ms: "latency at the same load",
  gcTimeRatio: "the collector's share of time at the same load",
  eventLoopDelayP99Ms: "the event loop's delay at the same load",
};

export function describeTrend(trend: Trend, shape: string): string {
  const { indicator, floor, limit, slopePerHour, slopePerThousandRequests, exhaustionInMs } = trend;
  const name = names[indicator] ?? indicator;
  const show = (value: number) => amount(indicator, value);
  const perRequest = slopePerThousandRequests === undefined ? "" : `, ${show(slopePerThousandRequests.mid)} per 1,000 requests`;
  const interval = `(90 %: ${show(slopePerHour.low)} to ${show(slopePerHour.high)})`;
  const grows = `${name} grows ${shape}, now ${show(slopePerHour.mid)} an hour ${interval}${perRequest}; it is at ${show(floor)}`;
  if (limit === undefined || exhaustionInMs === null) return grows;
  const range = `(90 %: ${time(exhaustionInMs.low)} to ${time(exhaustionInMs.high)})`;
  return `${grows} and meets its limit of ${show(limit)} in ${time(exhaustionInMs.mid)} ${range}`;
}

/** Why a trend that is held is not called aging. */
export function describeAgainst({ exhaustionInMs, floor, limit }: Trend, horizonMs: number): string[] {
  if (exhaustionInMs === null || limit === undefined) return ["it has no limit to meet"];
  const against: string[] = [];
  if (exhaustionInMs.mid > horizonMs) against.push(`it meets its limit later than the horizon of ${time(horizonMs)}`);
  if (exhaustionInMs.high === Number.POSITIVE_INFINITY) against.push("it may settle before, as a warm-up or a cache that fills does");
  if (floor < 0.5 * limit) against.push(`it is at ${Math.round((100 * floor) / limit)} % of the limit`);
  if (against.length === 0) against.push("it is not yet near enough to be worth a regeneration");
  return against;
}

/** One that stands this share of its level above its peers rises alone. */
const aloneRatio = 0.15;

/** What a control group of the same release and age says. */
export function describePeers({ indicator, floor }: Trend, peers: PeerOpinion | null): { for: string[]; against: string[] } {
  if (peers === null || peers.median === null) return { for: [], against: [] };
  const { peers: count, median, settledAt } = peers;
  const who = count === 1 ? "the one peer of the same release" : `${count} peers of the same release`;
  if (settledAt !== null) {
    return { for: [], against: [`${who} rose like it to this age and then settled, at ${amount(indicator, settledAt)} at most`] };
  }
  const stood = `at this age ${who} stood at ${amount(indicator, median)}`;
  return { for: [floor - median > aloneRatio * floor ? `it rises alone: ${stood}` : `its peers rise like it: ${stood}`], against: [] };
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
