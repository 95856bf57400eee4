/**
 * What the readers of trace files agree on: rows as they stand in the file, whose order and clock nobody has judged yet.
 * They are kept as doubles: as objects a million rows would take ten times their file.
 */

export interface Parsed {
  /** Of which the file tells: one at least. */
  readonly processes: readonly Recorded[];
  /** What the limits are from a row on; at the last such row before it. */
  readonly limits: readonly LimitsFrom[];
}

export interface Recorded {
  /** Which process of several; null where the file tells of one. */
  readonly instance: string | null;
  readonly rows: Rows;
  /** The columns' names as they are told apart from those of the file's other processes. */
  readonly labelled: readonly string[];
  /** Sentences about these rows alone. */
  readonly problems: readonly string[];
}

export interface LimitsFrom {
  readonly row: number;
  readonly limits: Readonly<Record<string, number>>;
}

const rowsPerBlock = 512;

export class Rows {
  /** The columns beside the time. */
  readonly names: readonly string[];
  /** Each row is its time and its cells. */
  readonly #width: number;
  readonly #blocks: Float64Array[] = [];
  #length = 0;

  constructor(names: readonly string[]) {
    this.names = names;
    this.#width = names.length + 1;
  }

  get length(): number {
    return this.#length;
  }

  /** A cell without a number is NaN. */
  add(atMs: number, cells: readonly number[]): void {
    if (this.#length % rowsPerBlock === 0) this.#blocks.push(new Float64Array(rowsPerBlock * this.#width));
    const begin = (this.#length % rowsPerBlock) * this.#width;
    const block = this.#blocks.at(-1);
    block?.set(cells, begin + 1);
    if (block !== undefined) block[begin] = atMs;
    this.#length += 1;
  }

  timesMs(): Float64Array {
    return new Float64Array(this.#length).map((_, row) => this.cell(row, -1));
  }

  hasNumber(column: number): boolean {
    for (let row = 0; row < this.#length; row += 1) if (!Number.isNaN(this.cell(row, column))) return true;
    return false;
  }

  /** From one number to the next, somewhere at least. */
  onlyRises(column: number): boolean {
    let [first, last] = [Number.NaN, Number.NaN];
    for (let row = 0; row < this.#length; row += 1) {
      const value = this.cell(row, column);
      if (value < last) return false;
      if (Number.isNaN(first)) first = value;
      if (!Number.isNaN(value)) last = value;
    }
    return last > first;
  }

  cell(row: number, column: number): number {
    return this.#blocks[Math.floor(row / rowsPerBlock)]?.[(row % rowsPerBlock) * this.#width + 1 + column] ?? Number.NaN;
  }
}

/** Of a file that tells of one process. */
export function ofOne(rows: Rows, limits: readonly LimitsFrom[]): Parsed {
  return { processes: [{ instance: null, rows, labelled: rows.names, problems: [] }], limits };
}

export const nothing: Parsed = ofOne(new Rows([]), []);

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Of more columns than these not all are named. */
const columnsNamedMax = 16;
const shownMax = 60;

/** What a file says, in a sentence about it. */
export function shortened(told: string): string {
  return told.length > shownMax ? `${told.slice(0, shownMax)}…` : told;
}

export function named(columns: readonly string[]): string {
  return `${columns.slice(0, columnsNamedMax).map(shortened).join(", ")}${columns.length > columnsNamedMax ? ", …" : ""}`;
}
