/**
 * `coppice analyze`: judges recorded traces with exactly the code of the monitor, in automatic mode with its
 * back-stops off. One trace or thousands; each is read, judged and written before the next.
 */
import { statSync, writeFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { InvalidArgumentError, Option } from "commander";
import { nearestTrend } from "../aging/explain.ts";
import { replay } from "../aging/replay.ts";
import { messageOf } from "../model/errors.ts";
import type { Interval, Verdict } from "../model/report.ts";
import type { Analysis } from "./analyze-curve.ts";
import { pageOf, type Section, sectionOf } from "./analyze-page.ts";
import { describeAnalysis } from "./analyze-text.ts";
import { limitOf } from "./limit-text.ts";
import type { Register } from "./main.ts";
import { ProgressLine } from "./progress-line.ts";
import { readTraces, type TraceFile, unread } from "./trace-file.ts";
import { piecesOf } from "./trace-text.ts";
import { endUnread } from "./unread.ts";

const defaultHorizonMs = 30 * 60_000;
/** The page is one text: a browser has to hold it. */
const pageTracesMax = 500;

/** A time, or a share of each trace's recorded life. */
export type Every = { readonly ms: number } | { readonly lifeRatio: number };

interface AnalyzeOptions {
  readonly json?: true;
  readonly limit: Readonly<Record<string, number>>;
  readonly forecastEvery?: Every;
  readonly horizon: number;
  readonly html?: string;
}

export const registerAnalyze: Register = (program, setExitCode) => {
  program
    .command("analyze")
    .summary("judge recorded traces with the code of the monitor")
    .description(
      "Judges recorded traces with exactly the code of the monitor. A trace is CSV with a header (timeMs, requestsTotal, " +
        "and indicators such as heapAfterGcBytes (best with heapAfterGcAtMs, when that was collected), rssBytes, openFds; any other " +
        "column is a gauge where more is worse), " +
        "with limits as comments (# limit heapAfterGcBytes=268435456), or the JSON of a Prometheus range query, whose counters are " +
        "judged only if they have a limit, and of whose instances (or pods) each is a trace by itself. " +
        "Where there is no timeMs, a column timestamp, time or date may hold dates, or seconds or milliseconds since 1970. " +
        "A file in which nothing can be read is named, the others are judged all the same, and the exit code is 1.",
    )
    .argument("<files...>", "the traces; - is standard input")
    .option("--json", "one line of JSON a file")
    .addOption(
      new Option("--limit <name=value>", "what an indicator exhausts at (repeatable)").argParser(collectLimit).default({}, "the file's"),
    )
    .option(
      "--forecast-every <time>",
      "grid of the forecasts in the JSON: a time (10m) or a share of each trace's life (1/200, 0.5%)",
      parseEvery,
    )
    .addOption(new Option("--horizon <time>", "the monitor's horizonMs").argParser(parseTime).default(defaultHorizonMs, "30m"))
    .option("--html <file>", "write the reports as a page", parsePage)
    .addHelpText(
      "after",
      "\nExample:\n  coppice analyze --limit rssBytes=512000000 trace.csv\n  coppice analyze --json --forecast-every 1/200 traces/*.csv\n",
    )
    .action(async (files: string[], options: AnalyzeOptions) => {
      const shown: Section[] = [];
      let judged = 0;
      const out = whileRead(process.stdout);
      const progress = new ProgressLine(files.length);
      for (const [at, file] of files.entries()) {
        progress.done(at);
        const analyses: Analysis[] = [];
        for (const analysis of analyzeFile(file, options)) {
          analyses.push(analysis);
          judged += 1;
          if (options.html !== undefined && shown.length < pageTracesMax) shown.push(sectionOf(analysis, shown.length));
          if (options.json !== true) out.write(describeAnalysis(analysis, process.stdout.columns));
          if (!(await out.isRead()) && options.html === undefined) return progress.end();
        }
        if (analyses.every(({ samples }) => samples.length === 0)) setExitCode(1);
        if (options.json === true) out.write(`${JSON.stringify(jsonOf(analyses))}\n`);
      }
      progress.end();
      if (options.html !== undefined && !wrote(options.html, pageOf(shown, judged - shown.length))) setExitCode(1);
    });
};

/** `| head` reads a part, and goes: nothing is wrong, but for nobody no more is worked out. */
function whileRead(stream: NodeJS.WriteStream) {
  let read = true;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") endUnread(error);
    read = false;
  });
  return {
    write: (text: string) => stream.write(text),
    isRead: async () => {
      await setImmediate(); // an error of the last write is heard of
      return read;
    },
  };
}

type JudgedHow = Pick<AnalyzeOptions, "limit" | "forecastEvery" | "horizon">;

/**
 * A file that cannot be read is a finding like others: the next one may be readable.
 * @returns one analysis for each process of which the file tells, in its order; at least one.
 */
export function* analyzeFile(file: string, options: JudgedHow): Generator<Analysis> {
  for (const trace of tracesIn(file, options.limit)) yield analyze(file, trace, options);
}

