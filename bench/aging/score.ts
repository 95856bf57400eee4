/**
 * Scores by family. In time: decided after the onset and at least ten minutes before exhaustion, in lives of under three
 * hours a twentieth of the life (ten minutes of twenty could not be asked). Waste: the share of life left at the decision. Forecasts at points at which the leak has run for a tenth of its life: the relative error of
 * the middle has one vote a trace, the median of its points (where it is silent, without bound); coverage and width of the 90 % interval are of all points.
 */
import type { Outcome } from "./outcome.ts";

const leadMs = 10 * 60_000;
const shortLifeMs = 3 * 3_600_000;
const shortLeadShare = 0.05;

export interface Score {
  readonly traces: number;
  readonly inTime: number;
  readonly decided: number;
  readonly wasteMean: number;
  readonly lifeUsedP5: number;
  readonly issued: number;
  readonly errorMedian: number;
  readonly errorP90: number;
  readonly coverage: number;
  /** Median of (high − low) / true. */
  readonly width: number;
  readonly heldShare: number;
  /** Share of life since onset at which a trend was held. */
  readonly heldAtMedian: number;
  readonly heldAtP95: number;
}

export function isInTime({ onsetMs, exhaustionMs, decidedAtMs }: Outcome, neededMs = leadMs): boolean {
  if (decidedAtMs === null || exhaustionMs === null || decidedAtMs < onsetMs) return false;
  return exhaustionMs - decidedAtMs >= (exhaustionMs < shortLifeMs ? shortLeadShare * exhaustionMs : neededMs);
}

export function score(outcomes: readonly Outcome[]): Score {
  const used = outcomes.flatMap(({ exhaustionMs, decidedAtMs }) =>
    exhaustionMs === null || decidedAtMs === null ? [] : [Math.min(decidedAtMs / exhaustionMs, 1)],
  );
  const pointsOf = ({ onsetMs, exhaustionMs, forecasts }: Outcome) => {
    const end = exhaustionMs ?? 0;
    return forecasts.filter(({ life }) => life * end >= onsetMs + 0.1 * (end - onsetMs) || onsetMs === 0);
  };
  const points = outcomes.flatMap(pointsOf);
  const issued = points.flatMap(({ said, trueMs }) => (said === null || said.mid === null ? [] : [{ ...said, mid: said.mid, trueMs }]));
  const errors = outcomes.flatMap((outcome) => {
    const own = pointsOf(outcome).map(({ said, trueMs }) => Math.abs((said?.mid ?? Number.POSITIVE_INFINITY) - trueMs) / trueMs);
    return own.length === 0 ? [] : [at(own, 0.5)];
  });
  const covered = points.filter(({ said, trueMs }) => said !== null && said.low <= trueMs && trueMs <= (said.high ?? trueMs));
  const heldAt = outcomes.flatMap(({ onsetMs, exhaustionMs, heldAtMs }) =>
    exhaustionMs === null ? [] : [heldAtMs === null ? 1 : Math.max((heldAtMs - onsetMs) / (exhaustionMs - onsetMs), 0)],
  );
  return {
    traces: outcomes.length,
    inTime: outcomes.filter((one) => isInTime(one)).length / outcomes.length,
    decided: outcomes.filter(({ decidedAtMs }) => decidedAtMs !== null).length,
    wasteMean: mean(used.map((share) => 1 - share)),
    lifeUsedP5: at(used, 0.05),
    issued: issued.length / Math.max(points.length, 1),
    errorMedian: at(errors, 0.5),
    errorP90: at(errors, 0.9),
    coverage: covered.length / Math.max(points.length, 1),
    width: at(
      issued.map(({ low, high, trueMs }) => ((high ?? Number.POSITIVE_INFINITY) - low) / trueMs),
      0.5,
    ),
    heldShare: mean(outcomes.map(({ heldMs, endMs }) => heldMs / Math.max(endMs, 1))),
    heldAtMedian: at(heldAt, 0.5),
    heldAtP95: at(heldAt, 0.95),
  };
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function at(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => (a === b ? 0 : a - b));
  return sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)] ?? Number.NaN;
}
