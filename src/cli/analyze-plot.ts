/** A curve in the terminal: readings, limit, the two moments on the axis, and the forecast's cone. */
import { amount, time } from "../aging/amounts.ts";
import { alongCone, type Curve, type Mark } from "./analyze-curve.ts";

/** As wide as a terminal is at first. */
const columnsMax = 80;
const height = 14;
const labelWidth = 10;
/** The highest value keeps clear of the upper edge. */
const headroom = 1.02;
const signs: Readonly<Record<Mark["kind"], string>> = { trend: "t", regeneration: "R" };

/** @param columns of the terminal; 0: of one that nobody has told its size. */
export function plotOf(curve: Curve, columns = columnsMax): string[] {
  const { indicator, startMs, lastMs, lowest, highest, limit, cone, marks } = curve;
  const width = Math.max(Math.min(columns || columnsMax, columnsMax) - labelWidth - 2, 1);
  const grid = new Grid(curve, width);
  for (const { atMs, value } of curve.points) grid.put(grid.columnOf(atMs), value, "·");
  if (cone !== null) {
    for (let column = grid.columnOf(cone.from.atMs) + 1; column < width; column += 1) {
      const at = (inMs: number) => alongCone(cone, inMs, grid.timeOf(column));
      grid.put(column, at(cone.inMs.mid), "*");
      grid.put(column, at(cone.inMs.low), "'");
      grid.put(column, at(cone.inMs.high), ",");
    }
  }
  if (limit !== null) for (let column = 0; column < width; column += 1) grid.put(column, limit, "-");
  const axis = Array.from({ length: width }, () => "─");
  for (const { atMs, kind } of marks) {
    const column = grid.columnOf(atMs);
    axis[column] = signs[kind];
    if (kind === "regeneration") grid.rule(column);
  }
  const last = time(lastMs - startMs);
  const isHeldAtR = marks.some(({ kind }) => kind === "trend") && !axis.includes("t");
  const legend = [
    `· ${indicator}`,
    ...(limit === null ? [] : ["- limit"]),
    ...(axis.includes("t") ? ["t trend held"] : []),
    ...(axis.includes("R") ? [isHeldAtR ? "R trend held, regeneration" : "R regeneration"] : []),
  ];
  const shown = (value: number) => (value === 0 ? "0" : amount(indicator, value, highest - lowest));
  const label = (row: number) => (row === 0 ? shown(highest) : row === height - 1 ? shown(lowest) : "").padStart(labelWidth);
  return [
    ...grid.rows.map((row, at) => `${label(at)} │${row.join("").trimEnd()}`),
    `${" ".repeat(labelWidth + 1)}└${axis.join("")}`,
    `${" ".repeat(labelWidth + 2)}0${last.padStart(width - 1)}`,
    `${" ".repeat(labelWidth + 2)}${legend.join("   ")}`,
    ...(cone === null ? [] : [`${" ".repeat(labelWidth + 2)}* forecast, ' and , its 90 %`]),
  ];
}

/** Signs that were put first stay. */
class Grid {
  readonly rows: string[][];
  readonly #curve: Curve;
  readonly #width: number;

  constructor(curve: Curve, width: number) {
    this.rows = Array.from({ length: height }, () => Array.from({ length: width }, () => " "));
    this.#curve = curve;
    this.#width = width;
  }

  columnOf(atMs: number): number {
    const { startMs, lastMs } = this.#curve;
    const last = this.#width - 1;
    return Math.min(Math.max(Math.round(((atMs - startMs) / (lastMs - startMs)) * last), 0), last);
  }

  timeOf(column: number): number {
    const { startMs, lastMs } = this.#curve;
    return startMs + (column / (this.#width - 1)) * (lastMs - startMs);
  }

  put(column: number, value: number, sign: string): void {
    const { lowest, highest } = this.#curve;
    const row = height - 1 - Math.round((Math.max(value - lowest, 0) / ((highest - lowest) * headroom)) * (height - 1));
    const cells = this.rows[row];
    if (cells?.[column] === " ") cells[column] = sign;
  }

  rule(column: number): void {
    for (const cells of this.rows) if (cells[column] === " ") cells[column] = "┊";
  }
}
