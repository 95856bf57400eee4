/** The targets, and what was reached: one row each, missed ones said. */
import type { Cost } from "./cost.ts";
import type { Outcome } from "./outcome.ts";
import { type Score, score } from "./score.ts";

const percent = (x: number) => `${(100 * x).toFixed(1)} %`;

export function targetTable(outcomes: readonly Outcome[], cost: Cost): string {
  const aging = outcomes.filter(({ ages }) => ages);
  const seen = aging.filter(({ unseen }) => !unseen);
  const unseen = aging.filter((one) => one.unseen);
  const alike = outcomes.filter(({ ages }) => !ages);
  const under = alike.filter(({ highestRatio }) => highestRatio < 0.85);
  const above = alike.filter(({ highestRatio }) => highestRatio >= 0.85);
  const decided = (some: readonly Outcome[]) => some.filter(({ decidedAtMs }) => decidedAtMs !== null).length;
  const names = (some: readonly Outcome[]) => [...new Set(some.map(({ family }) => family))];
  const of = (name: string) => score(outcomes.filter(({ family }) => family === name));
  const worst = (some: readonly Outcome[], by: (s: Score) => number) =>
    names(some)
      .map((name) => ({ name, value: by(score(some.filter(({ family }) => family === name))) }))
      .sort((a, b) => a.value - b.value);
  const all = score(aging);
  const right = aging.filter(({ onsetMs, decidedAtMs }) => decidedAtMs !== null && decidedAtMs >= onsetMs).length;
  const precision = right / Math.max(decided(outcomes), 1);
  const plain = seen.filter(({ family }) => family !== "stepwise");
  const slowest = worst(plain, ({ inTime }) => inTime)[0];
  const attention = worst(alike, ({ heldShare }) => heldShare).at(-1);
  const rows: (readonly [string, string, string, boolean])[] = [];
  const row = (measure: string, target: string, reached: string, met: boolean) => rows.push([measure, target, reached, met]);
  const inTimeSeen = score(seen).inTime;
  row("decided in time, tuned families", "≥ 98 %", percent(inTimeSeen), inTimeSeen >= 0.98);
  row("the same, worst family but stepwise", "≥ 95 %", `${percent(slowest?.value ?? 0)} (${slowest?.name})`, (slowest?.value ?? 0) >= 0.95);
  row("the same, stepwise", "≥ 90 %", percent(of("stepwise").inTime), of("stepwise").inTime >= 0.9);
  row("decided in time, unseen families", "≥ 98 %", percent(score(unseen).inTime), score(unseen).inTime >= 0.98);
  row("precision", "≥ 99 %", percent(precision), precision >= 0.99);
  row("look-alikes under 85 % of the limit, regenerated", "0", `${decided(under)} of ${under.length}`, decided(under) === 0);
  row(
    "those above 85 %",
    "≤ 5 %",
    `${percent(decided(above) / above.length)} (${decided(above)} of ${above.length})`,
    decided(above) <= 0.05 * above.length,
  );
  row(
    "waste, mean; life used, p5",
    "≤ 5 %; ≥ 85 %",
    `${percent(all.wasteMean)}; ${percent(all.lifeUsedP5)}`,
    all.wasteMean <= 0.05 && all.lifeUsedP5 >= 0.85,
  );
  const error = (measure: string, families: readonly string[], median: number, p90: number) => {
    const s = score(outcomes.filter(({ family }) => families.includes(family)));
    const reached = `${(100 * s.errorMedian).toFixed(1)} / ${(100 * s.errorP90).toFixed(0)} %`;
    const target = Number.isFinite(p90) ? `${100 * median} / ${100 * p90} %` : `≤ ${100 * median} %`;
    row(`time to exhaustion, median / p90: ${measure}`, target, reached, s.errorMedian <= median && s.errorP90 <= p90);
  };
  error("linear, accelerating, slow and noisy", ["linear", "accelerating", "slow and noisy"], 0.02, 0.08);
  error("per request, descriptors", ["per request", "descriptors"], 0.02, 0.1);
  error("begins midway", ["begins midway"], 0.03, 0.08);
  error("only under load", ["under load"], 0.05, 0.25);
  error("stepwise", ["stepwise"], 0.35, Number.POSITIVE_INFINITY);
  error("unseen shapes", names(unseen), 0.08, 0.5);
  const [covers, coversUnseen] = [score(seen).coverage, score(unseen).coverage];
  row("90 % interval covers, tuned families", "88–95 %", percent(covers), covers >= 0.88 && covers <= 0.95);
  row("the same, unseen families", "≥ 80 %", percent(coversUnseen), coversUnseen >= 0.8);
  const held = score(alike).heldShare;
  row("time in attention, look-alikes", "≤ 1 %", percent(held), held <= 0.01);
  row("the same, worst family", "≤ 5 %", `${percent(attention?.value ?? 0)} (${attention?.name})`, (attention?.value ?? 0) <= 0.05);
  row(
    "trend held, share of life since onset, median; p95",
    "≤ 20 %; ≤ 60 %",
    `${percent(all.heldAtMedian)}; ${percent(all.heldAtP95)}`,
    all.heldAtMedian <= 0.2 && all.heldAtP95 <= 0.6,
  );
  row("cost of an indicator-second at 1 Hz, first day", "≤ 2 µs", `${cost.microseconds.toFixed(1)} µs`, cost.microseconds <= 2);
  row("state of an indicator", "≤ 4,096 bytes", `${cost.stateBytes} bytes`, cost.stateBytes <= 4_096);
  const lines = rows.map(([measure, target, reached, met]) => `| ${measure} | ${target} | ${reached} | ${met ? "yes" : "**no**"} |`);
  return `| measure | target | reached | met |\n|---|---|---|---|\n${lines.join("\n")}`;
}
