/**
 * The hand-off's tally: how many writes were acknowledged on a connection, and a checksum of them that
 * does not depend on their order. The instance and the replicator keep one each; equal tallies mean that
 * each knows of exactly the same acknowledged writes.
 */

export class Tally {
  writes = 0;
  #sum = 0;

  add(store: string, id: string, version: number): void {
    this.writes += 1;
    this.#sum = (this.#sum + fnv1a(`${store}\u0000${id}\u0000${version}`)) >>> 0;
  }

  get checksum(): string {
    return this.#sum.toString(16).padStart(8, "0");
  }
}

/** FNV-1a, 32 bits, over UTF-16 code units. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
