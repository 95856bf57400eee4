/** The cookie that session middlewares keep in the session: its options, and how long it is for. */

interface CookieData {
  readonly expires?: unknown;
  /** Of @fastify/session: what `expires` was before. */
  readonly originalExpires?: unknown;
  readonly originalMaxAge?: unknown;
}

const sameAgeMs = 1_000;

/** Whatever of its time is left; express-session's arithmetic loses a millisecond of its length now and then. */
export function isSameCookie(one: unknown, other: unknown): boolean {
  if (!isCookie(one) || !isCookie(other)) return one === other;
  const { expires: _was, originalExpires: _before, originalMaxAge: was = null, ...options } = one;
  const { expires: _is, originalExpires: _now, originalMaxAge: is = null, ...others } = other;
  const isSameAge = was === is || (typeof was === "number" && typeof is === "number" && Math.abs(was - is) < sameAgeMs);
  return isSameAge && JSON.stringify(options) === JSON.stringify(others);
}

function isCookie(value: unknown): value is CookieData {
  return typeof value === "object" && value !== null;
}
