/** When a session's record expires, from its cookie. Pure: the store's clock and the application's are the host's. */

export interface ExpiringSession {
  readonly cookie?: { readonly expires?: unknown };
}

/**
 * A cookie without an expiry ends with its browser, and nobody is told when that was: without a bound each visitor that
 * ever came, and each robot, would stay in the file. connect-redis takes the same time.
 */
export const idleMsMax = 24 * 60 * 60 * 1_000;

export function expiryOf({ cookie }: ExpiringSession, nowMs: number): number {
  return cookieExpiry(cookie?.expires) ?? nowMs + idleMsMax;
}

/** It is in use, though its middleware may not say so at each request: its record is to live on. */
export function isToBeTouched({ cookie }: ExpiringSession, expiresAtMs: number | null, nowMs: number): boolean {
  return cookieExpiry(cookie?.expires) === null && expiresAtMs !== null && expiresAtMs - nowMs < idleMsMax / 2;
}

function cookieExpiry(expires: unknown): number | null {
  if (expires === undefined || expires === null || expires === false) return null;
  const atMs = expires instanceof Date ? expires.getTime() : new Date(String(expires)).getTime();
  return Number.isNaN(atMs) ? null : atMs;
}
