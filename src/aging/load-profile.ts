/**
 * The load of a day, in 48 bins of half an hour with a memory of some days: what work the next hours will
 * bring. A leak that grows with requests is forecast along this path, not along the mean: at night it rests.
 * Hours that nobody has seen yet are filled in by the wave of a day through those that were (a ridge
 * regression on the first harmonic: what little is known is not overdrawn). Before two hours the answer is
 * null, and the caller goes by the mean.
 */

const binsPerDay = 48;
const dayMs = 86_400_000;
const binMs = dayMs / binsPerDay;
const coveredMsMin = 2 * 3_600_000;
/** Older days fade: a bin's memory is that of this much time in it. */
const memoryMs = 5 * binMs;
/** A day's wave is expected to be about this share of the mean, a bin to be this far from it. */
const waveRatio = 0.35;
const binNoiseRatio = 0.12;

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

  /** Share of the day's bins that nobody has seen yet. */
  get unseenRatio(): number {
    return this.#timeMs.filter((timeMs) => timeMs === 0).length / binsPerDay;
  }

  /** Running sums of the day that begins at `nowMs`, one entry a bin; looked up by `loadAhead`. */
  day(nowMs: number): readonly LoadAhead[] | null {
    if (this.#coveredMs < coveredMsMin) return null;
    const unseen = this.unseenRatio > 0 ? this.#waves() : null;
    const sums: LoadAhead[] = [{ work: 0, overloadWork: 0, highestRate: 0 }];
    for (let at = 0; at < binsPerDay; at += 1) {
      const bin = (binOf(nowMs) + at) % binsPerDay;
      const timeMs = this.#timeMs[bin] ?? 0;
      const rate = timeMs > 0 ? (this.#work[bin] ?? 0) / timeMs : (unseen?.work(bin) ?? 0);
      const dense = timeMs > 0 ? (this.#overloadWork[bin] ?? 0) / timeMs : (unseen?.overloadWork(bin) ?? 0);
      const last = sums[at] ?? { work: 0, overloadWork: 0, highestRate: 0 };
      sums.push({
        work: last.work + rate * binMs,
        overloadWork: last.overloadWork + dense * binMs,
        highestRate: Math.max(last.highestRate, rate),
      });
    }
    return sums;
  }

  #waves(): { readonly work: (bin: number) => number; readonly overloadWork: (bin: number) => number } {
    return { work: waveThrough(this.#timeMs, this.#work), overloadWork: waveThrough(this.#timeMs, this.#overloadWork) };
  }
}

/** mean + a cos + b sin through the bins that were seen; a and b have a prior around zero. */
function waveThrough(timeMs: Float64Array, amounts: Float64Array): (bin: number) => number {
  const seen = [...timeMs.keys()].filter((bin) => (timeMs[bin] ?? 0) > 0);
  const rates = seen.map((bin) => (amounts[bin] ?? 0) / (timeMs[bin] ?? 1));
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / Math.max(rates.length, 1);
  if (mean <= 0) return () => 0;
  const ridge = (binNoiseRatio / waveRatio) ** 2;
  // Normal equations of (offset, a, b), relative to the mean; the offset's prior is wider.
  const rows = seen.map((bin) => [1, Math.cos(angleOf(bin)), Math.sin(angleOf(bin))] as const);
  const gram = [0, 1, 2].map((i) =>
    [0, 1, 2].map((j) => rows.reduce((sum, row) => sum + (row[i] ?? 0) * (row[j] ?? 0), 0) + (i === j ? ridge * (i === 0 ? 0.5 : 1) : 0)),
  );
  const moments = [0, 1, 2].map((i) => rows.reduce((sum, row, at) => sum + (row[i] ?? 0) * ((rates[at] ?? 0) / mean - 1), 0));
  const [offset = 0, a = 0, b = 0] = solve(gram, moments);
  return (bin) => Math.max(mean * (1 + offset + a * Math.cos(angleOf(bin)) + b * Math.sin(angleOf(bin))), 0);
}

/** Gauss elimination of a small, positive definite system. */
function solve(matrix: number[][], right: number[]): number[] {
  const size = right.length;
  for (let pivot = 0; pivot < size; pivot += 1) {
    for (let row = pivot + 1; row < size; row += 1) {
      const factor = (matrix[row]?.[pivot] ?? 0) / (matrix[pivot]?.[pivot] ?? 1);
      matrix[row] = (matrix[row] ?? []).map((value, column) => value - factor * (matrix[pivot]?.[column] ?? 0));
      right[row] = (right[row] ?? 0) - factor * (right[pivot] ?? 0);
    }
  }
  for (let row = size - 1; row >= 0; row -= 1) {
    const known = right.reduce((sum, value, column) => (column > row ? sum + (matrix[row]?.[column] ?? 0) * value : sum), 0);
    right[row] = ((right[row] ?? 0) - known) / (matrix[row]?.[row] ?? 1);
  }
  return right;
}

function angleOf(bin: number): number {
  return (2 * Math.PI * (bin + 0.5)) / binsPerDay;
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
