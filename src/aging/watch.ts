/**
 * One indicator of one instance: its floor, its evidence, and the last evaluation. Evaluations are spaced by
 * age, so that their cost vanishes in a long life; between them a report only reads. A verdict changes when
 * the evaluations have said the same for a while: a spike or a lucky moment is not believed.
 */
import type { Indicator } from "../model/sample.ts";
import type { Collecting } from "./collecting.ts";
import {
  atLimitLevelRatio,
  type DecisionInput,
  decidePerAgeRare,
  decideReadings,
  decideReadingsAtLimit,
  evaluatePerAge,
  horizonAt,
  isDue,
  isTrend,
  isUrgent,
  veryYoungMs,
} from "./decision.ts";
import type { Elders } from "./elders.ts";
import { type FloorReading, FloorTrack } from "./floor-track.ts";
import { forecast, type Outlook, outlookOf } from "./forecast.ts";
import { fuse, kindOf, type Support } from "./fusion.ts";
import { type Intake, intakeOf } from "./intake.ts";
import type { LoadProfile } from "./load-profile.ts";
import type { Turns } from "./peers.ts";
import { RecordEvidence } from "./record-evidence.ts";
import { blocksMin } from "./scaled-life.ts";

export interface Evaluation {
  readonly atMs: number;
  readonly forecast: Outlook;
  /** With what other indicators add. */
  readonly growsRatio: number;
  /** What is met within this time is due, at that age. */
  readonly horizonMs: number;
  readonly standing: Standing;
}

/** What the evaluation says is `due`; a trend that is `held` and an instance that is `aging` have stood for long enough. */
interface Standing {
  readonly due: boolean;
  readonly held: boolean;
  readonly aging: boolean;
}

/** Few, and shared: many instances keep theirs. */
const standings: readonly Standing[] = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => ({
  due: (bits & 1) > 0,
  held: (bits & 2) > 0,
  aging: (bits & 4) > 0,
}));
const nothingStands: Standing = { due: false, held: false, aging: false };

function standingOf({ due, held, aging }: Standing): Standing {
  return standings[(due ? 1 : 0) + (held ? 2 : 0) + (aging ? 4 : 0)] ?? nothingStands;
}

/** Evaluations come each evaluatePerAge; where nothing grows and the limit is far, a third as often is soon enough. */
const evaluatePerAgeCalm = 1 / 10;
const calmGrowsRatio = 0.5;
const calmLevelRatio = 0.8;
/** At once where the floor has since gone this share of the way to its limit, or fallen as far: growth begins again, a jump. */
const evaluatePerRoom = 1 / 8;
const evaluateNoises = 3;
/** Near the end this share of what is left, and never closer together than the last two. */
const evaluatePerRest = 1 / 10;
const evaluatePerEarliest = 1 / 4;
const evaluatePerAgeMin = 1 / 250;
const evaluatePerHorizonMin = 1 / 4;
const evaluateMsMin = 1_000;
/** How long a trend must stand before it is held, as a share of the age. */
const holdPerAge = 0.04;
const holdMsMin = 2_000;
/** How long a decision must stand. */
const decidePerAge = 0.004;
/** Younger than this nothing is said: warm-up. */
export const warmUpMs = 8_000;
/**
 * Without collection times a floor that stands unchanged is the same collection, told again; it is a new one after this many readings, and
 * after so many times the readings for which floors usually stand.
 */
const unchangedMin = 20;
const unchangedPerUsual = 3;
/** Share of the newest in what is usual. */
const usualNews = 0.25;

/** What the indicators of one instance share. */
export interface Surroundings {
  /** May change. */
  readonly horizonMs: () => number;
  readonly profile: LoadProfile;
  readonly turns: () => Turns;
  /** What older instances say of a floor at an age. */
  readonly elders: (indicator: Indicator, ageMs: number, floor: number) => Elders | null;
  readonly collecting: Collecting;
  /** Indicators of the same instance in which a trend is held. */
  readonly support: () => readonly Support[];
}

