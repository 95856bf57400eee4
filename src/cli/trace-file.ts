/**
 * Recorded traces: CSV with a header, or Prometheus range-query JSON, into samples. What is broken is named and
 * survived: a trace comes from the field. Invariant: samples come in order of time; where the file's clock
 * jumped back, `shiftMs` says by how much a sample's time differs from the file's own.
 */
import { withoutLabels } from "../aging/amounts.ts";
import { indicatorsMax, loadIndicators } from "../aging/model.ts";
import { nearName } from "../model/near-name.ts";
import { knownIndicators, type Sample } from "../model/sample.ts";
import { isCounterName } from "./trace-counters.ts";
import { parseCsv } from "./trace-csv.ts";
import { type Order, orderOf } from "./trace-order.ts";
import { parsePrometheus } from "./trace-prometheus.ts";
import { type LimitsFrom, named, nothing, type Parsed, type Recorded, Rows } from "./trace-rows.ts";
import { linesOf } from "./trace-text.ts";

type Limits = Readonly<Record<string, number>>;

/** What a file tells of one process. */
export interface TraceFile {
  /** Which of several; null where it tells of one. */
  readonly instance: string | null;
  readonly samples: TraceSamples;
  /** Sentences: what was wrong with the file. */
  readonly problems: readonly string[];
}

/** When the process began, in so many milliseconds a unit; Prometheus's clients tell it in seconds. */
const startColumns: ReadonlyMap<string, number> = new Map([
  ["startedAtMs", 1],
  ["process_start_time_seconds", 1_000],
]);
/** A column without a name is the number of the row, as tables are written with one. */
const notIndicators: ReadonlySet<string> = new Set(["", "timeMs", "requestsTotal", "heapAfterGcAtMs", ...startColumns.keys()]);
const measured: ReadonlySet<string> = new Set(knownIndicators);
const writtenOtherwise: ReadonlyMap<string, string> = new Map(
  [...knownIndicators, ...notIndicators].filter((name) => name !== "").map((name) => [bare(name), name]),
);
/** The work of a second series (`requestsTotal{instance=b}`) is no gauge either. */
const isIndicator = (name: string) => !notIndicators.has(withoutLabels(name));

/** The first process of which a text tells. */
export function parseTrace(text: string, limits: Limits): TraceFile {
  return readTraces([text], limits)[0] ?? unread([]);
}

/** @param problems - why nothing could be read. */
export function unread(problems: readonly string[]): TraceFile {
  return { instance: null, samples: noSamples, problems };
}

/**
 * @param pieces - of the file's text, in order.
 * @returns one trace for each process of which it tells; at least one.
 */
export function readTraces(pieces: Iterable<string>, limits: Limits): TraceFile[] {
  const problems: string[] = [];
  const { processes, limits: told } = parse(pieces, limits, problems);
  const all = told.map(({ row, limits: own }) => ({ row, limits: { ...own, ...limits } }));
  if (all[0]?.row !== 0) all.unshift({ row: 0, limits });
  const names = new Set(processes.flatMap(({ rows, labelled }) => [...rows.names, ...labelled]));
  nameLimits(everyOf(all), [...names], problems);
  return processes.map((one) => traceOf(one, all, problems));
}

function traceOf({ instance, rows, labelled, problems: own }: Recorded, told: readonly LimitsFrom[], ofFile: readonly string[]): TraceFile {
  const problems = [...ofFile, ...own];
  const limits = told.map((from) => ({ row: from.row, limits: limitsByColumn(from.limits, rows.names, labelled) }));
  const everyLimit = everyOf(limits);
  nameNotJudged(rows.names, everyLimit, problems);
  nameCounters(rows, problems);
  nameMeant(rows.names, problems);
  const columns = judgedColumns(rows, everyLimit, problems);
  return { instance, samples: new TraceSamples(rows, columns, orderOf(rows.timesMs(), problems), limits), problems };
}

/** Whatever row they hold from: the last of each name. */
function everyOf(limits: readonly LimitsFrom[]): Limits {
  return Object.assign({}, ...limits.map((one) => one.limits));
}

