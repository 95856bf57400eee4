/**
 * The load of a day, in 48 bins of half an hour with a memory of some days: what work the next hours will
 * bring. A leak that grows with requests is forecast along this path, not along the mean: at night it rests.
 * Until a day and a quarter have been seen the answer is null, and the caller goes by the mean.
 */

const binsPerDay = 48;
const dayMs = 86_400_000;
const binMs = dayMs / binsPerDay;
const coveredMsMin = 1.25 * dayMs;
/** Older days fade: a bin's memory is that of this much time in it. */
const memoryMs = 5 * binMs;

export interface LoadAhead {
  readonly work: number;
  readonly overloadWork: number;
  /** The highest rate on the way, per millisecond. */
  readonly highestRate: number;
}

export class LoadProfile {
  readonly #timeMs = new Float64Array(binsPerDay);
  readonly #work = new Float64Array(binsPerDay);
  readonly #overloadWork = new Float64Array(binsPerDay);
  #coveredMs = 0;

  /** Work, and overload, done in the time that ended at `atMs`. */
  add(atMs: number, elapsedMs: number, work: number, overload: number): void {
    if (elapsedMs <= 0 || elapsedMs > 4 * binMs) return;
    const bin = binOf(atMs);
    const before = this.#timeMs[bin] ?? 0;
    const keep = before + elapsedMs > memoryMs ? Math.max(memoryMs - elapsedMs, 0) / before : 1;
    this.#timeMs[bin] = before * keep + elapsedMs;
    this.#work[bin] = (this.#work[bin] ?? 0) * keep + work;
    this.#overloadWork[bin] = (this.#overloadWork[bin] ?? 0) * keep + overload;
    this.#coveredMs += elapsedMs;
  }

  get isKnown(): boolean {
    return this.#coveredMs >= coveredMsMin && this.#timeMs.every((timeMs) => timeMs > 0);
  }

  /** Running sums of the day that begins at `nowMs`, one entry a bin; looked up by `loadAhead`. */
  day(nowMs: number): readonly LoadAhead[] {
    const sums: LoadAhead[] = [{ work: 0, overloadWork: 0, highestRate: 0 }];
    for (let at = 0; at < binsPerDay; at += 1) {
      const bin = (binOf(nowMs) + at) % binsPerDay;
      const rate = (this.#work[bin] ?? 0) / (this.#timeMs[bin] ?? 1);
      const dense = (this.#overloadWork[bin] ?? 0) / (this.#timeMs[bin] ?? 1);
      const last = sums[at] ?? { work: 0, overloadWork: 0, highestRate: 0 };
      sums.push({
        work: last.work + rate * binMs,
        overloadWork: last.overloadWork + dense * binMs,
        highestRate: Math.max(last.highestRate, rate),
      });
    }
    return sums;
  }
}

/** What the time until `aheadMs` from the day's start brings; days repeat. */
export function loadAhead(day: readonly LoadAhead[], aheadMs: number): LoadAhead {
  const none = { work: 0, overloadWork: 0, highestRate: 0 };
  const whole = day[binsPerDay] ?? none;
  const days = Math.floor(aheadMs / dayMs);
  const bins = (aheadMs - days * dayMs) / binMs;
  const below = day[Math.floor(bins)] ?? none;
  const next = day[Math.min(Math.floor(bins) + 1, binsPerDay)] ?? whole;
  const part = bins - Math.floor(bins);
  return {
    work: days * whole.work + below.work + part * (next.work - below.work),
    overloadWork: days * whole.overloadWork + below.overloadWork + part * (next.overloadWork - below.overloadWork),
    highestRate: days > 0 ? whole.highestRate : next.highestRate,
  };
}

function binOf(atMs: number): number {
  return Math.floor((((atMs % dayMs) + dayMs) % dayMs) / binMs);
}