export class Watch {
  readonly indicator: Indicator;
  readonly #surroundings: Surroundings;
  #track = new FloorTrack();
  #evidence = new RecordEvidence();
  #intake: Intake;
  #limit: number | null = null;
  #floorAtMs: number | null = null;
  #unchanged = 0;
  /** Whole readings take no room of their own. */
  #usuallyUnchanged = 0;
  #trendSinceMs: number | null = null;
  #dueSinceMs: number | null = null;
  #dueSinceCount = 0;
  #urgent = false;
  #evaluation: Evaluation | null = null;
  #evaluatedAt = Number.NaN;

  constructor(indicator: Indicator, surroundings: Surroundings) {
    this.indicator = indicator;
    this.#surroundings = surroundings;
    this.#intake = intakeOf(indicator, null);
  }

  get limit(): number | null {
    return this.#limit;
  }

  get track(): FloorTrack {
    return this.#track;
  }

  get evaluation(): Evaluation | null {
    return this.#evaluation;
  }

  /** The process is a new one: nothing of the old one's life says anything about it. */
  forget(): void {
    this.#intake = intakeOf(this.indicator, this.#limit);
    this.#floorAtMs = null;
    this.#restart();
  }

  /** A floor point is new when a major collection ended since the last one; without its time, when it changed. */
  addFloor(reading: FloorReading, floorAtMs: number | undefined, limit: number | undefined): void {
    if (floorAtMs === undefined) {
      // Told again it is no time in which a decision has stood: nobody knows whether there was a collection.
      if (!this.#isTheSame(reading.value)) this.#take(reading, limit);
      return;
    }
    if (floorAtMs === this.#floorAtMs) {
      this.#stand(reading.atMs);
      return;
    }
    this.#floorAtMs = floorAtMs;
    this.#take({ ...reading, atMs: this.#track.count === 0 ? floorAtMs : Math.max(floorAtMs, this.#track.lastMs) }, limit);
  }

  #isTheSame(floor: number): boolean {
    this.#unchanged += 1;
    const isNew = floor !== this.#track.lastValue;
    if (!isNew && this.#unchanged < Math.max(unchangedMin, unchangedPerUsual * this.#usuallyUnchanged)) return true;
    const share = this.#usuallyUnchanged === 0 ? 1 : usualNews;
    if (isNew) this.#usuallyUnchanged += Math.round((this.#unchanged - this.#usuallyUnchanged) * share);
    this.#unchanged = 0;
    return false;
  }

  /** A reading of anything but the heap after collections. */
  add(reading: FloorReading, limit: number | undefined): void {
    if (limit !== undefined && this.#limit === null && kindOf(this.indicator) === "performance") this.#limitTo(limit);
    const taken = this.#intake.add(reading);
    if (taken.anew) this.#restart();
    if (taken.reading === null) this.#stand(reading.atMs);
    else this.#take(taken.reading, limit);
  }

  /** What was taken at matched load before says nothing of the way to a limit. */
  #limitTo(limit: number): void {
    this.#limit = limit;
    this.#intake = intakeOf(this.indicator, limit);
    this.#restart();
  }

  #restart(): void {
    this.#track = new FloorTrack();
    this.#evidence = new RecordEvidence();
    this.#trendSinceMs = null;
    this.#dueSinceMs = null;
    this.#evaluation = null;
  }

