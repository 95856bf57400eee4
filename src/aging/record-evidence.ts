/**
 * Sequential evidence for an upward trend: how often a new floor (the mean of a short while) is higher than all before it. In an
 * exchangeable series the n-th is with probability 1/n, whatever the distribution (Rényi 1962); betting
 * that it happens more often makes a wealth that is a martingale without a trend, so that by Ville's
 * inequality it ever exceeds 1/alpha with probability alpha at most, however often one looks. The capital is
 * staked in portions, 1/((n - 1) n) of it at the n-th point, so that a long healthy life costs a later leak
 * no more than its logarithm, and the bound stays.
 *
 * Memory usage is not exchangeable (it is autocorrelated, it warms up), so for real series this bound is
 * calibrated by recordings, not guaranteed; the model asks for consequence and persistence beside it.
 */

/** Readings are taken together while they last this share of the age: the means of a noisy leak rise, its readings hardly. */
const batchPerAge = 1 / 24;
/** The first ones count each by itself. */
const singles = 24;
/** The share of records that the bet is on: a leak makes nearly every floor point a record. */
const betRatio = 0.8;
/** The wealth is bounded, so that a trend that has ended is given up again. */
const wealthMax = 1e6;

export class RecordEvidence {
  #count = 0;
  #highest = Number.NEGATIVE_INFINITY;
  /** Of the portions staked so far. */
  #wealth = 0;
  #batchMs = 0;
  #sum = 0;
  #readings = 0;

  /** @param ageMs since the first. */
  add(value: number, ageMs: number): void {
    if (this.#readings === 0) this.#batchMs = ageMs;
    this.#sum += value;
    this.#readings += 1;
    if (this.#count >= singles && ageMs - this.#batchMs < ageMs * batchPerAge) return;
    this.#bet(this.#sum / this.#readings);
    this.#sum = 0;
    this.#readings = 0;
  }

  #bet(value: number): void {
    this.#count += 1;
    const isRecord = value > this.#highest;
    if (isRecord) this.#highest = value;
    if (this.#count === 1) return;
    const chance = 1 / this.#count;
    const bet = Math.max(betRatio, chance);
    const portion = chance / (this.#count - 1);
    const factor = isRecord ? bet / chance : (1 - bet) / (1 - chance);
    this.#wealth = Math.min((this.#wealth + portion) * factor, wealthMax);
  }

  /** Upper bound of the chance to see this without a trend, 0..1 (for exchangeable points). */
  get pValue(): number {
    return Math.min(1, 1 / (this.#wealth + 1 / Math.max(this.#count, 1)));
  }
}
