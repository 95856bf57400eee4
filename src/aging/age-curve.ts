/**
 * The floors of one life by its age, on a grid that doubles each four steps: 80 numbers for three months; and how several lives
 * rose together.
 */

const firstAgeMs = 8_000;
const stepsPerDoubling = 4;
const ages = 80;
/** A reading of the same age may lie so many steps of the grid earlier. */
const stepsBackMax = 2;
/** Of readings of one age the newest counts for so much: a step tells of its end. */
const newestShare = 0.1;

export class AgeCurve {
  /** Of each step; behind them the first floor of all. */
  readonly #means = new Float32Array(ages + 1).fill(Number.NaN);
  #last = -1;

  get oldestMs(): number {
    return this.#last < 0 ? 0 : firstAgeMs * 2 ** (this.#last / stepsPerDoubling);
  }

  /** The first floor that it had; NaN before. */
  get first(): number {
    return this.#means[ages] ?? Number.NaN;
  }

  add(ageMs: number, floor: number): void {
    const step = stepOf(ageMs);
    if (step === null) return;
    if (this.#last < 0) this.#means[ages] = floor;
    this.#last = Math.max(this.#last, step);
    const mean = this.#means[step] ?? Number.NaN;
    this.#means[step] = Number.isNaN(mean) ? floor : mean + (floor - mean) * newestShare;
  }

  /** NaN where it had none near that age. */
  at(ageMs: number): number {
    const step = stepOf(ageMs) ?? 0;
    for (let back = 0; back <= stepsBackMax; back += 1) {
      const mean = this.#means[step - back] ?? Number.NaN;
      if (!Number.isNaN(mean)) return mean;
    }
    return Number.NaN;
  }

  /** What it gained in each step that is over, from one that it had a floor in to the next. */
  gains(): Float64Array {
    const gains = new Float64Array(Math.max(this.#last, 0));
    let before = this.first;
    for (let step = 0; step < gains.length; step += 1) {
      const mean = this.#means[step] ?? Number.NaN;
      if (Number.isNaN(mean)) continue;
      gains[step] = mean - before;
      before = mean;
    }
    return gains;
  }

  /** Ages that it had no floor at are no numbers, and are passed over. */
  highestAfter(ageMs: number): number {
    let highest = Number.NEGATIVE_INFINITY;
    for (const mean of this.#means.subarray((stepOf(ageMs) ?? 0) + 1, ages)) if (mean > highest) highest = mean;
    return highest;
  }
}

function stepOf(ageMs: number): number | null {
  if (ageMs < firstAgeMs) return null;
  return Math.min(Math.floor(stepsPerDoubling * Math.log2(ageMs / firstAgeMs)), ages - 1);
}

/** How lives rose on average: in each step by what those gained that lived through it. */
export class Rise {
  readonly #levels: Float64Array;

  constructor(curves: readonly AgeCurve[]) {
    const all = curves.map((curve) => curve.gains());
    const steps = all.reduce((most, { length }) => Math.max(most, length), 0);
    this.#levels = new Float64Array(steps + 1);
    for (let step = 0; step < steps; step += 1) {
      const those = all.filter(({ length }) => length > step);
      const gained = those.reduce((sum, gains) => sum + (gains[step] ?? 0), 0);
      this.#levels[step + 1] = (this.#levels[step] ?? 0) + gained / those.length;
    }
  }

  /** Nobody is known to have been older. */
  get oldestMs(): number {
    return endOf(this.#levels.length - 1);
  }

  /** Since the begin of life; straight between two steps, and beyond the last as in the last two. */
  at(ageMs: number): number {
    const last = this.#levels.length - 1;
    const step = stepOf(ageMs) ?? 0;
    return step < last ? this.#between(step, step + 1, ageMs) : this.#between(Math.max(last - 2, 0), last, ageMs);
  }

  #between(step: number, next: number, ageMs: number): number {
    const [fromMs, toMs] = [endOf(step), endOf(next)];
    const [from = 0, to = from] = [this.#levels[step], this.#levels[next]];
    return toMs > fromMs ? from + ((to - from) * (ageMs - fromMs)) / (toMs - fromMs) : from;
  }
}

/** The age at which so many steps are over. */
function endOf(steps: number): number {
  return steps <= 0 ? 0 : firstAgeMs * 2 ** (steps / stepsPerDoubling);
}
