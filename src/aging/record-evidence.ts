/**
 * Sequential evidence for an upward trend: how often a new floor point is higher than all before it. In an
 * exchangeable series the n-th is with probability 1/n, whatever the distribution (Rényi 1962); betting
 * that it happens more often makes a wealth that is a martingale without a trend, so that by Ville's
 * inequality it ever exceeds 1/alpha with probability alpha at most, however often one looks.
 *
 * Memory usage is not exchangeable (it is autocorrelated, it warms up), so for real series this bound is
 * calibrated by recordings, not guaranteed; the model asks for consequence and persistence beside it.
 */

/** The share of records that the bet is on: a leak makes nearly every floor point a record. */
const betRatio = 0.8;
/** Wealth is bounded below, so that evidence against in a long healthy life can be overcome by a later leak. */
const logWealthMin = -2;
/** ... and above, so that a trend that has ended is given up again. */
const logWealthMax = 14;

export class RecordEvidence {
  #count = 0;
  #highest = Number.NEGATIVE_INFINITY;
  #logWealth = 0;

  add(value: number): void {
    this.#count += 1;
    const isRecord = value > this.#highest;
    if (isRecord) this.#highest = value;
    if (this.#count === 1) return;
    const chance = 1 / this.#count;
    const bet = Math.max(betRatio, chance);
    const factor = isRecord ? bet / chance : (1 - bet) / (1 - chance);
    this.#logWealth = Math.min(Math.max(this.#logWealth + Math.log(factor), logWealthMin), logWealthMax);
  }

  /** Upper bound of the chance to see this without a trend, 0..1 (for exchangeable points). */
  get pValue(): number {
    return Math.min(1, Math.exp(-this.#logWealth));
  }
}
