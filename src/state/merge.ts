/**
 * Three-way merge of a session by its top-level keys (DESIGN §14): what one side changed against the base
 * is taken, what both changed is taken from the later (incoming) side and counted. A deletion is a change.
 */

export type Data = Readonly<Record<string, unknown>>;

export interface Merged {
  readonly data: Data;
  /** Keys that both sides changed, to different values. */
  readonly conflicts: number;
}

export function mergeData(base: Data, current: Data, incoming: Data): Merged {
  const merged: [string, unknown][] = []; // entries: an assignment to `__proto__` would not make a key
  let conflicts = 0;
  // Order as the current record has it, then what the incoming one adds.
  for (const key of new Set([...Object.keys(current), ...Object.keys(incoming)])) {
    const theirs = text(current, key);
    const ours = text(incoming, key);
    const before = text(base, key);
    const weChanged = ours !== before;
    if (weChanged && theirs !== before && ours !== theirs) conflicts += 1;
    const source = weChanged ? incoming : current;
    if (Object.hasOwn(source, key)) merged.push([key, source[key]]);
  }
  // A key that both sides hold from the base and one deleted is handled above: its text is undefined there.
  return { data: Object.fromEntries(merged), conflicts };
}

/** JSON of one key's value; undefined if the key is absent. Values came from JSON: equal text is equal value. */
function text(data: Data, key: string): string | undefined {
  return Object.hasOwn(data, key) ? JSON.stringify(data[key]) : undefined;
}
