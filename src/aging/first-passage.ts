/**
 * When a path meets the limit *first*, noise and load peaks included: maxima arrive before the mean line does
 * (reference measurement: without it, a fifth of all leaks were found too late). The path of each quantile is
 * followed on a grid of times ahead that widens.
 */
import { columnOf } from "./columns.ts";
import type { Component, Course } from "./component.ts";
import type { GrowthShape } from "./growth-shapes.ts";
import { highestAt, type Maxima, maximaOf, maximumDeviation, maximumOf } from "./maxima.ts";
import { peakWithin, type ScaledLife } from "./scaled-life.ts";
import { columnAhead, livesAhead, stepFirst } from "./times-ahead.ts";

/** Noise of single readings, in scaled units, and how many of them a life has. */
export interface RowNoise {
  readonly noise: number;
  readonly rowsPerLife: number;
  /** How far the highest reading of a block usually stands above its mean. */
  readonly overhang: number;
}

/** Variance of the maximum of many normals, relative to theirs. */
const maximumVariance = 0.25;
/** Calibrated: shapes and noises are never exactly those of the mixture. */
const widening = 1.1;

const blank = () => columnAhead(() => 0);
/** Of the component in question, which is followed before the next. */
const course: Course = { mean: blank(), growth: blank(), variance: blank(), driftVariance: blank() };

/** The way of one life towards its limit; of one component after the other. */
export class FirstPassage {
  readonly #life: ScaledLife;
  readonly #room: number;
  readonly #rows: RowNoise;
  readonly #maxima: Maxima;
  readonly #blockMaxima: Maxima;
  readonly #highestInBlock: number;
  readonly #peak: Float64Array;
  readonly #paceDoubts = new Map<number | undefined, Float64Array>();
  /** On the grid: where the path's middle lies above the room's end, and its spread there. */
  readonly #above = new Float64Array(livesAhead.length);
  readonly #spread = new Float64Array(livesAhead.length);
  #steps = 0;
  /** Until there all quantiles asked for are below the room's end. */
  #below = 0;

  constructor(life: ScaledLife, room: number, rows: RowNoise) {
    this.#life = life;
    this.#room = room;
    this.#rows = rows;
    this.#maxima = maximaOf(rows.rowsPerLife);
    this.#blockMaxima = maximaOf(1 / life.young.width);
    this.#highestInBlock = maximumOf(Math.max(rows.rowsPerLife * life.young.width, 1));
    this.#peak = columnOf(livesAhead, (lives, step) => peakWithin(life, livesAhead[step - 1] ?? 0, lives));
  }

  /** Follows the component's path until even its lowest quantile has met the limit. */
  follow(component: Component): void {
    const { noise, rowsPerLife, overhang } = this.#rows;
    const { shape, drift } = component;
    const { width } = this.#life.young;
    const rowsPerBlock = Math.max(rowsPerLife * width, 1);
    // What a young block's mean errs by, and its readings' noise does not explain: a disturbance as long as the block.
    const brief = Math.max(component.whiteVariance / this.#life.young.weight - (noise * noise) / rowsPerBlock, 0);
    const ofBlock = Math.sqrt(brief + (noise * maximumDeviation(rowsPerBlock)) ** 2);
    const blocksPerDrift = drift.time / width;
    const ofDrift = ofBlock * maximumDeviation(blocksPerDrift);
    const highestInDrift = maximumOf(blocksPerDrift);
    const loadEffect = Math.max(component.loadEffect, 0);
    const paceDoubts = shape.needsWork ? this.#paceDoubtsOf(shape) : null;
    component.writeCourse(course);
    this.#steps = 0;
    this.#below = 0;
    for (let step = 0; step < livesAhead.length; step += 1) {
      const lives = livesAhead[step] ?? 0;
      const growth = course.growth[step] ?? 0;
      const driftVariance = course.driftVariance[step] ?? 0;
      const perClimb = Math.max(lives, stepFirst) / Math.max(growth, 1e-9);
      // The highest reading of a block, of the blocks the highest, and that again of the times in which the disturbance is another.
      const row = noise * Math.min(highestAt(this.#maxima, step, noise * perClimb * rowsPerLife), this.#highestInBlock);
      let highest = Math.max(row, overhang * Math.min(lives / width, 1));
      const blocks = highestAt(this.#blockMaxima, step, (ofBlock * perClimb) / width);
      if (driftVariance === 0) highest += ofBlock * blocks;
      else {
        const deviation = Math.sqrt(driftVariance + ofDrift * ofDrift);
        highest +=
          ofBlock * Math.min(blocks, highestInDrift) + deviation * highestAt(drift.maxima, step, (deviation * perClimb) / drift.time);
      }
      const paceDoubt = paceDoubts?.[step] ?? 0;
      const pace = growth * growth * (paceDoubt * paceDoubt + shape.doubtRatio * shape.doubtRatio);
      const above = (course.mean[step] ?? 0) + loadEffect * (this.#peak[step] ?? 0) + highest - this.#room;
      const scatter = noise * noise + brief + driftVariance;
      const spread = widening * Math.sqrt((course.variance[step] ?? 0) + maximumVariance * scatter + pace);
      this.#above[step] = above;
      this.#spread[step] = spread;
      this.#steps = step + 1;
      if (above > 2 * spread) return;
    }
  }

  /**
   * Lives until the path at quantile z first meets the room's end; between two points of the grid it is straight. Quantiles are asked
   * for from the highest down: a lower one meets it no sooner.
   */
  crossing(z: number): number {
    for (; this.#below < this.#steps; this.#below += 1) {
      const step = this.#below;
      const height = this.#heightAt(step, z);
      if (height < 0) continue;
      if (step === 0) return 0;
      const before = this.#heightAt(step - 1, z);
      const beforeLives = livesAhead[step - 1] ?? 0;
      return beforeLives + (((livesAhead[step] ?? 0) - beforeLives) * before) / (before - height);
    }
    return Number.POSITIVE_INFINITY;
  }

  #heightAt(step: number, z: number): number {
    return (this.#above[step] ?? 0) + z * (this.#spread[step] ?? 0);
  }

  #paceDoubtsOf({ overload }: GrowthShape): Float64Array {
    const { work, overload: beyond } = this.#life.paceDoubts;
    const known = this.#paceDoubts.get(overload) ?? columnAhead(overload === undefined ? work : (beyond[overload] ?? work));
    this.#paceDoubts.set(overload, known);
    return known;
  }
}
