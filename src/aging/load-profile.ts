/**
 * The load of a day, in 48 bins of half an hour with a memory of some days: what work the next hours will
 * bring, and how the work of a past while was spread over it. A leak that grows with requests is forecast along this
 * path, not along the mean: at night it rests; one that grows only under load needs the hours in which the rate is above a threshold.
 * Hours that an instance has not seen it knows from the others, the ended ones too. Hours that nobody has seen yet
 * are filled in by the wave of a day through those that were (a ridge regression on the first harmonic: what
 * little is known is not overdrawn). Before two hours the answer is null, and the caller goes by the mean.
 */

import { columnOf } from "./columns.ts";
import { LoadWeek } from "./load-week.ts";
import { solve } from "./trend-fit.ts";

const binsPerDay = 48;
const dayMs = 86_400_000;
const binMs = dayMs / binsPerDay;
const coveredMsMin = 2 * 3_600_000;
/** Older days fade: a bin's memory is that of this much time in it. */
const memoryMs = 5 * binMs;
/** A day's wave is expected to be about this share of the mean, a bin to be this far from it. */
const waveRatio = 0.4;
const binNoiseRatio = 0.02;
/** No hour that nobody has seen is expected to bring less than this share of the mean: a load that went down is no night yet. */
const unseenRateMin = 0.3;
/** What the wave leaves unexplained of the bins seen lowers it this many times: errors of neighbouring bins go together. */
const unexplainedCost = 2;
/** An instance is believed to serve as much as the others until it has itself served for about so long. */
const alikeMs = binMs / 2;

/** From this multiple of the mean rate on, requests count as overload: several, since nobody knows from which load on an instance leaks. */
export const overloadRatios = [0.85, 1, 1.15, 1.3] as const;
export const noOverload: readonly number[] = overloadRatios.map(() => 0);

export interface LoadAhead {
  readonly work: number;
  /** Work beyond each threshold of `overloadRatios`. */
  readonly overload: readonly number[];
}

/** What an instance has done from its birth until now. */
export interface Life {
  readonly startMs: number;
  readonly lastMs: number;
  readonly work: number;
}

export class LoadProfile {
  /** Of each bin of the day the time, then of each the work: to seven digits, more than a day is like the next. */
  readonly #bins = new Float32Array(2 * binsPerDay);
  /** Of an instance what the others know; of all together, since few live for weeks, the week. */
  readonly #wider: LoadProfile | LoadWeek;
  #coveredMs = 0;

  constructor(usual?: LoadProfile) {
    this.#wider = usual ?? new LoadWeek();
  }

