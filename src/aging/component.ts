/**
 * What a hypothesis of the mixture says: a shape of growth under a kind of noise, how heavy it weighs, and, on the grid of
 * times ahead, where its mean goes and how unsure it is of that.
 */
import type { GrowthShape } from "./growth-shapes.ts";
import { type Maxima, maximaOf } from "./maxima.ts";
import { keepOver, type NoiseKernel } from "./noise-kernel.ts";
import { columnAhead } from "./times-ahead.ts";

/** Over the grid of times ahead, in scaled units: a column each, written anew for each component. */
export interface Course {
  readonly mean: Float64Array;
  /** Of the growth since now alone, without what disturbs it: for the path's climb. */
  readonly growth: Float64Array;
  /** Of the mean: of parameters and of what wanders. */
  readonly variance: Float64Array;
  /** Of the disturbance that comes and goes. */
  readonly driftVariance: Float64Array;
}

export interface Weights {
  /** Share of the forecast, 0..1: tempered. */
  readonly weight: number;
  /** Posterior probability, 0..1. */
  readonly probability: number;
}

export interface Component extends Weights {
  readonly shape: GrowthShape;
  /** Expected level now, with its disturbance. */
  readonly level: number;
  readonly loadEffect: number;
  readonly drift: Drift;
  /** Variance of the error of a block of mean width. */
  readonly whiteVariance: number;
  /** Growth over the next tenth of a life, per life. */
  readonly rate: { readonly mean: number; readonly deviation: number };
  readonly writeCourse: (course: Course) => void;
}

/** A weighed hypothesis, whose forecast is worked out only if it is heavy enough. */
export interface Candidate {
  readonly shape: GrowthShape;
  readonly logWeight: number;
  /** Part of it that is no matter of the shape's fit, and counts in full: the odds against what it is a variant of. */
  readonly logOdds?: number;
  readonly component: (weights: Weights) => Component;
}

/** A disturbance that comes and goes, over the grid of times ahead. */
export interface Drift {
  readonly time: number;
  /** What is left of the disturbance of now. */
  readonly keep: Float64Array;
  readonly maxima: Maxima;
}

export function driftOf(kind: Pick<NoiseKernel, "drift" | "driftTime">): Drift {
  return { time: kind.driftTime, keep: columnAhead((lives) => keepOver(kind, lives)), maxima: maximaOf(1 / kind.driftTime) };
}
