/** What a person reads of an analysed trace in the terminal: verdict, reasons and a plot. The page (`--html`) says the same. */
import { time } from "../aging/amounts.ts";
import { nameOf } from "../aging/explain.ts";
import { type Analysis, curveOf, titleOf } from "./analyze-curve.ts";
import { plotOf } from "./analyze-plot.ts";
import { printable } from "./format.ts";

/** Names come from the file. @param columns of the terminal. */
export function describeAnalysis(analysis: Analysis, columns?: number): string {
  const { verdict, samples, problems } = analysis;
  const title = titleOf(analysis);
  // Nothing was read, and nothing can be said.
  if (samples.length === 0) return printable(`${title}: ${problems.join("; ")}\n`);
  const curve = curveOf(analysis);
  const sentences = [...sentencesOf(analysis), ...problems.map((text) => `note: ${text}`)].map((text) => `  ${text}`);
  return printable(
    `${[`${title}: ${verdict}`, ...sentences, "", ...(curve === null ? [] : [...plotOf(curve, columns), ""])].join("\n")}\n`,
  );
}

/** The moments, what spoke for the verdict, and what against a worse one. */
export function sentencesOf(analysis: Analysis): string[] {
  const { decisive } = analysis.replay;
  const moments = analysis.verdict === "insufficient" ? [] : [momentsOf(analysis)];
  return [...moments, ...(decisive?.reasons ?? []), ...(decisive?.against ?? []).map((text) => `but ${text}`)];
}

function momentsOf({ replay: { trendAtMs, trendIndicator, agingAtMs, last }, indicator, samples }: Analysis): string {
  const startMs = samples.at(0)?.atMs ?? 0;
  const since = (atMs: number) => time(atMs - startMs);
  const life = since(samples.at(-1)?.atMs ?? startMs);
  const held = (name: string) => last?.trends.find((one) => one.indicator === name) ?? { indicator: name };
  const other = trendIndicator === null || trendIndicator === indicator ? "" : ` of ${nameOf(held(trendIndicator))}`;
  const trend = trendAtMs === null ? "no trend was held" : `a trend${other} was first held after ${since(trendAtMs)}`;
  if (agingAtMs === null) return `would not have been regenerated in the ${life} recorded; ${trend}`;
  return `would have been regenerated after ${since(agingAtMs)} of the ${life} recorded; ${trend}. As it was then:`;
}
