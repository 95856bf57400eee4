/** What the readers of trace files agree on: rows as they stand in the file, whose order and clock nobody has judged yet. */

export interface Parsed {
  readonly rows: readonly RawRow[];
  readonly limits: Readonly<Record<string, number>>;
  readonly columns: readonly string[];
}

export const nothing: Parsed = { rows: [], limits: {}, columns: [] };

export interface RawRow {
  readonly atMs: number;
  readonly cells: Readonly<Record<string, number>>;
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
