/**
 * What of an indicator's readings goes into its floor: all of a gauge; of a saw-tooth its lower envelope; of
 * latency, collection share and loop delay what they are at matched load, unless they have a limit.
 */
import type { Indicator } from "../model/sample.ts";
import type { FloorReading } from "./floor-track.ts";
import { kindOf } from "./fusion.ts";
import { LowerEnvelope } from "./lower-envelope.ts";
import { MatchedLoad, Medians } from "./matched-load.ts";

export interface Taken {
  readonly reading: FloorReading | null;
  /** What was taken before was no floor: the track is to begin anew. */
  readonly anew: boolean;
}

export interface Intake {
  add(reading: FloorReading): Taken;
}

export function intakeOf(indicator: Indicator, limit: number | null): Intake {
  if (kindOf(indicator) === "performance") return new PerformanceIntake(limit === null ? new MatchedLoad() : new Medians());
  // Descriptors run out, and a kernel ends a process, at the reading itself, whatever it falls to afterwards.
  if (kindOf(indicator) === "handles" || indicator === "rssBytes") return wholeIntake;
  // A floor is told as one.
  if (indicator === "heapAfterGcBytes") return wholeIntake;
  if (indicator === "heapUsedBytes") return new LowerEnvelope();
  return new EnvelopeIntake();
}

/** Remembers nothing, so that one serves all. */
const wholeIntake: Intake = { add: (reading) => ({ reading, anew: false }) };

class PerformanceIntake implements Intake {
  readonly #of: MatchedLoad | Medians;

  constructor(of: MatchedLoad | Medians) {
    this.#of = of;
  }

  add(reading: FloorReading): Taken {
    return { reading: this.#of.add(reading), anew: false };
  }
}

/** A line that once fell three times is no saw-tooth yet. */
const gaugeFallsMin = 6;

/** A gauge as it is, until it turns out to be a saw-tooth; then its lower envelope. */
class EnvelopeIntake implements Intake {
  readonly #envelope = new LowerEnvelope(gaugeFallsMin);
  #was = false;

  add(reading: FloorReading): Taken {
    const taken = this.#envelope.add(reading);
    if (!this.#envelope.isSawTooth && !this.#was) return { reading, anew: false };
    const anew = !this.#was;
    this.#was = true;
    return { ...taken, anew };
  }
}
