/**
 * The JSON of a Prometheus range query (`query_range`, a matrix) into rows: those of each process by themselves. What is broken in it is
 * named and survived.
 */
import { withoutLabels } from "../aging/amounts.ts";
import { messageOf } from "../model/errors.ts";
import { measured } from "./csv-cells.ts";
import { countsRequests, isCounter, type Reading, summed } from "./trace-counters.ts";
import { counted, named, nothing, type Parsed, type Recorded, Rows } from "./trace-rows.ts";

/**
 * `query_range` matrix: each series is an indicator, named by `__name__`; several of one name are told apart by their labels. Counters
 * without a limit are none, and those of requests are the work done.
 */
export function parsePrometheus(text: string, limits: Readonly<Record<string, number>>, problems: string[]): Parsed {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    problems.push(`it is not JSON: ${messageOf(error)}`);
    return nothing;
  }
  const series = findMatrix(body);
  if (series === null) {
    problems.push(errorOf(body) ?? "it is JSON, but no Prometheus range query (data.resultType matrix)");
    return nothing;
  }
  if (series.length === 0) problems.push("the range query found no series");
  let unreadable = 0;
  const labelled = seriesNames(series);
  const all = series.map(({ metric, name, values }, at): Column => {
    const readings = values.flatMap(([seconds, value]) => {
      const reading = { atMs: Math.round(numberOf(seconds) * 1_000), value: numberOf(value) };
      return Number.isFinite(reading.atMs) && Number.isFinite(reading.value) ? [reading] : [];
    });
    unreadable += values.length - readings.length;
    return { metric, name, labelled: labelled[at] ?? name, readings: readings.sort((a, b) => a.atMs - b.atMs) };
  });
  if (unreadable > 0) problems.push(`left out: ${counted(unreadable, "value")} without a number`);
  const told = all.flatMap((column) => limitTold(column, all, limits));
  const others = all.filter((column) => !told.some(({ from }) => from === column));
  for (const name of new Set(told.map(({ of, from }) => `${from.name} was taken for the limit of ${of.name}`))) problems.push(name);
  const processes = [...byProcess(others)].map(([instance, columns]) => recorded(instance, columns, limits));
  return { processes, limits: [{ row: 0, limits: Object.fromEntries(told.map(({ of, limit }) => [of.labelled, limit])) }] };
}

/** A series by its own name. */
interface Named {
  readonly metric: Readonly<Record<string, string>>;
  readonly name: string;
}

interface Column extends Named {
  /** As it is told apart from all others of the file. */
  readonly labelled: string;
  readonly readings: readonly Reading[];
}

/** What the usual exporters tell beside a gauge: how much of it there may be. */
const limitNames: ReadonlyMap<string, string> = new Map([
  ["process_open_fds", "process_max_fds"],
  ["container_memory_working_set_bytes", "container_spec_memory_limit_bytes"],
]);

/** Of the same process, at its beginning; where it is 0 there is none. A limit that was given goes before it. */
function limitTold(of: Column, all: readonly Column[], given: Readonly<Record<string, number>>) {
  if (of.name in given || of.labelled in given) return [];
  const isOfSame = ({ metric }: Column) => Object.entries(metric).every(([key, told]) => key === "__name__" || of.metric[key] === told);
  const from = all.find((one) => one.name === limitNames.get(of.name) && isOfSame(one));
  const limit = from?.readings[0]?.value ?? 0;
  return from === undefined || limit <= 0 ? [] : [{ of, from, limit }];
}

/** One process's series are one trace; what has no process of its own belongs to the only one. */
function byProcess(all: readonly Column[]): Map<string | null, Column[]> {
  const names = new Set(all.map(({ metric }) => processOf(metric)).filter((name) => name !== null));
  if (names.size < 2) return new Map([[null, [...all]]]);
  const found = new Map<string | null, Column[]>();
  for (const column of all) {
    const name = processOf(column.metric);
    const columns = found.get(name) ?? [];
    found.set(name, columns);
    columns.push(column);
  }
  return found;
}

/** A pod is asked through its node, or through a port of its own: it is the same process. */
function processOf({ namespace, pod, instance }: Named["metric"]): string | null {
  if (pod === undefined) return instance ?? null;
  return namespace === undefined ? pod : `${namespace}/${pod}`;
}

function recorded(instance: string | null, all: readonly Column[], limits: Readonly<Record<string, number>>): Recorded {
  const problems: string[] = [];
  const columns = withoutCounters(all, limits, problems);
  return { instance, rows: merged(columns), labelled: columns.map(({ labelled }) => labelled), problems };
}