  get #usual(): LoadProfile | undefined {
    return this.#wider instanceof LoadProfile ? this.#wider : undefined;
  }

  /** Work done in the time that ended at `atMs`, evenly. */
  add(atMs: number, elapsedMs: number, work: number): void {
    if (elapsedMs <= 0 || elapsedMs > 4 * binMs) return;
    for (let fromMs = atMs - elapsedMs; fromMs < atMs; ) {
      const untilMs = Math.min(endOfBin(fromMs), atMs);
      const part = (work * (untilMs - fromMs)) / elapsedMs;
      this.#addTo(binOf(fromMs), untilMs - fromMs, part);
      if (this.#wider instanceof LoadWeek) this.#wider.add(untilMs, untilMs - fromMs, part);
      fromMs = untilMs;
    }
    this.#coveredMs += elapsedMs;
  }

  #addTo(bin: number, elapsedMs: number, work: number): void {
    const before = this.#bins[bin] ?? 0;
    const keep = before + elapsedMs > memoryMs ? Math.max(memoryMs - elapsedMs, 0) / before : 1;
    this.#bins[bin] = before * keep + elapsedMs;
    this.#bins[binsPerDay + bin] = (this.#bins[binsPerDay + bin] ?? 0) * keep + work;
  }

  /** Share of the day's bins that nobody has seen yet. */
  get unseenRatio(): number {
    return (
      this.#known()
        .subarray(0, binsPerDay)
        .filter((timeMs) => timeMs === 0).length / binsPerDay
    );
  }

  /** Requests a millisecond in each bin of the day (UTC), seen or filled in; null while too little is known. */
  rates(): Float64Array | null {
    const usual = this.#usual;
    if (Math.max(this.#coveredMs, usual === undefined ? 0 : usual.#coveredMs) < coveredMsMin) return null;
    const known = this.#known();
    const [times, works] = [known.subarray(0, binsPerDay), known.subarray(binsPerDay)];
    const unseen = times.includes(0) ? unseenThrough(times, works) : null;
    return columnOf(times, (timeMs, bin) => (timeMs > 0 ? (works[bin] ?? 0) / timeMs : (unseen?.(bin) ?? 0)));
  }

  /**
   * The same of the bins of a week, the first begins with the epoch's day; null while too little is known. That of the others is brought to the
   * level of a life by all its work, not by its hours of the day: who was born on a Saturday has seen no other.
   */
  ratesOfWeek(life: Life): Float64Array | null {
    const wider = this.#wider;
    if (wider instanceof LoadProfile) return atLevelOf(life, wider.ratesOfWeek(life));
    const day = wider.isKnown ? this.rates() : null;
    return day === null ? null : wider.along(day);
  }

  /** Its own bins, and for those that it has not seen the others', at its own level. */
  #known(): Float32Array {
    const usual = this.#usual;
    if (usual === undefined) return this.#bins;
    const known = this.#bins.slice();
    const level = this.#levelAgainst(usual);
    for (let bin = 0; bin < binsPerDay; bin += 1) {
      if ((known[bin] ?? 0) > 0) continue;
      known[bin] = usual.#bins[bin] ?? 0;
      known[binsPerDay + bin] = level * (usual.#bins[binsPerDay + bin] ?? 0);
    }
    return known;
  }

  /** Its work over what the others did in the same hours. */
  #levelAgainst(usual: LoadProfile): number {
    const others = usual.#bins.subarray(binsPerDay);
    const meanRate = sumOf(others) / Math.max(sumOf(usual.#bins.subarray(0, binsPerDay)), 1);
    let [own, expected] = [alikeMs * meanRate, alikeMs * meanRate];
    for (let bin = 0; bin < binsPerDay; bin += 1) {
      const [timeMs = 0, usualMs = 0] = [this.#bins[bin], usual.#bins[bin]];
      if (timeMs === 0 || usualMs === 0) continue;
      own += this.#bins[binsPerDay + bin] ?? 0;
      expected += ((others[bin] ?? 0) * timeMs) / usualMs;
    }
    return expected > 0 ? own / expected : 1;
  }
}

function atLevelOf({ startMs, lastMs, work }: Life, rates: Float64Array | null): Float64Array | null {
  if (rates === null) return null;
  const alike = (alikeMs * rates.reduce((sum, rate) => sum + rate, 0)) / rates.length;
  const expected = loadAhead(dayAhead(rates, startMs, 0), lastMs - startMs).work;
  const level = expected + alike > 0 ? (work + alike) / (expected + alike) : 1;
  return rates.map((rate) => level * rate);
}

function sumOf(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** Running sums of the day, or week, that begins at `nowMs`, one entry a bin; looked up by `loadAhead`. @param usual the mean rate of the life. */
export function dayAhead(rates: Float64Array, nowMs: number, usual: number): readonly LoadAhead[] {
  let last: LoadAhead = { work: 0, overload: noOverload };
  const sums = [last];
  // Each half hour from now on begins within one bin and ends in the next.
  const begun = binsBegun(nowMs);
  const now = binOf(nowMs, rates.length);
  for (let at = 0; at < rates.length; at += 1) {
    const [first = 0, second = 0] = [rates[(now + at) % rates.length], rates[(now + at + 1) % rates.length]];
    const rate = first + begun * (second - first);
    last = {
      work: last.work + rate * binMs,
      overload: overloadRatios.map((ratio, which) => (last.overload[which] ?? 0) + Math.max(rate - ratio * usual, 0) * binMs),
    };
    sums.push(last);
  }
  return sums;
}

/**
 * Work beyond each threshold in a past while of which only the whole work is known: spread as the day's profile says, evenly without one.
 * @param usual the mean rate of the life.
 */
export function overloadWithin(rates: Float64Array | null, fromMs: number, toMs: number, work: number, usual: number): readonly number[] {
  const spent = toMs - fromMs;
  if (spent <= 0 || work <= 0) return noOverload;
  const beyond = (rate: number, forMs: number) => overloadRatios.map((ratio) => Math.max(rate - ratio * usual, 0) * forMs);
  if (rates === null || spent <= binMs) return beyond(work / spent, spent);
  const parts: { rate: number; forMs: number }[] = [];
  let expected = 0;
  for (let atMs = fromMs; atMs < toMs; ) {
    const nextMs = Math.min(endOfBin(atMs), toMs);
    const rate = rates[binOf(atMs, rates.length)] ?? 0;
    parts.push({ rate, forMs: nextMs - atMs });
    expected += rate * (nextMs - atMs);
    atMs = nextMs;
  }
  if (expected <= 0) return beyond(work / spent, spent);
  const sum = overloadRatios.map(() => 0);
  for (const { rate, forMs } of parts) {
    for (const [which, more] of beyond((rate * work) / expected, forMs).entries()) sum[which] = (sum[which] ?? 0) + more;
  }
  return sum;
}

/**
 * What the hours that nobody has seen will bring: mean + a cos + b sin through those that were, a and b with a prior around zero; or, as
 * much as that explains them better, the level that has been there since the largest change of the load (a service that began slowly).
 */
function unseenThrough(timeMs: Float32Array, amounts: Float32Array): (bin: number) => number {
  const seen = inOrder([...timeMs.keys()].filter((bin) => (timeMs[bin] ?? 0) > 0));
  const rates = seen.map((bin) => (amounts[bin] ?? 0) / (timeMs[bin] ?? 1));
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / Math.max(rates.length, 1);
  if (mean <= 0) return () => 0;
  const apart = rates.map((rate) => rate / mean - 1);
  const wave = waveThrough(seen, apart);
  const rest = (squares: number) => squares / Math.max(seen.length - 3, 1);
  const left = rest(apart.reduce((sum, one, at) => sum + (one - wave(seen[at] ?? 0)) ** 2, 0));
  const all = apart.reduce((sum, one) => sum + one ** 2, 0) / Math.max(seen.length - 1, 1);
  // A load in waves of its own is no day: where the wave explains little of what was seen, it tells little of what was not.
  const explained = all > 0 ? Math.max(1 - (unexplainedCost * left) / all, 0) : 0;
  const step = stepThrough(apart);
  const noise = binNoiseRatio ** 2;
  const ofStep = 1 / (1 + ((rest(step.squares) + noise) / (left + noise)) ** (seen.length / 2));
  return (bin) => mean * Math.max(1 + (1 - ofStep) * explained * wave(bin) + ofStep * step.after, unseenRateMin);
}

/** Bins of a day in the order in which they came: the first is behind the longest gap. */
function inOrder(seen: readonly number[]): number[] {
  const gapBefore = (at: number) => ((seen[at] ?? 0) - (seen.at(at - 1) ?? 0) + binsPerDay - 1) % binsPerDay;
  let first = 0;
  for (let at = 1; at < seen.length; at += 1) if (gapBefore(at) > gapBefore(first)) first = at;
  return [...seen.slice(first), ...seen.slice(0, first)];
}

function waveThrough(seen: readonly number[], apart: readonly number[]): (bin: number) => number {
  const ridge = (binNoiseRatio / waveRatio) ** 2;
  // Normal equations of (offset, a, b), relative to the mean; the offset's prior is wider.
  const rows = seen.map((bin) => [1, Math.cos(angleOf(bin)), Math.sin(angleOf(bin))] as const);
  const gram = [0, 1, 2].flatMap((i) =>
    [0, 1, 2].map((j) => rows.reduce((sum, row) => sum + (row[i] ?? 0) * (row[j] ?? 0), 0) + (i === j ? ridge * (i === 0 ? 0.5 : 1) : 0)),
  );
  const moments = [0, 1, 2].map((i) => rows.reduce((sum, row, at) => sum + (row[i] ?? 0) * (apart[at] ?? 0), 0));
  const [offset = 0, a = 0, b = 0] = solve(gram, moments).coefficients;
  return (bin) => offset + a * Math.cos(angleOf(bin)) + b * Math.sin(angleOf(bin));
}

/** One level before and one after the best moment: what that leaves, and where it came to. Of values whose mean is 0. */
function stepThrough(values: readonly number[]): { readonly squares: number; readonly after: number } {
  const all = values.reduce((sum, one) => sum + one ** 2, 0);
  let best = { squares: all, after: 0 };
  let before = 0;
  for (const [at, value] of values.entries()) {
    if (at > 0) {
      const count = values.length - at;
      const squares = all - before ** 2 / at - before ** 2 / count;
      if (squares < best.squares) best = { squares, after: -before / count };
    }
    before += value;
  }
  return { ...best, squares: Math.max(best.squares, 0) };
}

function angleOf(bin: number): number {
  return (2 * Math.PI * (bin + 0.5)) / binsPerDay;
}

/** What the time until `aheadMs` from the day's start brings; days, or weeks, repeat. */
export function loadAhead(day: readonly LoadAhead[], aheadMs: number): LoadAhead {
  const none = { work: 0, overload: noOverload };
  const whole = day.at(-1) ?? none;
  const times = Math.floor(aheadMs / lengthMs(day));
  const bins = (aheadMs - times * lengthMs(day)) / binMs;
  const below = day[Math.floor(bins)] ?? none;
  const next = day[Math.floor(bins) + 1] ?? whole;
  const part = bins - Math.floor(bins);
  const sum = (whole: number, below: number, next: number) => times * whole + below + part * (next - below);
  return {
    work: sum(whole.work, below.work, next.work),
    overload: overloadRatios.map((_, at) => sum(whole.overload[at] ?? 0, below.overload[at] ?? 0, next.overload[at] ?? 0)),
  };
}

/** A day or a week. */
export function lengthMs(day: readonly LoadAhead[]): number {
  return (day.length - 1) * binMs;
}

/** The highest rate within a while, times from the day's start, per millisecond. */
export function highestRate(day: readonly LoadAhead[], fromMs: number, toMs: number): number {
  const bins = day.length - 1;
  const first = Math.floor(fromMs / binMs);
  const count = Math.min(Math.max(Math.ceil(toMs / binMs) - first, 1), bins);
  let highest = 0;
  for (let bin = first; bin < first + count; bin += 1) {
    const at = bin % bins;
    highest = Math.max(highest, ((day[at + 1]?.work ?? 0) - (day[at]?.work ?? 0)) / binMs);
  }
  return highest;
}

function binOf(atMs: number, bins: number = binsPerDay): number {
  const lengthMs = bins * binMs;
  return Math.floor((((atMs % lengthMs) + lengthMs) % lengthMs) / binMs);
}

function endOfBin(atMs: number): number {
  return (Math.floor(atMs / binMs) + 1) * binMs;
}

/** The part of its bin that is over. */
function binsBegun(atMs: number): number {
  return atMs / binMs - Math.floor(atMs / binMs);
}
