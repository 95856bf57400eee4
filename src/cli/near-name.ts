/** Which of the known names somebody may have meant: `rss` for `rssBytes`, `openfds` or `openFsd` for `openFds`. */

const editsMax = 2;
/** In a shorter name two edits make another one. */
const editedLengthMin = 5;

export function nearName(name: string, known: readonly string[]): string | null {
  const own = name.toLowerCase();
  const within = known.find((one) => one.toLowerCase().includes(own) || own.includes(one.toLowerCase()));
  if (within !== undefined) return within;
  return known.find((one) => own.length >= editedLengthMin && editsBetween(own, one.toLowerCase()) <= editsMax) ?? null;
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
