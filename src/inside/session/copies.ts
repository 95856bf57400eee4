/**
 * What this process last read or wrote of sessions and maps, of all stores together: a read of what is current still takes a few bytes.
 * Bounded; who was not used for long goes first. Who is of the newer half stays where it is: V8 looks through all the places that a key
 * has had, so that one which is used again and again would cost 100 µs among 10,000.
 */
import { heapLimitBytes } from "../heap-limit.ts";

export interface Copy {
  readonly version: number;
  readonly text: string;
}

interface Held {
  readonly copy: Copy;
  /** Counted as they come. */
  readonly place: number;
}

const copiesMax = 10_000;
/** The copies lie in the application's own heap, and must not look like a leak of it: little of a small one. */
const copiedBytesMax = Math.min(64 * 1024 * 1024, heapLimitBytes / 16);

export class Copies {
  readonly #copies = new Map<string, Held>();
  /**
   * Each new one looks first through the places of all that were dropped (30 µs with 10,000); an old one keeps each table that the map
   * has had since it went on last, with all that was in it. So it is another one whenever an eighth of the places are others'.
   */
  #oldest = this.#copies.keys();
  #deletions = 0;
  #copiedBytes = 0;
  #places = 0;

  get(store: string, id: string): Copy | undefined {
    const key = keyOf(store, id);
    const held = this.#copies.get(key);
    if (held !== undefined) this.#set(key, held.copy, held);
    return held?.copy;
  }

  keep(store: string, id: string, copy: Copy): void {
    const key = keyOf(store, id);
    this.#set(key, copy, this.#copies.get(key));
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

  #set(key: string, copy: Copy, before: Held | undefined): void {
    this.#copiedBytes += copy.text.length - (before?.copy.text.length ?? 0);
    if (before !== undefined && before.place > this.#places - this.#copies.size / 2)
      return void this.#copies.set(key, { copy, place: before.place });
    if (before !== undefined) this.#delete(key);
    this.#places += 1;
    this.#copies.set(key, { copy, place: this.#places });
  }

  #drop(key: string): void {
    const held = this.#copies.get(key);
    if (held === undefined) return;
    this.#copiedBytes -= held.copy.text.length;
    this.#delete(key);
  }

  #delete(key: string): void {
    this.#deletions += 1;
    if (this.#deletions > this.#copies.size / 8) {
      this.#oldest = this.#copies.keys();
      this.#deletions = 0;
    }
    this.#copies.delete(key);
  }
}

/** As in the store's file: no store's name holds a colon. */
function keyOf(store: string, id: string): string {
  return `${store}:${id}`;
}
