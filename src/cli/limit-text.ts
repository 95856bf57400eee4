/** A limit as it is written in a trace and on the command line: a number above 0, of bytes also in the units of the reports. */
const unitBytes: Readonly<Record<string, number>> = { "": 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 };

export function limitOf(text: string): number | null {
  const [, digits, unit = ""] = /^(.*?\d\.?)\s*([KMGT]iB)?$/.exec(text) ?? [];
  const value = Number(digits) * (unitBytes[unit] ?? Number.NaN);
  return Number.isFinite(value) && value > 0 ? value : null;
}