/** A limit holds for each series of its name, whatever its labels; one with labels for the series that they tell. */
function limitsByColumn(limits: Limits, names: readonly string[], labelled: readonly string[]): Limits {
  const given = new Map(Object.entries(limits));
  const told = names.flatMap((name, at) => {
    const limit = given.get(labelled[at] ?? name) ?? given.get(name) ?? given.get(withoutLabels(name));
    return limit === undefined ? [] : [[name, limit] as const];
  });
  return { ...limits, ...Object.fromEntries(told) };
}

type Column = readonly [name: string, column: number];

/** The model watches so many indicators of an instance: of a wider table those with a limit, then those that it knows, then the first. */
function judgedColumns(rows: Rows, limits: Limits, problems: string[]): readonly Column[] {
  const all = rows.names.flatMap((name, column): Column[] => (isIndicator(name) && !loadIndicators.has(name) ? [[name, column]] : []));
  if (all.length <= indicatorsMax) return all;
  const told = all.filter(([, column]) => rows.hasNumber(column));
  const rank = ([name]: Column) => (name in limits || withoutLabels(name) in limits ? 0 : measured.has(withoutLabels(name)) ? 1 : 2);
  const ranked = told.toSorted((a, b) => rank(a) - rank(b));
  const left = ranked.slice(indicatorsMax).map(([name]) => name);
  if (left.length > 0)
    problems.push(`of its ${told.length} columns ${indicatorsMax} were judged, those with a limit first; not ${named(left)}`);
  return ranked.slice(0, indicatorsMax);
}

function parse(pieces: Iterable<string>, limits: Limits, problems: string[]): Parsed {
  const source = pieces[Symbol.iterator]();
  const left: Iterable<string> = { [Symbol.iterator]: () => source };
  let begin = "";
  for (let next = source.next(); next.done !== true; next = source.next()) {
    begin += next.value;
    if (begin.trim() !== "") break; // a byte-order mark is a blank too
  }
  const first = begin.trimStart();
  const problem = first === "" ? "the file is empty" : notText(first);
  if (problem !== null) {
    problems.push(problem);
    return nothing;
  }
  if (first.startsWith("{") || first.startsWith("[")) return parsePrometheus([first, ...left].join(""), limits, problems);
  return parseCsv(linesOf(following(begin.replace(/^\uFEFF/, ""), left)), problems);
}

function* following(first: string, left: Iterable<string>): Generator<string> {
  yield first;
  yield* left;
}

/** Zeros further on are what a crash left of some rows. */
function notText(begin: string): string | null {
  if (begin.startsWith("\u001F\uFFFD")) return "it is compressed (gzip -dc FILE | coppice analyze -)";
  return /^[^\r\n]*\0/.test(begin) ? "it is not UTF-8 text" : null;
}

/** A limit of a column that is not there would be met by nothing, and nobody would hear of it. */
function nameLimits(limits: Limits, columns: readonly string[], problems: string[]): void {
  const indicators = columns.filter(isIndicator);
  if (indicators.length === 0) return;
  const known = new Set(indicators.flatMap((name) => [name, withoutLabels(name)]));
  for (const name of Object.keys(limits)) {
    if (known.has(name)) continue;
    const near = nearName(name, [...new Set(indicators.map(withoutLabels))]);
    const meant = near === null ? "" : `; did you mean ${near}?`;
    problems.push(`there is no column for the limit of ${name}${meant} (columns: ${named(indicators)})`);
  }
}

/** Who gave it a limit, or has nothing else, waits for a verdict that never comes. */
function nameNotJudged(columns: readonly string[], limits: Limits, problems: string[]): void {
  const indicators = columns.filter(isIndicator);
  const nothingElse = indicators.every((name) => loadIndicators.has(name));
  for (const name of indicators) {
    if (loadIndicators.has(name) && (nothingElse || name in limits))
      problems.push(`${name} tells of the load, not of age, and is not judged`);
  }
  if ("heapUsedBytes" in limits && indicators.includes("heapUsedBytes") && indicators.includes("heapAfterGcBytes"))
    problems.push("heapUsedBytes is not judged beside heapAfterGcBytes, which is its floor");
}

/** In a table every column but those known is a gauge: whoever reads of a counter's trend should know. */
function nameCounters(rows: Rows, problems: string[]): void {
  const counters = rows.names.filter((name, column) => isIndicator(name) && isCounterName(name) && rows.onlyRises(column));
  if (counters.length === 0) return;
  const were = counters.length === 1 ? "looks like a counter and was taken for a gauge" : "look like counters and were taken for gauges";
  problems.push(`${named(counters)} ${were}, where more is worse; the work done is requestsTotal`);
}

