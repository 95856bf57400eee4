/** Which of the known names somebody may have meant: `rss` for `rssBytes`, `openfds` or `openFsd` for `openFds`. */

const editsMax = 2;
/** In a shorter name two edits make another one. */
const editedLengthMin = 5;

/** As part of a longer name so many letters are no chance, and fewer where they are half of it. */
const partLengthMin = 3;

/** The nearest of them; none where two are as near. */
export function nearName(name: string, known: readonly string[]): string | null {
  const own = name.toLowerCase();
  const [nearest, next] = known
    .map((one) => ({ one, edits: editsBetween(own, one.toLowerCase()) }))
    .filter(({ one, edits }) => isPart(own, one.toLowerCase()) || (own.length >= editedLengthMin && edits <= editsMax))
    .sort((a, b) => a.edits - b.edits);
  return nearest === undefined || nearest.edits === next?.edits ? null : nearest.one;
}

function isPart(a: string, b: string): boolean {
  const [part, whole] = a.length <= b.length ? [a, b] : [b, a];
  return whole.includes(part) && (part.length >= partLengthMin || part.length * 2 >= whole.length);
}

/** Levenshtein's distance. */
function editsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
