/**
 * One indicator of one instance: its floor, its evidence, and the last evaluation. Evaluations are spaced by
 * age, so that their cost vanishes in a long life; between them a report only reads. A verdict changes when
 * the evaluations have said the same for a while: a spike or a lucky moment is not believed.
 */
import type { Indicator } from "../model/sample.ts";
import { type DecisionInput, decidePerAgeRare, decideReadings, isDue, isTrend, isUrgent, veryYoungMs } from "./decision.ts";
import { type FloorReading, FloorTrack } from "./floor-track.ts";
import { blocksMin, type Forecast, forecast } from "./forecast.ts";
import type { LoadProfile } from "./load-profile.ts";
import { RecordEvidence } from "./record-evidence.ts";

export interface Evaluation {
  readonly atMs: number;
  readonly forecast: Forecast;
  readonly held: boolean;
  readonly aging: boolean;
}

/** Time between evaluations: this share of the age; near the end this share of what is left; never below the last two. */
const evaluatePerAge = 1 / 32;
const evaluatePerRest = 1 / 10;
const evaluatePerAgeMin = 1 / 250;
const evaluateMsMin = 1_000;
/** How long a trend must stand before it is held, as a share of the age. */
const holdPerAge = 0.05;
const holdMsMin = 2_000;
/** How long a decision must stand. */
const decidePerAge = 0.004;
/** Younger than this nothing is said: warm-up. */
export const warmUpMs = 8_000;
/** Unchanged floors without collection times: after this many readings one is taken all the same. */
const unchangedMax = 20;

export class Watch {
  readonly indicator: Indicator;
  readonly #horizonMs: number;
  readonly #profile: LoadProfile;
  #track = new FloorTrack();
  #evidence = new RecordEvidence();
  #limit: number | null = null;
  #floorAtMs: number | null = null;
  #unchanged = 0;
  #trendSinceMs: number | null = null;
  #dueSinceMs: number | null = null;
  #dueSinceCount = 0;
  #urgent = false;
  #evaluation: Evaluation | null = null;

  constructor(indicator: Indicator, horizonMs: number, profile: LoadProfile) {
    this.#profile = profile;
    this.indicator = indicator;
    this.#horizonMs = horizonMs;
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
    this.#track = new FloorTrack();
    this.#evidence = new RecordEvidence();
    this.#floorAtMs = null;
    this.#trendSinceMs = null;
    this.#dueSinceMs = null;
    this.#evaluation = null;
  }

  /** A floor point is new when a major collection ended since the last one; without its time, when it changed. */
  addFloor(reading: FloorReading, floorAtMs: number | undefined, limit: number | undefined): void {
    if (floorAtMs === undefined) {
      this.#unchanged += 1;
      if (reading.value === this.#track.last?.value && this.#unchanged < unchangedMax) return;
      this.#unchanged = 0;
      this.add(reading, limit);
      return;
    }
    if (floorAtMs === this.#floorAtMs) {
      this.#stand(reading.atMs);
      return;
    }
    this.#floorAtMs = floorAtMs;
    this.add({ ...reading, atMs: Math.max(floorAtMs, this.#track.last?.atMs ?? floorAtMs) }, limit);
  }

  add(reading: FloorReading, limit: number | undefined): void {
    this.#limit = limit ?? this.#limit;
    this.#track.add(reading);
    this.#evidence.add(reading.value);
    const ageMs = reading.atMs - this.#track.startMs;
    if (reading.atMs < this.#dueAt(ageMs)) return;
    if (this.#track.points.length >= blocksMin && ageMs >= warmUpMs) this.#evaluate(reading.atMs, ageMs);
  }

  /** When the next evaluation is worth its cost. */
  #dueAt(ageMs: number): number {
    const rare = ageMs * evaluatePerAge;
    if (this.#evaluation === null) return this.#track.startMs;
    const restMs = this.#evaluation.forecast.exhaustionMs?.mid ?? Number.POSITIVE_INFINITY;
    const wait = Number.isFinite(restMs) ? Math.min(rare, restMs * evaluatePerRest) : rare;
    return this.#evaluation.atMs + Math.max(wait, ageMs * evaluatePerAgeMin, evaluateMsMin);
  }

  #evaluate(atMs: number, ageMs: number): void {
    const made = forecast(this.#track, this.#limit, this.#profile);
    if (made === null) return;
    const { highest, lowest, readingNoise, changeNoise, count } = this.#track;
    const input: DecisionInput = {
      forecast: made,
      ageMs,
      horizonMs: this.#horizonMs,
      limit: this.#limit,
      highest,
      lowest,
      readingNoise,
      changeNoise,
      count,
      pValue: this.#evidence.pValue,
      isBytes: this.indicator.endsWith("Bytes"),
    };
    this.#urgent = isUrgent(input);
    const due = this.#urgent || isDue(input);
    if (this.#dueSinceMs === null) this.#dueSinceCount = count;
    const trend = isTrend(input) || due;
    this.#trendSinceMs = trend ? (this.#trendSinceMs ?? atMs) : null;
    this.#dueSinceMs = due ? (this.#dueSinceMs ?? atMs) : null;
    this.#evaluation = { atMs, forecast: made, held: false, aging: false };
    this.#stand(atMs);
  }

  /** What the evaluations have said for long enough is believed; time may pass without a new floor. */
  #stand(nowMs: number): void {
    if (this.#evaluation === null) return;
    const ageMs = nowMs - this.#track.startMs;
    const stands = (sinceMs: number | null, perAge: number) => sinceMs !== null && nowMs - sinceMs >= Math.max(holdMsMin, ageMs * perAge);
    const isYoung = this.#urgent && ageMs < veryYoungMs;
    const seen = isYoung || this.#track.count - this.#dueSinceCount >= decideReadings || stands(this.#dueSinceMs, decidePerAgeRare);
    const aging = seen && stands(this.#dueSinceMs, decidePerAge);
    this.#evaluation = { ...this.#evaluation, held: aging || stands(this.#trendSinceMs, holdPerAge), aging };
  }
}
