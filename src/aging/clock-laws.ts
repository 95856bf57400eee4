/**
 * The laws by which clocks run against what they run by, as loops over columns: a hundred clocks of 64 blocks each are
 * asked for at every evaluation, and a function called for each number costs more than most of these formulas.
 */

/** Writes where the clock is at each of the marks, of which there may be fewer than room. */
export type Law = (marks: Float64Array, into: Float64Array) => void;

export const same: Law = (marks, into) => into.set(marks);

export function powerOf(exponent: number): Law {
  return (marks, into) => {
    for (let at = 0; at < marks.length; at += 1) into[at] = Math.max(marks[at] ?? 0, 0) ** exponent;
  };
}

/** One at the life's end. */
export function exponentialOf(rate: number): Law {
  const whole = Math.expm1(rate);
  return (marks, into) => {
    for (let at = 0; at < marks.length; at += 1) into[at] = Math.expm1(rate * (marks[at] ?? 0)) / whole;
  };
}

export function logarithmOf(scale: number): Law {
  return (marks, into) => {
    for (let at = 0; at < marks.length; at += 1) into[at] = Math.log1p(scale * Math.max(marks[at] ?? 0, 0));
  };
}

export function settlingOf(scale: number): Law {
  return (marks, into) => {
    for (let at = 0; at < marks.length; at += 1) into[at] = 1 - Math.exp(-Math.max(marks[at] ?? 0, 0) / scale);
  };
}

export function lateOf(knot: number): Law {
  return (marks, into) => {
    for (let at = 0; at < marks.length; at += 1) into[at] = Math.max((marks[at] ?? 0) - knot, 0);
  };
}

export function lateSquareOf(knot: number): Law {
  return (marks, into) => {
    for (let at = 0; at < marks.length; at += 1) into[at] = Math.max((marks[at] ?? 0) - knot, 0) ** 2;
  };
}

export function stoppedOf(knot: number): Law {
  return (marks, into) => {
    for (let at = 0; at < marks.length; at += 1) into[at] = Math.min(marks[at] ?? 0, knot);
  };
}

/** @param wave sine or cosine. */
export function waveOf(wave: (angle: number) => number, period: number): Law {
  return (marks, into) => {
    for (let at = 0; at < marks.length; at += 1) into[at] = wave((2 * Math.PI * (marks[at] ?? 0)) / period);
  };
}
