/** The cookie that session middlewares keep in the session: its options, and how long it is for. */

interface CookieData {
  readonly expires?: unknown;
  /** Of @fastify/session: what `expires` was before. */
  readonly originalExpires?: unknown;
  readonly originalMaxAge?: unknown;
}

const sameAgeMs = 1_000;

/**
 * Whatever of its time is left: with its length it moves with each request, and express-session's arithmetic loses a millisecond of
 * that now and then. Where it has none (@fastify/session), its expiry is what somebody set.
 */
export function isSameCookie(one: unknown, other: unknown): boolean {
  if (!isCookie(one) || !isCookie(other)) return one === other;
  const { expires: from = null, originalExpires: _before, originalMaxAge: was = null, ...options } = one;
  const { expires: to = null, originalExpires: _now, originalMaxAge: is = null, ...others } = other;
  const hasLength = typeof was === "number" && typeof is === "number";
  const isSameTime = hasLength ? Math.abs(was - is) < sameAgeMs : was === is && JSON.stringify(from) === JSON.stringify(to);
  return isSameTime && JSON.stringify(options) === JSON.stringify(others);
}

function isCookie(value: unknown): value is CookieData {
  return typeof value === "object" && value !== null;
}
