/**
 * The JSON of a Prometheus range query (`query_range`, a matrix) into rows. What is broken in it is named and survived.
 */
import { counted, nothing, type Parsed, Rows } from "./trace-rows.ts";

/** `query_range` matrix: each series is an indicator, named by `__name__`; several of one name are told apart by their labels. */
export function parsePrometheus(text: string, problems: string[]): Parsed {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    problems.push(`it is not JSON: ${error instanceof Error ? error.message : String(error)}`);
    return nothing;
  }
  const series = findMatrix(body);
  if (series === null) {
    problems.push(errorOf(body) ?? "it is JSON, but no Prometheus range query (data.resultType matrix)");
    return nothing;
  }
  if (series.length === 0) problems.push("the range query found no series");
  let unreadable = 0;
  const columns = series.map(({ values }) => {
    const points = values.filter((point) => Number.isFinite(timeMsOf(point)) && Number.isFinite(numberOf(point[1])));
    unreadable += values.length - points.length;
    return points.sort((a, b) => timeMsOf(a) - timeMsOf(b));
  });
  if (unreadable > 0) problems.push(`left out: ${counted(unreadable, "value")} without a number`);
  return { rows: merged(columns, seriesNames(series)), limits: [] };
}

/** Of several series of one name the first goes by it alone, the others with their labels. */
function seriesNames(series: readonly Series[]): string[] {
  const used = new Set<string>();
  return series.map(({ metric }) => {
    const labels = Object.entries(metric).filter(([key]) => key !== "__name__");
    let name = metric["__name__"] ?? "value";
    if (used.has(name)) name = `${name}{${labels.map(([key, value]) => `${key}=${value}`).join(",")}}`;
    used.add(name);
    return name;
  });
}

/** One row for all points of one time. */
function merged(columns: readonly (readonly Point[])[], names: readonly string[]): Rows {
  const rows = new Rows(names);
  const next = columns.map(() => 0);
  const cells = columns.map(() => Number.NaN);
  const nextMs = (column: number) => {
    const point = columns[column]?.[next[column] ?? 0];
    return point === undefined ? Number.POSITIVE_INFINITY : timeMsOf(point);
  };
  for (;;) {
    const atMs = columns.reduce((least, _, column) => Math.min(least, nextMs(column)), Number.POSITIVE_INFINITY);
    if (atMs === Number.POSITIVE_INFINITY) return rows;
    cells.fill(Number.NaN);
    for (const [column, points] of columns.entries()) {
      while (nextMs(column) === atMs) {
        const at = next[column] ?? 0;
        cells[column] = numberOf(points[at]?.[1]);
        next[column] = at + 1;
      }
    }
    rows.add(atMs, cells);
  }
}

function timeMsOf([seconds]: Point): number {
  return Math.round(numberOf(seconds) * 1_000);
}

/** Of what is neither a number nor the text of one NaN: `Number(null)` and `Number("")` are 0. */
function numberOf(told: unknown): number {
  if (typeof told === "number") return told;
  return typeof told === "string" && told.trim() !== "" ? Number(told) : Number.NaN;
}

/** Seconds and a value, as they stand in the file. */
type Point = readonly unknown[];

interface Series {
  readonly metric: Readonly<Record<string, string>>;
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
    found.push({ metric, values: (one.values as unknown[]).filter((point): point is unknown[] => Array.isArray(point)) });
  }
  return found;
}

/** What Prometheus answers instead of a result. */
function errorOf(body: unknown): string | null {
  if (typeof body !== "object" || body === null || !("status" in body) || body.status !== "error") return null;
  const error = "error" in body ? String(body.error) : "no reason given";
  return `Prometheus answered with an error: ${error}`;
}
