/** The targets, and what was reached: one row each, missed ones said. */
import type { Cost } from "./cost.ts";
import type { Outcome } from "./outcome.ts";
import { type Score, score } from "./score.ts";

const percent = (x: number) => `${(100 * x).toFixed(1)} %`;

const twoDaysMs = 2 * 86_400_000;

type Row = readonly [measure: string, target: string, reached: string, met: boolean];

export const decided = (some: readonly Outcome[]) => some.filter(({ decidedAtMs }) => decidedAtMs !== null).length;

export function precisionOf(outcomes: readonly Outcome[]): number {
  const right = outcomes.filter(({ ages, onsetMs, decidedAtMs }) => ages && decidedAtMs !== null && decidedAtMs >= onsetMs).length;
  return right / Math.max(decided(outcomes), 1);
}

/** Those that stay under 85 % of the limit, and the others. */
function byLevel(alike: readonly Outcome[]): readonly [under: readonly Outcome[], above: readonly Outcome[]] {
  return [alike.filter(({ highestRatio }) => highestRatio < 0.85), alike.filter(({ highestRatio }) => highestRatio >= 0.85)];
}

function errors({ errorMedian, errorP90 }: Score): string {
  return `${(100 * errorMedian).toFixed(1)} / ${Number.isFinite(errorP90) ? (100 * errorP90).toFixed(0) : "∞"}`;
}

/** The same targets for the set that was written by one who had not seen the model. */
function independentRows(outcomes: readonly Outcome[]): readonly Row[] {
  const s = score(outcomes.filter(({ ages }) => ages));
  const alike = outcomes.filter(({ ages }) => !ages);
  const [under, above] = byLevel(alike);
  const [precision, held] = [precisionOf(outcomes), score(alike).heldShare];
  const high = `${percent(decided(above) / above.length)} (${decided(above)} of ${above.length})`;
  return [
    ["independent: decided in time", "≥ 98 %", percent(s.inTime), s.inTime >= 0.98],
    ["independent: precision", "≥ 99 %", percent(precision), precision >= 0.99],
    ["independent: look-alikes under 85 %, regenerated", "0", `${decided(under)} of ${under.length}`, decided(under) === 0],
    ["independent: those above 85 %", "≤ 5 %", high, decided(above) <= 0.05 * above.length],
    ["independent: waste, mean", "≤ 5 %", percent(s.wasteMean), s.wasteMean <= 0.05],
    ["independent: time to exhaustion, median / p90", "8 / 50 %", `${errors(s)} %`, s.errorMedian <= 0.08 && s.errorP90 <= 0.5],
    ["independent: 90 % interval covers", "≥ 80 %", percent(s.coverage), s.coverage >= 0.8],
    ["independent: time in attention, look-alikes", "≤ 1 %", percent(held), held <= 0.01],
  ];
}

/** @param known the same traces, by who knows their whole course. */
export function targetTable(all: readonly Outcome[], known: readonly Outcome[], cost: Cost): string {
  const independent = all.filter(({ set }) => set === "independent");
  const outcomes = all.filter(({ set }) => set === "tuned" || set === "unseen");
  const aging = outcomes.filter(({ ages }) => ages);
  const seen = aging.filter(({ set }) => set === "tuned");
  const unseen = aging.filter(({ set }) => set === "unseen");
  const alike = outcomes.filter(({ ages }) => !ages);
  const [under, above] = byLevel(alike);
  const names = (some: readonly Outcome[]) => [...new Set(some.map(({ family }) => family))];
  const of = (name: string) => score(outcomes.filter(({ family }) => family === name));
  const worst = (some: readonly Outcome[], by: (s: Score) => number) =>
    names(some)
      .map((name) => ({ name, value: by(score(some.filter(({ family }) => family === name))) }))
      .sort((a, b) => a.value - b.value);
  const whole = score(aging);
  const precision = precisionOf(outcomes);
  const plain = seen.filter(({ family }) => family !== "stepwise");
  const slowest = worst(plain, ({ inTime }) => inTime)[0];
  const attention = worst(alike, ({ heldShare }) => heldShare).at(-1);
  const rows: Row[] = [];
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
    `${percent(whole.wasteMean)}; ${percent(whole.lifeUsedP5)}`,
    whole.wasteMean <= 0.05 && whole.lifeUsedP5 >= 0.85,
  );
  const errorsOf = (families: readonly string[], of = all) => score(of.filter(({ family }) => families.includes(family)));
  const error = (measure: string, families: readonly string[], median: number, p90: number) => {
    const s = errorsOf(families);
    const calm = errorsOf(families.map((name) => `${name}, calm`));
    const least = errorsOf(families, known);
    const reached = `${errors(s)} %; with a quarter of the noise ${errors(calm)} %; the course known ${errors(least)} %`;
    const target = Number.isFinite(p90) ? `${100 * median} / ${100 * p90} %` : `≤ ${100 * median} %`;
    row(`time to exhaustion, median / p90: ${measure}`, target, reached, s.errorMedian <= median && s.errorP90 <= p90);
  };
  error("linear, accelerating, slow and noisy", ["linear", "accelerating", "slow and noisy"], 0.02, 0.08);
  error("per request, descriptors", ["per request", "descriptors"], 0.02, 0.1);
  error("begins midway", ["begins midway"], 0.03, 0.08);
  error("only under load", ["under load"], 0.05, 0.25);
  const twice = all.filter(({ family, exhaustionMs }) => /^under load(?:, calm)?$/.test(family) && (exhaustionMs ?? 0) >= twoDaysMs);
  const calm = twice.filter(({ set }) => set === "calm").length;
  const s = score(twice);
  row(
    "the same, lives of two days and more, which know their load",
    "5 / 25 %",
    `${errors(s)} % (${twice.length} lives, ${calm} of them with a quarter of the noise)`,
    s.errorMedian <= 0.05 && s.errorP90 <= 0.25,
  );
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
    `${percent(whole.heldAtMedian)}; ${percent(whole.heldAtP95)}`,
    whole.heldAtMedian <= 0.2 && whole.heldAtP95 <= 0.6,
  );
  row(
    "cost of an indicator-second at 1 Hz, first day",
    "≤ 2 µs",
    `${cost.microseconds.toFixed(1)} µs; of the next instance in the process ${cost.nextMicroseconds.toFixed(1)} µs`,
    cost.microseconds <= 2,
  );
  row("state of an indicator", "≤ 4,096 bytes", `${cost.stateBytes} bytes`, cost.stateBytes <= 4_096);
  for (const one of independentRows(independent)) rows.push(one);
  const lines = rows.map(([measure, target, reached, met]) => `| ${measure} | ${target} | ${reached} | ${met ? "yes" : "**no**"} |`);
  return `| measure | target | reached | met |\n|---|---|---|---|\n${lines.join("\n")}`;
}
