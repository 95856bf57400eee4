/** Synthetic series for the tests of the aging model: seeded, so that a failure repeats. */
import { AgingModel } from "../../src/aging/model.ts";
import type { AgingReport } from "../../src/model/report.ts";
import type { Sample } from "../../src/model/sample.ts";

export const mebibyte = 1024 * 1024;
export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;

/** mulberry32, then Box and Muller. */
export function normals(seed: number): () => number {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

export interface Series {
  readonly rows: number;
  readonly rowMs: number;
  readonly limit: number;
  /** The floor at a row, without noise, by the share of the series. */
  readonly floor: (share: number) => number;
  readonly noise: number;
  readonly seed?: number;
  readonly requestsPerRow?: (share: number) => number;
}

export function samplesOf({ rows, rowMs, limit, floor, noise, seed = 1, requestsPerRow }: Series): Sample[] {
  const normal = normals(seed);
  let requestsTotal = 0;
  return Array.from({ length: rows }, (_, at) => {
    const share = at / rows;
    requestsTotal += Math.round(requestsPerRow?.(share) ?? 100);
    return {
      atMs: 1_000_000 + at * rowMs,
      requestsTotal,
      indicators: { heapAfterGcBytes: Math.max(Math.round(floor(share) + noise * normal()), 0) },
      limits: { heapAfterGcBytes: limit },
    };
  });
}

export interface Course {
  readonly last: AgingReport;
  readonly heldAt: number | null;
  readonly agingAt: number | null;
  readonly reports: readonly AgingReport[];
}

/** Shares of the series at which a trend was first held, and at which it was first called aging. */
export function follow(samples: readonly Sample[], horizonMs = 30 * minuteMs): Course {
  const model = new AgingModel({ horizonMs });
  const reports = samples.map((sample) => {
    model.add(sample);
    return model.report(sample.atMs);
  });
  const first = (verdicts: readonly string[]) => {
    const at = reports.findIndex(({ verdict }) => verdicts.includes(verdict));
    return at === -1 ? null : at / samples.length;
  };
  const last = reports.at(-1);
  if (last === undefined) throw new Error("no samples");
  return { last, heldAt: first(["attention", "aging"]), agingAt: first(["aging"]), reports };
}
