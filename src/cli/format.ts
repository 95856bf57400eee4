/** How the command line writes quantities, durations, tables, and what others have said. */

/** Milliseconds as people say them: `850 ms`, `12 s`, `3 min`, `5 h`, `2 d`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  if (ms < 120 * 60_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 48 * 3_600_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}

/** A reading in the unit that its name ends in; `-` where there is none. */
export function quantity(name: string, value: number | undefined): string {
  if (value === undefined) return "-";
  if (name.endsWith("Bytes")) return `${(value / 1024 / 1024).toFixed(value < 100 * 1024 * 1024 ? 1 : 0)} MiB`;
  if (name.endsWith("Ms")) return duration(value);
  if (name.endsWith("Ratio")) return `${(value * 100).toFixed(1)} %`;
  return String(value);
}

/** Rows as lines, columns padded to the widest cell. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** Control characters of others: a terminal would obey them. */
export function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n]/gu, "\uFFFD");
}

/** What an application said (last words, names, messages of errors), so that no line of it looks like one of ours. */
export function said(text: string): string {
  return printable(text.replaceAll("\t", " ")).replaceAll("\n", "\n    ");
}
