/**
 * Fusion of evidence: what a second indicator that agrees, or a control group that does not rise, adds to the odds
 * that growth goes on. Odds would multiply if the two were independent; they never are quite (a heap is part of
 * resident memory), so the second counts for a part only, the less the nearer of kin it is. Never against: an
 * indicator that stays flat says nothing of another's leak.
 */
import type { Indicator } from "../model/sample.ts";

const kinds: readonly (readonly [string, RegExp])[] = [
  ["memory", /^(heap|external|arrayBuffers|rss)/],
  ["handles", /^(openFds|activeHandles|threads)$/],
  ["performance", /^(latencyP99Ms|gcTimeRatio|eventLoopDelayP99Ms)$/],
];
/** Parts of the logarithm of the odds. */
const strangerShare = 0.5;
const kinShare = 0.25;
/** None is believed more than this. */
const surest = 0.98;

export function kindOf(indicator: Indicator): string {
  return kinds.find(([, pattern]) => pattern.test(indicator))?.[0] ?? indicator;
}

export interface Support {
  readonly indicator: Indicator;
  /** 0..1: its own chance to grow. */
  readonly growsRatio: number;
}

/** @param support indicators in which a trend is held too; only the strongest counts. */
export function fuse(indicator: Indicator, growsRatio: number, support: readonly Support[]): number {
  const added = support.reduce((most, other) => {
    const share = kindOf(other.indicator) === kindOf(indicator) ? kinShare : strangerShare;
    return other.indicator === indicator ? most : Math.max(most, share * logOdds(other.growsRatio));
  }, 0);
  if (added === 0) return growsRatio;
  return Math.max(growsRatio, 1 / (1 + Math.exp(-(logOdds(growsRatio) + added))));
}

function logOdds(ratio: number): number {
  const bounded = Math.min(Math.max(ratio, 1 - surest), surest);
  return Math.log(bounded / (1 - bounded));
}
