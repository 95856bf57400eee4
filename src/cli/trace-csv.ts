/** A table with a header, its cells separated by commas, semicolons or tabs, into rows. What is broken in it is named and survived. */
import { cellsOf, dateIn, epochIn, hasDecimalComma, numberIn, type Separator, separators } from "./csv-cells.ts";
import { limitOf } from "./limit-text.ts";
import { counted, type LimitsFrom, named, nothing, ofOne, type Parsed, Rows, shortened } from "./trace-rows.ts";

/** Where there is no `timeMs`, as tables are usually written. */
const dateColumn = /^(?:timestamp|time|date|datetime)$/i;

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
  #firstUnreadable = "";
  #firstDecimalComma = "";

  constructor(problems: string[]) {
    this.#problems = problems;
  }

  /** @returns false where what follows cannot be read either. */
  read(line: string): boolean {
    this.#line += 1;
    // A spreadsheet fills its empty rows up with separators, and may say its separator first.
    if (/^(?:[\s,;]*|sep=.)$/.test(line)) return true;
    const comment = commentIn(line);
    if (comment !== null) this.#readComment(comment);
    else if (this.#header === null) return this.#readHeader(line);
    else if (!this.#mayBeRow(line, this.#header)) return false;
    else this.#readRow(line, this.#header);
    return true;
  }

  end(): Parsed {
    if (this.#header === null) this.#problems.push("there is no header line");
    else if (this.#rows.length + this.#broken === 0) this.#problems.push("there are no rows below the header");
    if (this.#broken > 0) this.#problems.push(`left out: ${counted(this.#broken, "broken row")}, the first in ${this.#firstBroken}`);
    if (this.#unreadable > 0)
      this.#problems.push(`left out: ${counted(this.#unreadable, "cell")} without a number, the first in ${this.#firstUnreadable}`);
    if (this.#firstDecimalComma !== "")
      this.#problems.push(`commas within numbers were taken for decimal points, the first in ${this.#firstDecimalComma}`);
    if (this.#rows.length > 0 && this.#limits.at(-1)?.row === this.#rows.length)
      this.#problems.push("a limit below the last row holds for none: it holds from its line on");
    return ofOne(this.#rows, this.#limits);
  }

  /** A limit below the header holds from there on: a process that was started again with a larger heap. */
  #readComment(comment: string): void {
    const [, told] = /^#+\s*(?:limit\b|limits?:?(?=\s+[^=\s]+\s*=))\s*(.*)$/i.exec(comment) ?? [];
    if (told === undefined) return;
    for (const one of told.split(/\s+(?=[^=\s]+\s*=)/)) {
      const [, name, amount = ""] = /^([^=\s]+)\s*=\s*(.*?),?$/.exec(one) ?? [];
      const value = limitOf(amount);
      if (name === undefined) {
        this.#name(`a limit is written as # limit rssBytes=512000000, not as "${shortened(comment)}"`);
      } else if (value === null) {
        this.#name(`the limit of ${shortened(name)} is no number above 0: "${shortened(amount)}"`);
      } else this.#limits.push({ row: this.#rows.length, limits: { ...this.#limits.at(-1)?.limits, [name]: value } });
    }
  }

  #readHeader(line: string): boolean {
    const separator = separators.find((one) => cellsOf(line, one).some(isTime)) ?? ",";
    const cells = cellsOf(line, separator);
    const twice = cells.find((name, at) => name !== "" && cells.indexOf(name) !== at);
    if (twice !== undefined) this.#name(`there is more than one column ${shortened(twice)}; the first was taken`);
    const hasNumbers = cells.includes("timeMs");
    const time = hasNumbers ? cells.indexOf("timeMs") : cells.findIndex((name) => dateColumn.test(name));
    const problem = `line ${this.#line}: the header has no column timeMs; it has ${named(cells)}`;
    if (time === -1) {
      this.#problems.push(problem);
      return false;
    }
    const columns = cells.flatMap((name, at) => (at === time || cells.indexOf(name) !== at ? [] : [at]));
    this.#header = { separator, time, columns, width: cells.length, hasDates: !hasNumbers, problem };
    this.#rows = new Rows(columns.map((at) => cells[at] ?? ""));
    return true;
  }

  /** What is called `time` may be dates, or numbers, of which only those since 1970 tell their unit. */
  #mayBeRow(line: string, { separator, time, hasDates, problem }: Header): boolean {
    const cell = cellsOf(line, separator)[time];
    if (!hasDates || this.#rows.length > 0 || Number.isNaN(numberIn(cell))) return true;
    const isEpoch = !Number.isNaN(epochIn(cell));
    if (!isEpoch) this.#problems.push(problem);
    return isEpoch;
  }

  #readRow(line: string, { separator, time, columns, width, hasDates }: Header): void {
    const cells = cellsOf(line, separator);
    const atMs = hasDates ? dateOrEpochIn(cells[time]) : numberIn(cells[time]);
    if (Number.isFinite(atMs) && cells.findIndex((cell, at) => at >= width && cell !== "") === -1) {
      for (const [at, column] of columns.entries()) this.#cells[at] = this.#number(at, cells[column]);
      this.#rows.add(atMs, this.#cells);
      return;
    }
    this.#broken += 1;
    this.#firstBroken ||= `line ${this.#line} (${Number.isFinite(atMs) ? "more cells than columns" : `no time: "${shortened(cells[time] ?? "")}"`})`;
  }

  #number(column: number, cell: string | undefined): number {
    const value = numberIn(cell);
    if (!Number.isNaN(value) || cell === undefined || cell === "") return value;
    const where = () => `line ${this.#line} (${shortened(this.#rows.names[column] ?? "")}: "${shortened(cell)}")`;
    if (this.#header?.separator !== "," && hasDecimalComma(cell)) {
      this.#firstDecimalComma ||= where();
      return numberIn(cell.replace(",", "."));
    }
    this.#unreadable += 1;
    this.#firstUnreadable ||= where();
    return value;
  }

  #name(problem: string): void {
    this.#problems.push(`line ${this.#line}: ${problem}`);
  }
}

/** A spreadsheet quotes a comment that holds a separator, and fills its row up with empty cells. */
function commentIn(line: string): string | null {
  const text = line.trimStart();
  const comment = /^"(#(?:[^"]|"")*)"/.exec(text)?.[1]?.replaceAll('""', '"') ?? text;
  return comment.startsWith("#") ? comment.replace(/[,;\s]+$/, "") : null;
}

function isTime(name: string): boolean {
  return name === "timeMs" || dateColumn.test(name);
}

function dateOrEpochIn(cell: string | undefined): number {
  const atMs = dateIn(cell);
  return Number.isNaN(atMs) ? epochIn(cell) : atMs;
}

/** Where in a line the time is, and the other columns: of two of one name the first. */
interface Header {
  readonly separator: Separator;
  readonly time: number;
  readonly columns: readonly number[];
  readonly width: number;
  readonly hasDates: boolean;
  /** What is wrong with a header whose time is called otherwise, if there are no dates below it. */
  readonly problem: string;
}