  #take(reading: FloorReading, limit: number | undefined): void {
    this.#limit = limit ?? this.#limit;
    this.#track.add(reading);
    const ageMs = reading.atMs - this.#track.startMs;
    this.#evidence.add(reading.value, ageMs);
    if (reading.atMs < this.#dueAt(ageMs)) return;
    if (this.#track.blocks >= blocksMin && ageMs >= warmUpMs) this.#evaluate(reading.atMs, ageMs);
  }

  /** When the next evaluation is worth its cost. */
  #dueAt(ageMs: number): number {
    if (this.#evaluation === null) return this.#track.startMs;
    const { growsRatio, levelNow } = this.#evaluation.forecast;
    const calm = growsRatio < calmGrowsRatio && (this.#limit === null || levelNow < calmLevelRatio * this.#limit);
    const rare = ageMs * (calm ? evaluatePerAgeCalm : evaluatePerAge);
    const { exhaustionMs, exhaustionMsMiddle, exhaustionMsEarliest } = this.#evaluation.forecast;
    const restMs =
      exhaustionMs === null
        ? Number.POSITIVE_INFINITY
        : Math.min(exhaustionMsMiddle * evaluatePerRest, exhaustionMsEarliest * evaluatePerEarliest);
    const wait = this.#hasMoved() ? 0 : Math.min(rare, restMs);
    const least = Math.min(ageMs * evaluatePerAgeMin, this.#surroundings.horizonMs() * evaluatePerHorizonMin);
    return this.#evaluation.atMs + Math.max(wait, least, evaluateMsMin);
  }

  /** The newest block against the newest of the last evaluation. */
  #hasMoved(): boolean {
    if (this.#limit === null) return false;
    const moved = Math.abs(this.#track.newest - this.#evaluatedAt);
    return moved > evaluateNoises * this.#track.readingNoise && moved > evaluatePerRoom * Math.max(this.#limit - this.#evaluatedAt, 0);
  }

  #evaluate(atMs: number, ageMs: number): void {
    const { profile, elders } = this.#surroundings;
    const made = forecast(this.#track, this.#limit, profile, elders(this.indicator, ageMs, this.#track.newest));
    if (made === null) return;
    const { highest, lowest, readingNoise, count } = this.#track;
    const input: DecisionInput = {
      indicator: this.indicator,
      forecast: made,
      growsRatio: fuse(this.indicator, made.growsRatio, this.#surroundings.support()),
      ageMs,
      horizonMs: this.#surroundings.horizonMs(),
      limit: this.#limit,
      highest,
      lowest,
      readingNoise,
      count,
      pValue: this.#evidence.pValue,
      turns: this.#surroundings.turns(),
      collectingRatio: this.#surroundings.collecting.ratio,
    };
    this.#evaluatedAt = this.#track.newest;
    this.#urgent = isUrgent(input);
    const due = this.#urgent || isDue(input);
    if (this.#dueSinceMs === null) this.#dueSinceCount = count;
    const trend = isTrend(input, this.#evaluation?.standing.held ?? false) || due;
    this.#trendSinceMs = trend ? (this.#trendSinceMs ?? atMs) : null;
    this.#dueSinceMs = due ? (this.#dueSinceMs ?? atMs) : null;
    this.#evaluation = {
      atMs,
      forecast: outlookOf(made),
      growsRatio: input.growsRatio,
      horizonMs: Math.ceil(horizonAt(input)), // whole milliseconds take no room of their own
      standing: standingOf({ due, held: false, aging: false }),
    };
    this.#stand(atMs);
  }

  /** What the evaluations have said for long enough is believed; time may pass without a new floor. */
  #stand(nowMs: number): void {
    const evaluation = this.#evaluation;
    if (evaluation === null) return;
    const ageMs = nowMs - this.#track.startMs;
    const stands = (sinceMs: number | null, perAge: number) => sinceMs !== null && nowMs - sinceMs >= Math.max(holdMsMin, ageMs * perAge);
    const isYoung = this.#urgent && ageMs < veryYoungMs;
    const isAtLimit = this.#limit !== null && evaluation.forecast.levelNow >= atLimitLevelRatio * this.#limit;
    const needed = isAtLimit ? decideReadingsAtLimit : decideReadings;
    const seen = isYoung || this.#track.count - this.#dueSinceCount >= needed || stands(this.#dueSinceMs, decidePerAgeRare);
    const aging = seen && stands(this.#dueSinceMs, decidePerAge);
    const standing = standingOf({ due: evaluation.standing.due, held: aging || stands(this.#trendSinceMs, holdPerAge), aging });
    if (standing === evaluation.standing) return;
    const { atMs, forecast, growsRatio, horizonMs } = evaluation;
    this.#evaluation = { atMs, forecast, growsRatio, horizonMs, standing }; // in one literal, as outlookOf's
  }
}
