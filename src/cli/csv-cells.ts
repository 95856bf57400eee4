/**
 * The cells of one line of CSV: separated by commas; one in quotes may hold commas and doubled quotes (RFC 4180).
 * A quoted cell ends with its line: a trace is numbers, and one stray quote must not swallow the rest of the file.
 */
const cell = /\s*(?:"((?:[^"]|"")*)"\s*|([^,]*)),/y;

export function cellsOf(line: string): string[] {
  if (!line.includes('"')) return line.split(",").map((one) => one.trim());
  const cells: string[] = [];
  // One comma more, so that each cell ends with one and the last is found like the others.
  const text = `${line},`;
  cell.lastIndex = 0;
  for (let found = cell.exec(text); found !== null; found = cell.exec(text)) {
    cells.push((found[1]?.replaceAll('""', '"') ?? found[2] ?? "").trim());
  }
  return cells;
}

/** NaN where it is none. */
export function numberIn(cell: string | undefined): number {
  const value = cell === undefined || cell === "" ? Number.NaN : Number(cell);
  return Number.isFinite(value) ? value : Number.NaN;
}

const date = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?) ?(?:Z|UTC|([+-]\d\d):?(\d\d))?)?$/i;

/** In ms since 1970 of ISO 8601, or with a blank for its T; UTC unless it says otherwise. NaN where it is none. */
export function dateIn(cell: string | undefined): number {
  const [, day, time = "00:00", zoneHours, zoneMinutes] = date.exec(cell ?? "") ?? [];
  if (day === undefined) return Number.NaN;
  return Date.parse(`${day}T${time}${zoneHours === undefined ? "Z" : `${zoneHours}:${zoneMinutes}`}`);
}
