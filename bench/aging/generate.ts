/**
 * Draws one labelled trace. Noise, duration, base, limit, load, gaps and lazy collections are drawn alike for
 * those that age and those that only look so: no label leaks. Exhaustion is the first row at which the
 * observed floor meets its limit; the trace ends there.
 */
import type { Family } from "./families.ts";
import { Random } from "./random.ts";

export interface Row {
  readonly atMs: number;
  readonly requestsTotal: number;
  readonly value: number;
}

export interface Trace {
  readonly family: Pick<Family, "name" | "ages" | "unseen" | "calm"> & { readonly independent?: boolean };
  readonly seed: number;
  readonly indicator: string;
  readonly rows: readonly Row[];
  readonly limit: number;
  readonly onsetMs: number;
  /** Null for look-alikes. */
  readonly exhaustionMs: number | null;
}

const rowsUsual = 1_600;
/** Noise of the level as a share of the limit, from and to. */
export const noiseUsual = [0.003, 0.015] as const;
const hourMs = 3_600_000;
/** A leak's mean goes on beyond the limit, so that every one meets it in spite of noise and load. */
const overshoot = 1.12;
/** One life of a release leaks faster than another, by so much. */
const lifeSpread = 0.1;
/** A leak that waits for its load has begun with this share of its growth. */
const begunAt = 0.01;

/** @param life of one release: the same leak under the same load at a pace that differs by up to `spread`, with other noise and gaps; alone where none is named. */
export function generate(family: Family, seed: number, life?: number, spread = lifeSpread): Trace {
  const drawn = new Random(seed * 7_919 + hash(family.name));
  const durationMs = drawn.scaled(...(family.hours ?? [5, 110])) * hourMs;
  const rowsPerTrace = family.rows === undefined ? rowsUsual : Math.round(drawn.scaled(...family.rows));
  const rowMs = durationMs / rowsPerTrace;
  const limit = family.counts === true ? Math.round(drawn.scaled(1_024, 16_384)) : Math.round(drawn.scaled(96, 4_096)) * 1024 * 1024;
  const base = limit * drawn.between(0.08, 0.35);
  const noise = limit * drawn.between(...(family.noise ?? noiseUsual));
  const correlationMs = drawn.scaled(1, 40) * 60_000;
  const correlated = drawn.between(0.3, 0.95);
  const onset = family.onset === undefined ? 0 : drawn.between(...family.onset);
  const settled = family.settles === undefined ? limit : limit * drawn.between(...family.settles);
  const loads = drawLoads(drawn, durationMs, rowsPerTrace, family.daily === true || drawn.next() < 0.4);
  const loadEffect = limit * drawn.between(0, 0.04);
  const lazyRows = drawn.next() < 0.3 ? Math.round(drawn.between(2, 12)) : 1;
  const growth = drawGrowth(family, drawn, loads, onset);
  const random = life === undefined ? drawn : new Random(drawn.next() * 1e9 + life);
  const pace = life === undefined || !family.ages ? 1 : random.between(1 - spread, 1 + spread);
  const rows: Row[] = [];
  let drift = random.normal();
  let requests = 0;
  let gapUntil = 0;
  let held: number | null = null;
  const keep = Math.exp(-rowMs / correlationMs);
  for (let at = 0; at < growth.length; at += 1) {
    drift = drift * keep + Math.sqrt(1 - keep * keep) * random.normal();
    requests += ((loads[at % loads.length] ?? 1) * rowMs) / 20;
    const tail = family.tails === true && random.next() < 0.03 ? 4 * random.normal() : 0;
    const wobble = noise * (tail + Math.sqrt(correlated) * drift + Math.sqrt(1 - correlated) * random.normal());
    const exact = base + (settled - base) * pace * (growth[at] ?? 0) + loadEffect * ((loads[at % loads.length] ?? 1) - 1) + wobble;
    if (random.next() < 0.0006) gapUntil = at + random.between(2, 30);
    if (at < gapUntil) continue;
    if (held === null || at % lazyRows === 0) held = Math.max(Math.round(exact), 0);
    rows.push({ atMs: Math.round(at * rowMs), requestsTotal: Math.floor(requests), value: held });
    if (family.ages && held >= limit) break;
  }
  const last = rows.at(-1);
  const exhausted = family.ages && last !== undefined && last.value >= limit;
  const began = family.waits === true ? growth.findIndex((value) => value >= begunAt * overshoot) / growth.length : onset;
  return {
    family,
    seed,
    indicator: family.counts === true ? "openFds" : "heapAfterGcBytes",
    rows,
    limit,
    onsetMs: began * durationMs,
    exhaustionMs: exhausted ? last.atMs : null,
  };
}

/** The family's growth at each row; a leak is normalised to meet the limit at the trace's end. */
function drawGrowth(family: Family, random: Random, loads: readonly number[], onset: number): number[] {
  const shape = family.draw(random);
  const total = loads.reduce((sum, load) => sum + load, 0);
  const growth: number[] = [];
  let work = 0;
  let before = 0;
  for (let at = 0; at < loads.length; at += 1) {
    const load = loads[at] ?? 1;
    work += load / total;
    const life = at / loads.length;
    before = shape({ life: Math.max((life - onset) / (1 - onset), 0), work, load, before, step: 1 / loads.length });
    growth.push(before);
  }
  const end = Math.max(growth.at(-1) ?? 1, 1e-9);
  return family.ages ? growth.map((value) => (value / end) * overshoot) : growth;
}

/** Relative request rates with mean 1: constant, or by day and week; with noise and a restart of the load now and then. */
function drawLoads(random: Random, durationMs: number, rowsPerTrace: number, daily: boolean): number[] {
  const rowMs = durationMs / rowsPerTrace;
  const amplitude = daily ? random.between(0.3, 0.8) : 0;
  const weekly = daily ? random.between(0, 0.25) : 0;
  const phase = random.next();
  const rough = random.between(0.02, 0.15);
  const pauseAt = random.next() < 0.2 ? random.next() : 2;
  const raw = Array.from({ length: rowsPerTrace }, (_, at) => {
    const days = (at * rowMs) / (24 * hourMs) + phase;
    const share = (at * rowMs) / durationMs;
    if (share > pauseAt && share < pauseAt + 0.01) return 0;
    const week = days % 7 > 5 ? 1 - weekly : 1;
    return Math.max((1 + amplitude * Math.sin(2 * Math.PI * days)) * week + rough * random.normal(), 0.02);
  });
  const mean = raw.reduce((sum, load) => sum + load, 0) / raw.length;
  return raw.map((load) => load / mean);
}

function hash(text: string): number {
  let sum = 17;
  for (const letter of text) sum = (Math.imul(sum, 31) + letter.charCodeAt(0)) >>> 0;
  return sum;
}
