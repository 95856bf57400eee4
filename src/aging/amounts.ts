/**
 * Amounts, shares and times as a person reads them: as many digits as matter, in the unit that fits, one unit for
 * both ends of a range. Nothing below its limit is rounded up to it.
 */

/** What a value is measured in: the number and its unit, which may be none. */
type Shown = readonly [number: string, unit: string];

const byteUnits = ["B", "KiB", "MiB", "GiB", "TiB"] as const;
/** From here on the next unit reads better: 1,009 KiB are 0.99 MiB. */
const nextUnitFrom = 999.5;
const digits = 3;
/** From here on nobody counts the zeros: 4.18e10; and below the other, 4.18e−5. */
const powersFrom = 1e9;
const powersBelow = 1e-4;
/** Less than this of what is no byte is nothing ... */
const leastNumber = 0.001;
/** ... but of a gauge whose values are that small, what is less than this share of them. */
const leastOfScale = 0.001;

/** @param scale what the indicator's values are like, where it is known: of a limit of 1e-6, 1e-7 is not nothing. */
export function amount(indicator: string, value: number, scale = Number.POSITIVE_INFINITY): string {
  return joined(shownAmount(indicator, value, scale));
}

/** `811 to 815 MiB`; null where both ends read the same. */
export function amountRange(indicator: string, low: number, high: number, scale = Number.POSITIVE_INFINITY): string | null {
  return range(shownAmount(indicator, low, scale), shownAmount(indicator, high, scale));
}

/** Milliseconds: `5.1 min`, `never`. */
export function time(ms: number): string {
  return joined(shownTime(ms));
}

export function timeRange(lowMs: number, highMs: number): string | null {
  return range(shownTime(lowMs), shownTime(highMs));
}

/** `97.4 %`, rounded down. */
export function percent(ratio: number): string {
  return `${Math.floor(ratio * 1_000 + 1e-9) / 10} %`;
}

/** `rssBytes` of `rssBytes{instance=web-2}`, as one series of several is named. */
export function withoutLabels(name: string): string {
  const at = name.indexOf("{");
  return at === -1 ? name : name.slice(0, at);
}

/** Prometheus's names too: `process_resident_memory_bytes`. */
export function isBytes(name: string): boolean {
  return /(?:Bytes|_bytes)$/.test(withoutLabels(name));
}

function shownAmount(name: string, value: number, scale: number): Shown {
  const indicator = withoutLabels(name);
  if (isBytes(name)) {
    let unit = 0;
    while (Math.abs(value) / 1024 ** unit >= nextUnitFrom && unit < byteUnits.length - 1) unit += 1;
    return [number(unit === 0 ? Math.round(value) : value / 1024 ** unit), byteUnits[unit] ?? ""];
  }
  if (indicator.endsWith("Ms")) return [number(value), "ms"];
  if (indicator.endsWith("Ratio")) return [number(value * 100), "%"];
  return [Math.abs(value) < Math.min(leastNumber, leastOfScale * scale) ? "0" : number(value), ""];
}

/** Reports come each second, and a few hundred texts say all times: each is made once. */
const timesKnown: (Shown | undefined)[][] = [[], [], [], []];
const timeUnits = [
  [1_000, "s"],
  [60_000, "min"],
  [3_600_000, "h"],
  [86_400_000, "d"],
] as const;
const tenthsMax = 2_000;

function shownTime(ms: number): Shown {
  if (!Number.isFinite(ms)) return ["never", ""];
  const place = ms < 120_000 ? 0 : ms < 7_200_000 ? 1 : ms < 172_800_000 ? 2 : 3;
  const [perUnit, unit] = timeUnits[place];
  const value = ms / perUnit;
  const tenths = value < 9.95 ? Math.round(value * 10) : 10 * Math.round(value);
  const known = timesKnown[place] ?? [];
  const isKept = tenths >= 0 && tenths < tenthsMax;
  const shown = (isKept ? known[tenths] : undefined) ?? [String(tenths / 10), unit];
  if (isKept) known[tenths] = shown;
  return shown;
}

function number(value: number): string {
  const size = Math.abs(value);
  if (size >= powersFrom || (size < powersBelow && size > 0)) return inPowers(value);
  const rounded = size >= 100 ? Math.round(value) : Number(value.toPrecision(digits));
  return String(rounded === 0 ? 0 : rounded).replace("-", "−");
}

function inPowers(value: number): string {
  const [mantissa = "", power = ""] = value.toExponential(digits - 1).split("e");
  return `${Number(mantissa)}e${Number(power)}`.replaceAll("-", "−");
}

function joined([text, unit]: Shown): string {
  return unit === "" ? text : `${text} ${unit}`;
}

function range(low: Shown, high: Shown): string | null {
  if (low[0] === high[0] && low[1] === high[1]) return null;
  return low[1] === high[1] || low[0] === "0" ? `${low[0]} to ${joined(high)}` : `${joined(low)} to ${joined(high)}`;
}
