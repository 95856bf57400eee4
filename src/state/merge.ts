/**
 * Three-way merge of a session by its top-level keys: what one side changed against the base
 * is taken, what both changed is taken from the later (incoming) side and counted. A deletion is a change.
 * That a cookie's expiry moved is none: it does so with each request.
 */
import { isSameCookie } from "./cookie.ts";

export type Data = Readonly<Record<string, unknown>>;

export interface Merged {
  readonly data: Data;
  /** Keys that both sides changed, to different values. */
  readonly conflicts: number;
  /** Its cookie, and so its expiry, is the current one's: that side alone changed it. */
  readonly keepsCookie: boolean;
}

/** As the session middlewares call it. */
const cookieKey = "cookie";

export function mergeData(base: Data, current: Data, incoming: Data): Merged {
  const merged: [string, unknown][] = []; // entries: an assignment to `__proto__` would not make a key
  let conflicts = 0;
  let keepsCookie = false;
  // Order as the current record has it, then what the incoming one adds.
  for (const key of new Set([...Object.keys(current), ...Object.keys(incoming)])) {
    const weChanged = !isSame(incoming, base, key);
    const theyChanged = !isSame(current, base, key);
    if (weChanged && theyChanged && !isSame(incoming, current, key)) conflicts += 1;
    if (key === cookieKey) keepsCookie = theyChanged && !weChanged;
    const source = weChanged || (key === cookieKey && !keepsCookie) ? incoming : current;
    if (Object.hasOwn(source, key)) merged.push([key, source[key]]);
  }
  // A key that both sides hold from the base and one deleted is handled above: it is not there on that side.
  return { data: Object.fromEntries(merged), conflicts, keepsCookie };
}

function isSame(one: Data, other: Data, key: string): boolean {
  if (text(one, key) === text(other, key)) return true;
  return key === cookieKey && isSameCookie(one[key], other[key]);
}

/** JSON of one key's value; undefined if the key is absent. Values came from JSON: equal text is equal value. */
function text(data: Data, key: string): string | undefined {
  return Object.hasOwn(data, key) ? JSON.stringify(data[key]) : undefined;
}
