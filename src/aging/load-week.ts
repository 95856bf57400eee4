/**
 * The load of a week, by quarters of a day: what tells a Saturday from a Monday. Known once nearly all of a week was
 * seen. How much of last week's differences is expected again is learnt from week to week (a regression of each
 * quarter's difference on that of the week before); days that differ by chance are soon expected to be alike.
 */

const dayMs = 86_400_000;
const daysPerWeek = 7;
const quartersPerDay = 4;
const quarters = daysPerWeek * quartersPerDay;
const quarterMs = dayMs / quartersPerDay;
/** A quarter of which less was seen says nothing. */
const seenRatioMin = 0.5;
/** Quarters of a week that may be missing: gaps. */
const unseenMax = 4;
/** Share of the newest week in what is known of a quarter. */
const news = 0.5;
/** Before a second week says how much, this much of a difference is expected again; as if so many quarters had shown it. */
const repeatedRatio = 0.6;
const repeatedQuarters = 7;

export class LoadWeek {
  /** Requests a millisecond in each quarter; NaN: not seen. */
  readonly #rates = new Float32Array(quarters).fill(Number.NaN);
  #quarter = Number.NaN;
  #seenMs = 0;
  #work = 0;
  /** Of the differences of this week and the last: sum of products, of squares, and of how many. */
  #together = 0;
  #squares = 0;
  #compared = 0;

  /** Work done in a time that lies within one quarter and ends at `atMs`. */
  add(atMs: number, elapsedMs: number, work: number): void {
    const quarter = Math.ceil(atMs / quarterMs) - 1;
    if (!(quarter <= this.#quarter)) this.#begin(quarter);
    this.#seenMs += elapsedMs;
    this.#work += work;
  }

  #begin(quarter: number): void {
    if (this.#seenMs >= seenRatioMin * quarterMs) this.#keep(mod(this.#quarter, quarters), this.#work / this.#seenMs);
    this.#quarter = quarter;
    this.#seenMs = 0;
    this.#work = 0;
  }

  #keep(at: number, rate: number): void {
    const before = this.#rates[at] ?? Number.NaN;
    const usual = this.#usual(at % quartersPerDay);
    if (this.isKnown && usual > 0 && !Number.isNaN(before)) {
      this.#together += (before / usual - 1) * (rate / usual - 1);
      this.#squares += (before / usual - 1) ** 2;
      this.#compared += 1;
    }
    this.#rates[at] = Number.isNaN(before) ? rate : before + news * (rate - before);
  }

  get isKnown(): boolean {
    return this.#rates.filter(Number.isNaN).length <= unseenMax;
  }

  /** What each part of a week brings, the first begins with the epoch's day: the course within a quarter is that of the day. */
  along(day: Float64Array): Float64Array {
    const perQuarter = day.length / quartersPerDay;
    const rates = new Float64Array(day.length * daysPerWeek);
    for (let at = 0; at < quarters; at += 1) {
      const expected = this.#expected(at);
      const from = (at % quartersPerDay) * perQuarter;
      const course = day.subarray(from, from + perQuarter);
      const mean = course.reduce((sum, rate) => sum + rate, 0) / perQuarter;
      for (let part = 0; part < perQuarter; part += 1)
        rates[at * perQuarter + part] = mean > 0 ? (expected * (course[part] ?? 0)) / mean : expected;
    }
    return rates;
  }

  #expected(at: number): number {
    const usual = this.#usual(at % quartersPerDay);
    const rate = this.#rates[at] ?? Number.NaN;
    return Number.isNaN(rate) ? usual : usual + this.#repeated * (rate - usual);
  }

  /** The mean of the days in a quarter, each as much as the other. */
  #usual(quarter: number): number {
    let [sum, seen] = [0, 0];
    for (let at = quarter; at < quarters; at += quartersPerDay) {
      const rate = this.#rates[at] ?? Number.NaN;
      if (Number.isNaN(rate)) continue;
      sum += rate;
      seen += 1;
    }
    return sum / seen;
  }

  get #repeated(): number {
    const prior = this.#compared === 0 ? 1 : (repeatedQuarters * this.#squares) / this.#compared;
    if (prior <= 0) return repeatedRatio;
    return Math.min(Math.max((this.#together + repeatedRatio * prior) / (this.#squares + prior), 0), 1);
  }
}

function mod(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
