/**
 * The cells of one line of a table: separated by commas, semicolons or tabs; one in quotes may hold separators and doubled quotes (RFC 4180).
 * A quoted cell ends with its line: a trace is numbers, and one stray quote must not swallow the rest of the file.
 */

/** Spreadsheets write semicolons where the comma is the decimal sign, and tabs where a table is copied. */
export const separators = [",", ";", "\t"] as const;
export type Separator = (typeof separators)[number];

const quotedCells: Readonly<Record<Separator, RegExp>> = {
  ",": /\s*(?:"((?:[^"]|"")*)"\s*|([^,]*)),/y,
  ";": /\s*(?:"((?:[^"]|"")*)"\s*|([^;]*));/y,
  "\t": / *(?:"((?:[^"]|"")*)" *|([^\t]*))\t/y,
};

export function cellsOf(line: string, separator: Separator): string[] {
  if (!line.includes('"')) return line.split(separator).map((one) => one.trim());
  const cells: string[] = [];
  const cell = quotedCells[separator];
  // One separator more, so that each cell ends with one and the last is found like the others.
  const text = line + separator;
  cell.lastIndex = 0;
  for (let found = cell.exec(text); found !== null; found = cell.exec(text)) {
    cells.push((found[1]?.replaceAll('""', '"') ?? found[2] ?? "").trim());
  }
  return cells;
}

/** Nobody measures more, and of more the model's squares and their squares are no numbers. */
const numberMax = 1e60;

/** NaN where nobody can have measured it. */
export function measured(value: number): number {
  return Math.abs(value) <= numberMax ? value : Number.NaN;
}

/** NaN where it is none. */
export function numberIn(cell: string | undefined): number {
  return cell === undefined || cell === "" ? Number.NaN : measured(Number(cell));
}

/** `1,5`, as a table may have it whose cells are not separated by commas. */
export function hasDecimalComma(cell: string): boolean {
  return /^[-+]?\d+,\d+(?:e[-+]?\d+)?$/i.test(cell);
}

const date = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?) ?(?:Z|UTC|([+-]\d\d):?(\d\d))?)?$/i;

/** As numbers of seconds and of milliseconds since 1970 lie, from 2001 to 2065. */
export const [secondsMin, secondsMax] = [1e9, 3e9] as const;

/** In ms, of a number of seconds or milliseconds since 1970; NaN where it is neither. */
export function epochIn(cell: string | undefined): number {
  const value = numberIn(cell);
  if (value >= secondsMin && value < secondsMax) return value * 1_000;
  return value >= secondsMin * 1_000 && value < secondsMax * 1_000 ? value : Number.NaN;
}

/** In ms since 1970 of ISO 8601, or with a blank for its T; UTC unless it says otherwise. NaN where it is none. */
export function dateIn(cell: string | undefined): number {
  const [, day, time = "00:00", zoneHours, zoneMinutes] = date.exec(cell ?? "") ?? [];
  if (day === undefined) return Number.NaN;
  return Date.parse(`${day}T${time}${zoneHours === undefined ? "Z" : `${zoneHours}:${zoneMinutes}`}`);
}