function withoutCounters(all: readonly Column[], limits: Readonly<Record<string, number>>, problems: string[]): Column[] {
  const limited = new Set(Object.keys(limits).map(withoutLabels));
  const isOne = ({ name, readings }: Column) => !limited.has(name) && isCounter(name, readings);
  const counters = new Set(all.filter(isOne));
  const gauges = all.filter((column) => !counters.has(column));
  const requests = [...counters].filter(({ name }) => countsRequests(name));
  const isWork = requests.length > 0 && !all.some(({ name }) => name === "requestsTotal");
  const left = [...counters].filter(({ name }) => !isWork || !countsRequests(name));
  const namesOf = (columns: readonly Column[]) => named([...new Set(columns.map(({ name }) => name))]);
  if (isWork) problems.push(`${namesOf(requests)} was taken for the work done (requestsTotal)`);
  if (left.length > 0) problems.push(`not judged, since it only counts: ${namesOf(left)} (a limit for a counter has it judged as a gauge)`);
  if (!isWork) return gauges;
  const readings = summed(requests.map((one) => one.readings));
  return [...gauges, { metric: {}, name: "requestsTotal", labelled: "requestsTotal", readings }];
}

/** Several series of one name go by the labels in which they differ; but there is one work, the first. */
function seriesNames(columns: readonly Named[]): string[] {
  const firsts = new Map<string, Named>();
  const differing = new Map<string, Set<string>>();
  for (const column of columns) {
    const { name, metric } = column;
    const first = firsts.get(name) ?? column;
    firsts.set(name, first);
    const labels = differing.get(name) ?? new Set();
    differing.set(name, labels);
    for (const label of Object.keys({ ...first.metric, ...metric })) if (first.metric[label] !== metric[label]) labels.add(label);
  }
  return columns.map((column) => {
    const { name, metric } = column;
    const isWork = name === "requestsTotal" && firsts.get(name) === column;
    const labels = Object.entries(metric).filter(([label]) => !isWork && differing.get(name)?.has(label) === true);
    return labels.length === 0 ? name : `${name}{${labels.map(([label, value]) => `${label}=${value}`).join(",")}}`;
  });
}

/** One row for all readings of one time. */
function merged(columns: readonly Column[]): Rows {
  const rows = new Rows(seriesNames(columns));
  const next = columns.map(() => 0);
  const cells = columns.map(() => Number.NaN);
  const nextMs = (column: number) => columns[column]?.readings[next[column] ?? 0]?.atMs ?? Number.POSITIVE_INFINITY;
  for (;;) {
    const atMs = columns.reduce((least, _, column) => Math.min(least, nextMs(column)), Number.POSITIVE_INFINITY);
    if (atMs === Number.POSITIVE_INFINITY) return rows;
    cells.fill(Number.NaN);
    for (const [column, { readings }] of columns.entries()) {
      while (nextMs(column) === atMs) {
        const at = next[column] ?? 0;
        cells[column] = readings[at]?.value ?? Number.NaN;
        next[column] = at + 1;
      }
    }
    rows.add(atMs, cells);
  }
}

/** Of what is neither a number nor the text of one NaN: `Number(null)` and `Number("")` are 0. */
function numberOf(told: unknown): number {
  if (typeof told === "number") return measured(told);
  return typeof told === "string" && told.trim() !== "" ? measured(Number(told)) : Number.NaN;
}

/** Seconds and a value, as they stand in the file. */
type Point = readonly unknown[];

interface Series extends Named {
  readonly values: readonly Point[];
}

function findMatrix(body: unknown): Series[] | null {
  if (typeof body !== "object" || body === null) return null;
  const data: unknown = "data" in body ? body.data : body;
  if (typeof data !== "object" || data === null || !("result" in data) || !Array.isArray(data.result)) return null;
  const found: Series[] = [];
  // Array.isArray makes elements any; unknown is what they are.
  for (const one of data.result as unknown[]) {
    if (typeof one !== "object" || one === null) return null;
    if ("histograms" in one && !("values" in one)) continue; // a native histogram is no indicator
    if (!("values" in one) || !Array.isArray(one.values)) return null;
    const metric: Record<string, string> = {};
    if ("metric" in one && typeof one.metric === "object" && one.metric !== null) {
      for (const [key, value] of Object.entries(one.metric)) metric[key] = String(value);
    }
    // As above.
    const values = (one.values as unknown[]).filter((point): point is unknown[] => Array.isArray(point));
    found.push({ metric, name: metric["__name__"] ?? "value", values });
  }
  return found;
}

/** What Prometheus answers instead of a result. */
function errorOf(body: unknown): string | null {
  if (typeof body !== "object" || body === null || !("status" in body) || body.status !== "error") return null;
  const error = "error" in body ? String(body.error) : "no reason given";
  return `Prometheus answered with an error: ${error}`;
}