/** `RequestsTotal` would be a gauge that grows for ever; `requests_total` is said to be a counter. */
function nameMeant(columns: readonly string[], problems: string[]): void {
  for (const name of columns) {
    const meant = writtenOtherwise.get(bare(name));
    if (meant !== undefined && meant !== name && !columns.includes(meant) && !isCounterName(name))
      problems.push(`${name} was taken for a gauge like any other; did you mean ${meant}?`);
  }
}

/** Node's own name is `eventLoopUtilization`. */
function bare(name: string): string {
  return name
    .replace(/[_\s-]/g, "")
    .toLowerCase()
    .replace("utiliz", "utilis");
}

/** Samples are made one by one, as they are asked for. */
export class TraceSamples implements Iterable<TraceSample> {
  readonly length: number;
  readonly #rows: Rows;
  readonly #order: Order;
  readonly #limits: readonly LimitsFrom[];
  readonly #columns: readonly Column[];
  readonly #requests: number;
  readonly #collected: number;
  readonly #started: number;
  readonly #startUnitMs: number;

  constructor(rows: Rows, columns: readonly Column[], order: Order, limits: readonly LimitsFrom[]) {
    this.length = order.rows.length;
    this.#rows = rows;
    this.#order = order;
    this.#columns = columns;
    this.#limits = limits;
    this.#requests = rows.names.indexOf("requestsTotal");
    this.#collected = rows.names.indexOf("heapAfterGcAtMs");
    const starts = rows.names.filter((name) => startColumns.has(withoutLabels(name)));
    // Of several processes' starts nobody can tell which column is whose.
    const [started = ""] = starts.length === 1 ? starts : [];
    this.#started = rows.names.indexOf(started);
    this.#startUnitMs = startColumns.get(started) ?? Number.NaN;
  }

  *[Symbol.iterator](): Generator<TraceSample> {
    for (let at = 0; at < this.length; at += 1) yield this.#sample(at);
  }

  /** From the end where it is negative. */
  at(at: number): TraceSample | undefined {
    const index = at < 0 ? this.length + at : at;
    return index >= 0 && index < this.length ? this.#sample(index) : undefined;
  }

  /** Model time minus the file's own, at a model time. */
  shiftMsAt(atMs: number): number {
    const { shiftsMs, atMs: times } = this.#order;
    if (shiftsMs === null) return 0;
    let [low, high] = [0, times.length];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((times[middle] ?? atMs) >= atMs) high = middle;
      else low = middle + 1;
    }
    return shiftsMs[low] ?? 0;
  }

  #sample(at: number): TraceSample {
    const row = this.#order.rows[at] ?? 0;
    const shiftMs = this.#order.shiftsMs?.[at] ?? 0;
    const indicators: Record<string, number> = {};
    for (const [name, column] of this.#columns) {
      const value = this.#rows.cell(row, column);
      if (!Number.isNaN(value)) indicators[name] = value;
    }
    const requestsTotal = this.#requests === -1 ? Number.NaN : this.#rows.cell(row, this.#requests);
    const collectedAtMs = this.#collected === -1 ? Number.NaN : this.#rows.cell(row, this.#collected);
    const startedAtMs = this.#started === -1 ? Number.NaN : this.#rows.cell(row, this.#started) * this.#startUnitMs;
    return {
      atMs: this.#order.atMs[at] ?? 0,
      shiftMs,
      indicators,
      limits: this.#limits.findLast((from) => from.row <= row)?.limits ?? {},
      ...(Number.isNaN(requestsTotal) ? {} : { requestsTotal }),
      ...(Number.isNaN(collectedAtMs) ? {} : { heapAfterGcAtMs: collectedAtMs + shiftMs }),
      ...(Number.isNaN(startedAtMs) ? {} : { startedAtMs }),
    };
  }
}

export interface TraceSample extends Sample {
  /** Model time minus the file's own. */
  readonly shiftMs: number;
}

const noSamples = new TraceSamples(new Rows([]), [], { rows: new Uint32Array(), atMs: new Float64Array(), shiftsMs: null }, []);
