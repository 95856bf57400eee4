/**
 * In which form a client wants an answer of the forwarder's own (RFC 9110 §12.5.1): the one of highest quality; among
 * equals the one that it names itself, and of those the first. Where it does not care, or wants none of them: text.
 */

const forms = ["text/plain", "application/json", "text/html"] as const;
export type Form = (typeof forms)[number];

interface Wish {
  /** 0..1. */
  readonly quality: number;
  /** 3: that form; 2: its kind; 1: anything. */
  readonly closeness: number;
  readonly place: number;
}

const unwanted: Wish = { quality: 0, closeness: 0, place: 0 };

export function preferredForm(accept: string): Form {
  const ranges = accept.toLowerCase().split(",");
  let best: Form = forms[0];
  let bestWish = unwanted;
  for (const form of forms) {
    const wish = wishFor(form, ranges);
    if (wish.quality === 0 || !isStronger(wish, bestWish)) continue;
    best = form;
    bestWish = wish;
  }
  return best;
}

/** Of the range that comes closest to it: `text/html;q=0` says more of HTML than the star beside it. */
function wishFor(form: Form, ranges: readonly string[]): Wish {
  let wish = unwanted;
  for (const [place, range] of ranges.entries()) {
    const [name = "", ...parameters] = range.split(";").map((part) => part.trim());
    const closeness = closenessOf(form, name);
    if (closeness > wish.closeness) wish = { quality: qualityOf(parameters), closeness, place };
  }
  return wish;
}

function closenessOf(form: Form, name: string): number {
  if (name === form || (form === "application/json" && name.endsWith("+json"))) return 3;
  if (name.endsWith("/*") && form.startsWith(name.slice(0, -1))) return 2;
  return name === "*/*" || name === "*" ? 1 : 0;
}

/** A weight that is no number is none. */
function qualityOf(parameters: readonly string[]): number {
  const weight = parameters.find((parameter) => parameter.startsWith("q="));
  if (weight === undefined) return 1;
  const quality = Number(weight.slice(2));
  return quality >= 0 && quality <= 1 ? quality : 0;
}

function isStronger(one: Wish, other: Wish): boolean {
  if (one.quality !== other.quality) return one.quality > other.quality;
  if (one.closeness !== other.closeness) return one.closeness > other.closeness;
  return one.closeness === 3 && one.place < other.place;
}
