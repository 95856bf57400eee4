/**
 * Affinity: requests of one session go to one upstream, by rendezvous hashing of the application's own
 * session cookie (Thaler and Ravishankar, 1998): no table, no cookie of ours, equal on all forwarders.
 * If an upstream goes, only its sessions move.
 */

/** FNV-1a, 32 bits, over UTF-16 code units; finished with murmur3's mixer for even spread of short keys. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Weight of an upstream's name for a key; the highest wins. Mixing two hashes keeps it free of garbage. */
export function rendezvousWeight(keyHash: number, nameHash: number): number {
  let mixed = Math.imul(keyHash ^ nameHash, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

/** Value of the first of `names` that the Cookie header holds, and not empty, as some applications leave it; null if none. */
export function cookieValue(header: string, names: readonly string[]): string | null {
  for (const name of names) {
    for (let at = header.indexOf(`${name}=`); at >= 0; at = header.indexOf(`${name}=`, at + 1)) {
      if (at > 0 && header[at - 1] !== " " && header[at - 1] !== ";") continue;
      const end = header.indexOf(";", at);
      const value = header.slice(at + name.length + 1, end < 0 ? header.length : end).trimEnd();
      if (value !== "") return value;
    }
  }
  return null;
}
