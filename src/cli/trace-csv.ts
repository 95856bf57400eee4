/** CSV with a header into rows. What is broken in it is named and survived. */
import { cellsOf } from "./csv-cells.ts";
import { limitOf } from "./limit-text.ts";
import { counted, type LimitsFrom, named, nothing, type Parsed, Rows, shortened } from "./trace-rows.ts";

export function parseCsv(lines: Iterable<string>, problems: string[]): Parsed {
  const reader = new CsvReader(problems);
  for (const line of lines) if (!reader.read(line)) return nothing;
  return reader.end();
}

class CsvReader {
  readonly #problems: string[];
  readonly #limits: LimitsFrom[] = [];
  #header: Header | null = null;
  #rows = new Rows([]);
  /** Of the line that is read. */
  #cells: number[] = [];
  #line = 0;
  #broken = 0;
  #firstBroken = "";
  #unreadable = 0;

  constructor(problems: string[]) {
    this.#problems = problems;
  }

  /** @returns false where what follows cannot be read either. */
  read(line: string): boolean {
    this.#line += 1;
    if (line.trim() === "") return true;
    if (line.startsWith("#")) this.#readComment(line);
    else if (this.#header === null) return this.#readHeader(line);
    else this.#readRow(line, this.#header);
    return true;
  }

  end(): Parsed {
    if (this.#header === null) this.#problems.push("there is no header line");
    else if (this.#rows.length + this.#broken === 0) this.#problems.push("there are no rows below the header");
    if (this.#broken > 0) this.#problems.push(`left out: ${counted(this.#broken, "broken row")}, the first in ${this.#firstBroken}`);
    if (this.#unreadable > 0) this.#problems.push(`left out: ${counted(this.#unreadable, "cell")} without a number`);
    return { rows: this.#rows, limits: this.#limits };
  }

  /** A limit below the header holds from there on: a process that was started again with a larger heap. */
  #readComment(line: string): void {
    if (!/^#\s*limit\b/.test(line)) return;
    const [, name, told = ""] = /^#\s*limit\s+([^=\s]+)\s*=\s*(\S*)/.exec(line) ?? [];
    if (name === undefined) {
      this.#name(`a limit is written as # limit rssBytes=512000000, not as "${shortened(line)}"`);
      return;
    }
    const value = limitOf(told);
    if (value !== null) {
      this.#limits.push({ row: this.#rows.length, limits: { ...this.#limits.at(-1)?.limits, [name]: value } });
    } else this.#name(`the limit of ${name} is no number above 0: "${shortened(told)}"`);
  }

  #readHeader(line: string): boolean {
    const cells = cellsOf(line);
    if (cells.length === 1 && /[;\t]/.test(line)) {
      this.#name("its cells are to be separated by commas");
      return false;
    }
    const twice = cells.find((name, at) => name !== "" && cells.indexOf(name) !== at);
    if (twice !== undefined) this.#name(`there is more than one column ${shortened(twice)}; the first was taken`);
    if (!cells.includes("timeMs")) {
      this.#name(`the header has no column timeMs; it has ${named(cells)}`);
      return false;
    }
    const columns = cells.flatMap((name, at) => (name === "timeMs" || cells.indexOf(name) !== at ? [] : [at]));
    this.#header = { time: cells.indexOf("timeMs"), columns, width: cells.length };
    this.#rows = new Rows(columns.map((at) => cells[at] ?? ""));
    return true;
  }

  #readRow(line: string, { time, columns, width }: Header): void {
    const cells = cellsOf(line);
    for (const [at, column] of columns.entries()) this.#cells[at] = this.#number(cells[column]);
    const atMs = this.#number(cells[time]);
    if (Number.isFinite(atMs) && cells.findIndex((cell, at) => at >= width && cell !== "") === -1) {
      this.#rows.add(atMs, this.#cells);
      return;
    }
    this.#broken += 1;
    this.#firstBroken ||= `line ${this.#line} (${Number.isFinite(atMs) ? "more cells than columns" : `no time: "${shortened(cells[time] ?? "")}"`})`;
  }

  #number(cell: string | undefined): number {
    if (cell === undefined || cell === "") return Number.NaN;
    const value = Number(cell);
    if (Number.isFinite(value)) return value;
    this.#unreadable += 1;
    return Number.NaN;
  }

  #name(problem: string): void {
    this.#problems.push(`line ${this.#line}: ${problem}`);
  }
}

/** Where in a line the time is, and the other columns: of two of one name the first. */
interface Header {
  readonly time: number;
  readonly columns: readonly number[];
  readonly width: number;
}
