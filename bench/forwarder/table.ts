/** The numbers as tables: medians, and ratios to HAProxy paired by round, since the machine's speed changes from minute to minute. */
import type { Measured, Window } from "./measure.ts";

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** Median of the rounds' ratios. */
function paired(own: readonly Window[], reference: readonly Window[], of: (window: Window) => number): number {
  return median(own.map((window, round) => of(window) / of(reference[round] ?? window)));
}

export function tableOf({ scenario, windows }: Measured): string {
  const reference = windows.get("HAProxy") ?? [];
  const rate = scenario.shows === "rate";
  const head = rate
    ? ["", "requests/s", "× HAProxy", "CPU µs a request", "CPU × HAProxy", "memory MiB"]
    : ["", "p50 µs", "p99 µs", "p99 × HAProxy", "CPU µs a request", "CPU × HAProxy"];
  const rows = [...windows].map(([name, own]) => {
    const cpu = [median(own.map(({ cpuUs }) => cpuUs)).toFixed(1), paired(own, reference, ({ cpuUs }) => cpuUs).toFixed(2)];
    const errors = own.reduce((sum, window) => sum + window.errors, 0);
    const shown = errors === 0 ? name : `${name} (${errors} errors)`;
    if (!rate) {
      const latency = ({ p99 }: Window) => p99 ?? Number.NaN;
      const quantiles = [median(own.map(({ p50 }) => p50 ?? Number.NaN)).toFixed(0), median(own.map(latency)).toFixed(0)];
      return [shown, ...quantiles, paired(own, reference, latency).toFixed(2), ...cpu];
    }
    const perSecond = ({ requestsPerSecond }: Window) => requestsPerSecond;
    const memory = (median(own.map(({ rssBytes }) => rssBytes)) / 2 ** 20).toFixed(0);
    return [
      shown,
      Math.round(median(own.map(perSecond))).toLocaleString("en"),
      paired(own, reference, perSecond).toFixed(2),
      ...cpu,
      memory,
    ];
  });
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, at) => (at === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}
