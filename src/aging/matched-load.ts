/**
 * Performance at matched load: latency, collection share and loop delay rise with the load and fall with it,
 * mostly in proportion, and no regression on the load takes that out of them while they drift. So each reading is
 * compared with what the *same* load cost when the instance was young: loads lie in bins a half apart, each bin keeps the
 * mean of its first readings, and what is passed on is the reading in units of that, times the first bin's. Single
 * readings are mostly chance: of five the median counts. O(1) memory.
 *
 * Known weakness: a load that first comes late in a life is compared with what it cost then.
 */
import type { FloorReading } from "./floor-track.ts";

const medianOf = 5;
const binRatio = 1.5;
const bins = 32;
/** A load's cost is known after so many medians. */
const baselineMedians = 12;

export class MatchedLoad {
  readonly #gathered: number[] = [];
  readonly #costs = new Float64Array(bins);
  readonly #seen = new Uint8Array(bins);
  #since: FloorReading | null = null;
  /** Of the first load that is known: the unit in which all is told. */
  #unit: number | null = null;

  /** The reading at matched load; null while a median gathers or a load's cost is learnt. */
  add(reading: FloorReading): FloorReading | null {
    this.#since ??= reading;
    const middle = medianOnce(this.#gathered, reading.value);
    if (middle === null) return null;
    const bin = binOf(this.#since, reading);
    this.#since = reading;
    const seen = this.#seen[bin] ?? 0;
    if (seen < baselineMedians) {
      this.#seen[bin] = seen + 1;
      this.#costs[bin] = (this.#costs[bin] ?? 0) + (middle - (this.#costs[bin] ?? 0)) / (seen + 1);
      return null;
    }
    const cost = this.#costs[bin] ?? 0;
    this.#unit ??= cost;
    return cost > 0 ? { ...reading, value: (middle / cost) * this.#unit } : null;
  }
}

/** What has a limit meets it at the reading, whatever the load: nothing but chance is taken out of it. */
export class Medians {
  readonly #gathered: number[] = [];

  add(reading: FloorReading): FloorReading | null {
    const middle = medianOnce(this.#gathered, reading.value);
    return middle === null ? null : { ...reading, value: middle };
  }
}

function medianOnce(gathered: number[], value: number): number | null {
  gathered.push(value);
  if (gathered.length < medianOf) return null;
  const middle = gathered.sort((a, b) => a - b)[medianOf >> 1] ?? value;
  gathered.length = 0;
  return middle;
}

/** By requests a second between the two; the first bin where the work is not known or nothing was asked. */
function binOf(from: FloorReading, to: FloorReading): number {
  const rate = ((to.work - from.work) / Math.max(to.atMs - from.atMs, 1)) * 1_000;
  if (!(rate > 0)) return 0;
  return Math.min(Math.max(Math.round(Math.log(rate) / Math.log(binRatio)) + bins / 2, 1), bins - 1);
}
