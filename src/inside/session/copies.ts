/**
 * What this process last read or wrote of sessions and maps, of all stores together: a read of what is current still takes a few bytes.
 * Bounded; who was not used the longest goes first.
 */
import { heapLimitBytes } from "../heap-limit.ts";

export interface Copy {
  readonly version: number;
  readonly text: string;
}

const copiesMax = 10_000;
/** The copies lie in the application's own heap, and must not look like a leak of it: little of a small one. */
const copiedBytesMax = Math.min(64 * 1024 * 1024, heapLimitBytes / 16);

export class Copies {
  readonly #copies = new Map<string, Copy>();
  /**
   * Each new one looks first through the places of all that were dropped (30 µs with 10,000); an old one keeps each table that the map
   * has had since it went on last, with all that was in it. So it is another one whenever an eighth of the places are others'.
   */
  #oldest = this.#copies.keys();
  #deletions = 0;
  #copiedBytes = 0;

  get(store: string, id: string): Copy | undefined {
    const key = keyOf(store, id);
    const copy = this.#copies.get(key);
    if (copy !== undefined && this.#delete(key)) this.#copies.set(key, copy);
    return copy;
  }

  keep(store: string, id: string, copy: Copy): void {
    const key = keyOf(store, id);
    this.#drop(key);
    this.#copies.set(key, copy);
    this.#copiedBytes += copy.text.length;
    while (this.#copies.size > copiesMax || this.#copiedBytes > copiedBytesMax) {
      const oldest = this.#oldest.next();
      if (oldest.done) break; // never: what it has not come to is there
      this.#drop(oldest.value);
    }
  }

  drop(store: string, id: string): void {
    this.#drop(keyOf(store, id));
  }

  dropAll(store: string): void {
    for (const key of [...this.#copies.keys()]) if (key.startsWith(keyOf(store, ""))) this.#drop(key);
  }

  #drop(key: string): void {
    const copy = this.#copies.get(key);
    if (copy === undefined) return;
    this.#copiedBytes -= copy.text.length;
    this.#delete(key);
  }

  #delete(key: string): boolean {
    this.#deletions += 1;
    if (this.#deletions > this.#copies.size / 8) {
      this.#oldest = this.#copies.keys();
      this.#deletions = 0;
    }
    return this.#copies.delete(key);
  }
}

/** As in the store's file: no store's name holds a colon. */
function keyOf(store: string, id: string): string {
  return `${store}:${id}`;
}
