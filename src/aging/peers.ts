/**
 * Peers as a control group: instances of the same release, compared at equal *age* (the live form of Matias'
 * differential method, and RESIN's pivot over the fleet). Two things follow. Elders that rose like this one and then
 * settled say that it will settle too: a cache that fills is a leak until it stops, and only they know. And one
 * that rises alone is surer to be ill. Each member keeps its floors by age. Of the ended ones the last few are kept. And what load a day brings, one
 * that begins anew learns from the others.
 */
import type { Indicator } from "../model/sample.ts";
import { AgeCurve, Rise } from "./age-curve.ts";
import type { Elders } from "./elders.ts";
import { LoadProfile } from "./load-profile.ts";

const endedMax = 8;
/** An elder is this many times as old. */
const elderRatio = 1.5;
/** One that is so much older knows something of what comes. */
const elderRatioMin = 1.25;
/** Of many the last that ended. */
const eldersMax = 8;
/** It rose like this one if their floors differ by this share of the rise, and this one stands no more than that above all it ever came to; it settled if it then gained less than that. */
const alikeRatio = 0.2;
const aboveRatio = 0.06;
const settledRatio = 0.15;

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

  /** Where one of them ran out of it, below its limit; null: nobody did. */
  ranOutAt(indicator: Indicator): number | null {
    return this.#group.ranOutAt.get(indicator) ?? null;
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

  /** What older ones say of it; null where nobody rose like it. */
  elders(indicator: Indicator, ageMs: number, floor: number): Elders | null {
    const risen = floor - (this.#curves.get(indicator)?.first ?? floor);
    const older = this.#group.eldest
      .flatMap((member) => (member === this ? [] : (member.curve(indicator) ?? [])))
      .filter((curve) => curve.oldestMs >= elderRatioMin * ageMs && !Number.isNaN(curve.at(ageMs)))
      .slice(-eldersMax);
    const alike = older.filter((curve) => isAlike(curve, { ageMs, floor, risen }));
    if (alike.length === 0) return null;
    const reached = Math.min(...alike.map((curve) => curve.highestAfter(ageMs)));
    return { rise: new Rise(alike), reached, risen, alike: alike.length, others: older.length - alike.length };
  }

  opinion(indicator: Indicator, ageMs: number, floor: number): PeerOpinion {
    const own = this.#curves.get(indicator);
    const others = this.#group.members.flatMap((member) => {
      const curve = member === this ? undefined : member.curve(indicator);
      return curve === undefined || Number.isNaN(curve.at(ageMs)) ? [] : [curve];
    });
    const floors = others.map((curve) => curve.at(ageMs)).sort((a, b) => a - b);
    const median = floors.length === 0 ? null : ((floors[(floors.length - 1) >> 1] ?? 0) + (floors[floors.length >> 1] ?? 0)) / 2;
    const risen = floor - (own?.first ?? floor);
    const alike = others.filter((curve) => curve.oldestMs >= elderRatio * ageMs && isAlike(curve, { ageMs, floor, risen }));
    const settled = alike.filter((curve) => curve.highestAfter(ageMs) - curve.at(ageMs) <= settledRatio * risen);
    const settledAt =
      alike.length === 0 || settled.length < alike.length ? null : Math.max(...settled.map((curve) => curve.highestAfter(ageMs)), floor);
    return { peers: others.length, median, settledAt };
  }
}

function isAlike(elder: AgeCurve, { ageMs, floor, risen }: Record<"ageMs" | "floor" | "risen", number>): boolean {
  if (risen <= 0 || Math.abs(elder.at(ageMs) - floor) > alikeRatio * risen) return false;
  return floor - Math.max(elder.highestAfter(ageMs), elder.at(ageMs)) <= aboveRatio * risen;
}

export class PeerGroup {
  readonly day: LoadProfile;
  /** The lowest floor at which one ended by itself for want of more. */
  readonly ranOutAt = new Map<Indicator, number>();
  #living: PeerMember[] = [];
  #ended: PeerMember[] = [];

  /** @param day what load an instance gets in a day: the next release gets the same. */
  constructor(day = new LoadProfile()) {
    this.day = day;
  }

  get members(): readonly PeerMember[] {
    return [...this.#living, ...this.#ended];
  }

  /** Who was born first, and who has ended: few, however many live. */
  get eldest(): readonly PeerMember[] {
    return [...this.#living.slice(0, eldersMax), ...this.#ended];
  }

  join(): PeerMember {
    const member = new PeerMember(this);
    this.#living.push(member);
    return member;
  }

  ranOut(indicator: Indicator, floor: number): void {
    this.ranOutAt.set(indicator, Math.min(floor, this.ranOutAt.get(indicator) ?? floor));
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
