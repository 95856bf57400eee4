/**
 * What of a session another process would not get back as it was: sessions pass from process to process as JSON.
 * express-session's own default store keeps JSON too; @fastify/session's keeps the live values, as long as its process lives.
 */

/** A session is looked at so far and no further: this runs at each write until something was found. */
const valuesMax = 100;

/** The key and the kind of the first such value, as people call it (`cart`, `Map`); null: there is none. */
export function lostValue(session: object): { readonly key: string; readonly kind: string } | null {
  const left = { values: valuesMax };
  for (const [key, value] of Object.entries(session)) {
    const kind = key === "cookie" ? null : lostKind(value, left);
    if (kind !== null) return { key, kind };
  }
  return null;
}

function lostKind(value: unknown, left: { values: number }): string | null {
  left.values -= 1;
  if (typeof value === "function" || typeof value === "symbol" || typeof value === "bigint") return typeof value;
  if (typeof value !== "object" || value === null || left.values < 0) return null;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== null && prototype !== Object.prototype) return value.constructor?.name || "object of a class";
  for (const one of Object.values(value)) {
    const kind = lostKind(one, left);
    if (kind !== null) return kind;
  }
  return null;
}
