/**
 * The JSON of a Prometheus range query (`query_range`, a matrix) into rows. What is broken in it is named and survived.
 */
import { counted, nothing, type Parsed } from "./trace-rows.ts";

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
  const byTime = new Map<number, Record<string, number>>();
  const used = new Set<string>();
  let unreadable = 0;
  for (const { metric, values } of series) {
    const labels = Object.entries(metric).filter(([key]) => key !== "__name__");
    let name = metric["__name__"] ?? "value";
    if (used.has(name)) name = `${name}{${labels.map(([key, value]) => `${key}=${value}`).join(",")}}`;
    used.add(name);
    for (const [seconds, value] of values) {
      const atMs = Math.round(numberOf(seconds) * 1_000);
      const reading = numberOf(value);
      if (!Number.isFinite(atMs) || !Number.isFinite(reading)) {
        unreadable += 1;
        continue;
      }
      const row = byTime.get(atMs) ?? {};
      row[name] = reading;
      byTime.set(atMs, row);
    }
  }
  if (unreadable > 0) problems.push(`left out: ${counted(unreadable, "value")} without a number`);
  return { rows: [...byTime].sort(([a], [b]) => a - b).map(([atMs, cells]) => ({ atMs, cells })), limits: {}, columns: [...used] };
}

/** Of what is neither a number nor the text of one NaN: `Number(null)` and `Number("")` are 0. */
function numberOf(told: unknown): number {
  if (typeof told === "number") return told;
  return typeof told === "string" && told.trim() !== "" ? Number(told) : Number.NaN;
}

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [unknown, unknown])[];
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
    const values = (one.values as unknown[]).flatMap((pair): [unknown, unknown][] => (Array.isArray(pair) ? [[pair[0], pair[1]]] : []));
    found.push({ metric, values });
  }
  return found;
}

/** What Prometheus answers instead of a result. */
function errorOf(body: unknown): string | null {
  if (typeof body !== "object" || body === null || !("status" in body) || body.status !== "error") return null;
  const error = "error" in body ? String(body.error) : "no reason given";
  return `Prometheus answered with an error: ${error}`;
}
