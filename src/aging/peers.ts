/**
 * Peers as a control group: instances of the same release, compared at equal *age* (the live form of Matias'
 * differential method, and RESIN's pivot over the fleet). Two things follow. Elders that rose like this one and then
 * settled say that it will settle too: a cache that fills is a leak until it stops, and only they know. And one
 * that rises alone is surer to be ill. Each member keeps its floors by age, on a grid that doubles each four
 * steps: 80 numbers an indicator, for three months. Of the ended ones the last few are kept. And what load a day brings, one
 * that begins anew learns from the others.
 */
import type { Indicator } from "../model/sample.ts";
import { LoadProfile } from "./load-profile.ts";

const firstAgeMs = 8_000;
const stepsPerDoubling = 4;
const ages = 80;
const endedMax = 8;
/** A reading of the same age may lie so many steps of the grid earlier. */
const stepsBackMax = 2;
/** An elder is this many times as old. */
const elderRatio = 1.5;
/** It rose like this one if their floors differ by this share of the rise; it settled if it then gained less than that. */
const alikeRatio = 0.2;
const settledRatio = 0.15;
/** Of readings of one age the newest counts for so much. */
const newestShare = 0.1;

class AgeCurve {
  readonly #means = new Float32Array(ages).fill(Number.NaN);
  #first: number | null = null;
  #last = -1;

  get oldestMs(): number {
    return this.#last < 0 ? 0 : firstAgeMs * 2 ** (this.#last / stepsPerDoubling);
  }

  /** The first floor that it had. */
  get first(): number {
    return this.#first ?? Number.NaN;
  }

  add(ageMs: number, floor: number): void {
    const step = stepOf(ageMs);
    if (step === null) return;
    this.#first ??= floor;
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

  /** Ages that it had no floor at are no numbers, and are passed over. */
  highestAfter(ageMs: number): number {
    let highest = Number.NEGATIVE_INFINITY;
    for (const mean of this.#means.subarray((stepOf(ageMs) ?? 0) + 1)) if (mean > highest) highest = mean;
    return highest;
  }
}

function stepOf(ageMs: number): number | null {
  if (ageMs < firstAgeMs) return null;
  return Math.min(Math.floor(stepsPerDoubling * Math.log2(ageMs / firstAgeMs)), ages - 1);
}

export interface PeerOpinion {
  /** Peers that had this age. */
  readonly peers: number;
  /** Their median floor at this age; null without peers. */
  readonly median: number | null;
  /** All elders that rose like this one to this age have settled, at this level at most; null: they say nothing of that kind. */
  readonly settledAt: number | null;
}

/** Instances that age together are regenerated one after the other. */
export interface Turns {
  /** Those that live, this one included. */
  readonly instances: number;
  /** How long each takes, with the distance that is kept between two. */
  readonly eachMs: number;
  /** So long before its end this one must begin, for those that are younger by less than their turns to come in time too. */
  readonly allMs: number;
}

/** One member's place in its group. */
export class PeerMember {
  readonly #group: PeerGroup;
  readonly #curves = new Map<Indicator, AgeCurve>();
  /** Null before its first reading. */
  bornAtMs: number | null = null;

  constructor(group: PeerGroup) {
    this.#group = group;
  }

  turns(eachMs: number): Turns {
    return this.#group.turnsOf(this, eachMs);
  }

  /** What load an instance gets in a day. */
  get day(): LoadProfile {
    return this.#group.day;
  }

  served(atMs: number, elapsedMs: number, work: number): void {
    this.#group.served(atMs, elapsedMs, work);
  }

  curve(indicator: Indicator): AgeCurve | undefined {
    return this.#curves.get(indicator);
  }

  /** The process is a new one: a member's life begins again. */
  forget(): void {
    this.#curves.clear();
  }

  add(indicator: Indicator, ageMs: number, floor: number): void {
    const known = this.#curves.get(indicator) ?? new AgeCurve();
    this.#curves.set(indicator, known);
    known.add(ageMs, floor);
  }

  opinion(indicator: Indicator, ageMs: number, floor: number): PeerOpinion {
    const own = this.#curves.get(indicator);
    const others = this.#group.members.flatMap((member) => {
      const curve = member === this ? undefined : member.curve(indicator);
      return curve === undefined || Number.isNaN(curve.at(ageMs)) ? [] : [curve];
    });
    const floors = others.map((curve) => curve.at(ageMs)).sort((a, b) => a - b);
    const median = floors.length === 0 ? null : ((floors[(floors.length - 1) >> 1] ?? 0) + (floors[floors.length >> 1] ?? 0)) / 2;
    const rise = floor - (own?.first ?? floor);
    const alike = others.filter(
      (curve) => curve.oldestMs >= elderRatio * ageMs && rise > 0 && Math.abs(curve.at(ageMs) - floor) <= alikeRatio * rise,
    );
    const settled = alike.filter((curve) => curve.highestAfter(ageMs) - curve.at(ageMs) <= settledRatio * rise);
    const settledAt =
      alike.length === 0 || settled.length < alike.length ? null : Math.max(...settled.map((curve) => curve.highestAfter(ageMs)), floor);
    return { peers: others.length, median, settledAt };
  }
}

export class PeerGroup {
  readonly day: LoadProfile;
  #living: PeerMember[] = [];
  #ended: PeerMember[] = [];

  /** @param day what load an instance gets in a day: the next release gets the same. */
  constructor(day = new LoadProfile()) {
    this.day = day;
  }

  get members(): readonly PeerMember[] {
    return [...this.#living, ...this.#ended];
  }

  join(): PeerMember {
    const member = new PeerMember(this);
    this.#living.push(member);
    return member;
  }

  /** Work of one of them; an hour of all counts as one hour. */
  served(atMs: number, elapsedMs: number, work: number): void {
    const instances = Math.max(this.#living.length, 1);
    this.day.add(atMs, elapsedMs / instances, work / instances);
  }

  /** Whose end comes first goes first: of equal lives, who was born first. */
  turnsOf(member: PeerMember, eachMs: number): Turns {
    const instances = Math.max(this.#living.length, 1);
    const { bornAtMs } = member;
    let allMs = eachMs;
    if (bornAtMs === null) return { instances, eachMs, allMs };
    const births = this.#living.map((one) => one.bornAtMs ?? Number.NaN);
    const own = this.#living.indexOf(member);
    const later = births.filter((birthMs, at) => birthMs > bornAtMs || (birthMs === bornAtMs && at > own)).sort((a, b) => a - b);
    for (const [at, birthMs] of later.entries()) allMs = Math.max(allMs, (at + 2) * eachMs - (birthMs - bornAtMs));
    return { instances, eachMs, allMs };
  }

  leave(member: PeerMember): void {
    if (!this.#living.includes(member)) return;
    this.#living = this.#living.filter((one) => one !== member);
    this.#ended = [...this.#ended, member].slice(-endedMax);
  }
}