function analyze(file: string, trace: TraceFile, options: JudgedHow): Analysis {
  const { samples } = trace;
  const lifeMs = (samples.at(-1)?.atMs ?? 0) - (samples.at(0)?.atMs ?? 0);
  const every = options.forecastEvery ?? null;
  const forecastEveryMs = every === null ? null : "ms" in every ? every.ms : Math.max(lifeMs * every.lifeRatio, 1);
  const result = replay(samples, { horizonMs: options.horizon, forecastEveryMs });
  // A trace is judged as a whole: what would have been regenerated was aging, whatever came after.
  const verdict = result.agingAtMs !== null ? "aging" : (result.last?.verdict ?? "insufficient");
  const indicator = result.decisive?.indicator ?? nearestTrend(result.last?.trends ?? [])?.indicator ?? null;
  return { ...trace, file, verdict, indicator, replay: result };
}

function tracesIn(file: string, limits: Readonly<Record<string, number>>): TraceFile[] {
  try {
    return readTraces(piecesOf(file), limits);
  } catch (error) {
    return [unread([`it cannot be read: ${whyOf(error)}`])];
  }
}

function wrote(file: string, page: string): boolean {
  try {
    writeFileSync(file, page);
    return true;
  } catch (error) {
    process.stderr.write(`coppice: ${file} cannot be written: ${whyOf(error)}\n`);
    return false;
  }
}

/** `ENOENT: no such file or directory, open 'x'` names the file once more. */
function whyOf(error: unknown): string {
  const message = messageOf(error);
  return /^E[A-Z0-9]+: ([^,]+)/.exec(message)?.[1] ?? message;
}

/** One line a file: of several processes the worst, and each of them in `instances`. */
export function jsonOf(analyses: readonly Analysis[]) {
  const [worst] = analyses.toSorted(byUrgency);
  if (worst === undefined) throw new Error("of a file there is one trace at least");
  const several = analyses.length > 1 ? { instance: worst.instance, instances: analyses.map(ofInstance) } : {};
  return { file: worst.file, ...judgementOf(worst), ...several };
}

function ofInstance(analysis: Analysis) {
  return { instance: analysis.instance, ...judgementOf(analysis) };
}

const urgency: readonly Verdict[] = ["aging", "attention", "healthy", "insufficient"];

/** What would have been regenerated comes first, and of it the first. */
function byUrgency(a: Analysis, b: Analysis): number {
  const [aMs, bMs] = [a, b].map(({ replay: { agingAtMs, trendAtMs } }) => agingAtMs ?? trendAtMs ?? Number.MAX_VALUE);
  return urgency.indexOf(a.verdict) - urgency.indexOf(b.verdict) || (aMs ?? 0) - (bMs ?? 0);
}

/** Times in the trace's own clock. */
function judgementOf({ verdict, indicator, replay: result, samples, problems }: Analysis) {
  const own = (atMs: number | null) => (atMs === null ? null : atMs - samples.shiftMsAt(atMs));
  // Up: a forecast of a time between two milliseconds is of no earlier one.
  const ownInterval = (at: Interval | null, shiftMs: number) =>
    at === null ? null : { low: Math.ceil(at.low - shiftMs), mid: Math.ceil(at.mid - shiftMs), high: Math.ceil(at.high - shiftMs) };
  const trend = result.decisive?.trends.find((one) => one.indicator === indicator) ?? null;
  return {
    verdict,
    trendAtMs: own(result.trendAtMs),
    agingAtMs: own(result.agingAtMs),
    indicator,
    slopePerHour: trend === null ? null : trend.slopePerHour.mid,
    attentionMs: result.attentionMs,
    reasons: [...(result.decisive?.reasons ?? []), ...(result.decisive?.against ?? []).map((text) => `but ${text}`)],
    forecasts: result.forecasts.map(({ atMs, exhaustionMs }) => {
      const shiftMs = samples.shiftMsAt(atMs);
      return { atMs: atMs - shiftMs, exhaustionMs: ownInterval(exhaustionMs, shiftMs) };
    }),
    problems,
  };
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function parseTime(text: string): number {
  const ms = timeOf(text);
  if (ms === null) throw new InvalidArgumentError("Expected a time such as 30s, 10m or 2h.");
  return ms;
}

function timeOf(text: string): number | null {
  const found = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  const ms = Number(found?.[1]) * (unitsMs[found?.[2] ?? ""] ?? Number.NaN);
  return ms > 0 ? ms : null;
}

export function parseEvery(text: string): Every {
  const ms = timeOf(text);
  if (ms !== null) return { ms };
  const share = /^(\d+(?:\.\d+)?)(?:\/(\d+(?:\.\d+)?)|%)$/.exec(text);
  const lifeRatio = Number(share?.[1]) / Number(share?.[2] ?? 100);
  if (lifeRatio > 0 && lifeRatio <= 1) return { lifeRatio };
  throw new InvalidArgumentError("Expected a time such as 10m, or a share of the life such as 1/200 or 0.5%.");
}

function parsePage(file: string): string {
  if (isOther(file)) throw new InvalidArgumentError("It is there and is no page: nothing is written over it.");
  return file;
}

/** `--html *.csv` means the page to be the first trace. */
function isOther(file: string): boolean {
  try {
    if (!statSync(file).isFile()) return false;
    for (const begin of piecesOf(file)) return begin !== "" && !begin.startsWith("<!doctype html>");
  } catch {
    // Not there, or not to be read: writing will say whether it can be written.
  }
  return false;
}

function collectLimit(text: string, before: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const at = text.lastIndexOf("=");
  const value = limitOf(text.slice(at + 1));
  if (at <= 0 || value === null) throw new InvalidArgumentError("Expected name=value, as in rssBytes=512000000 or rssBytes=512MiB.");
  return { ...before, [text.slice(0, at)]: value };
}
