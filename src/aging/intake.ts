/**
 * What of an indicator's readings goes into its floor: all of a gauge; of a saw-tooth its lower envelope; of
 * latency, collection share and loop delay what they are at matched load.
 */
import type { Indicator } from "../model/sample.ts";
import type { FloorReading } from "./floor-track.ts";
import { kindOf } from "./fusion.ts";
import { LowerEnvelope } from "./lower-envelope.ts";
import { MatchedLoad } from "./matched-load.ts";
import { SawTooth } from "./saw-tooth.ts";

export interface Taken {
  readonly reading: FloorReading | null;
  /** What was taken before was no floor: the track is to begin anew. */
  readonly anew: boolean;
}

export interface Intake {
  add(reading: FloorReading): Taken;
}

export function intakeOf(indicator: Indicator): Intake {
  if (kindOf(indicator) === "performance") return new MatchedIntake();
  if (kindOf(indicator) === "handles") return { add: (reading) => ({ reading, anew: false }) };
  if (indicator === "heapUsedBytes") return new LowerEnvelope();
  return new EnvelopeIntake();
}

class MatchedIntake implements Intake {
  readonly #matched = new MatchedLoad();

  add(reading: FloorReading): Taken {
    return { reading: this.#matched.add(reading), anew: false };
  }
}

class EnvelopeIntake implements Intake {
  readonly #teeth = new SawTooth();
  #was = false;

  add(reading: FloorReading): Taken {
    const tooth = this.#teeth.add(reading.value);
    const is = tooth !== "plain";
    const anew = is && !this.#was;
    this.#was ||= is;
    return { reading: tooth === "between" ? null : reading, anew };
  }
}
