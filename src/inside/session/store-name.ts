/**
 * What a store is called, in every instance and release alike: by the cookie of the session that it is set up for, so that another
 * session in front of it changes nothing. Where the package's own function is not seen (a bundle), by the order of set-ups.
 */

/** A cookie's name (RFC 6265) that leaves room in a key. */
const cookieName = /^[\w!#$%&'*+.^`|~-]{1,100}$/;

const cookies = new WeakMap<object, string>();
const stores = new Map<string, number>();
let settingUp: string | null = null;

/** From here to `setUpEnds` what is set up is for this cookie. */
export function setUpBegins(cookie: unknown): void {
  settingUp = typeof cookie === "string" && cookieName.test(cookie) ? cookie : null;
}

export function setUpEnds(): void {
  settingUp = null;
}

/** A store is being set up: it is named later, when the stores before it are. */
export function noteSetUp(store: object): void {
  if (settingUp !== null && !cookies.has(store)) cookies.set(store, settingUp);
}

/** To be asked once for a store. */
export function nameOf(store: object): string {
  noteSetUp(store);
  const cookie = cookies.get(store);
  const kind = cookie === undefined ? "store" : `cookie-${cookie}`;
  const count = (stores.get(kind) ?? 0) + 1;
  stores.set(kind, count);
  return cookie === undefined ? `store-${count}` : `cookie-${count}-${cookie}`; // a cookie may end in a number
}
