/** Maps of an application that runs without Coppice, as in development: in its own memory, by the same rules. */
import { hasExpired, isCurrent, put, type SessionRecord } from "../../state/session-record.ts";
import type { Held, Put, Removal, StateHost } from "./host.ts";

export class Alone implements StateHost {
  readonly #maps = new Map<string, Map<string, SessionRecord>>();
  #versions = 0;

  async read(map: string, key: string): Promise<Held | null> {
    return this.#live(map, key);
  }

  async put(map: string, key: string, base: number, text: string, expiresAtMs: number | null): Promise<Put> {
    const current = this.#live(map, key);
    this.#versions += 1;
    const outcome = put(current, { id: String(this.#versions), base, expiresAtMs, text }, Date.now(), this.#versions);
    if (outcome.kind === "stale") return { isDone: false, current };
    this.#of(map).set(key, outcome.record);
    return { isDone: true };
  }

  async remove(map: string, key: string, base: number): Promise<Removal> {
    const current = this.#live(map, key);
    if (!isCurrent(current, base)) return { isDone: false, current };
    return { isDone: true, wasThere: this.#of(map).delete(key) };
  }

  async clear(map: string): Promise<void> {
    this.#of(map).clear();
  }

  async count(map: string): Promise<number> {
    return (await this.all(map)).length;
  }

  async all(map: string): Promise<readonly { readonly id: string; readonly text: string }[]> {
    const keys = [...this.#of(map).keys()].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other))); // as the store's
    return keys.flatMap((id) => {
      const record = this.#live(map, id);
      return record === null ? [] : [{ id, text: record.text }];
    });
  }

  /** Nobody was here before it, and nobody will come after. */
  async checkpoint(): Promise<boolean> {
    return false;
  }

  onCordon(): void {}

  #of(map: string): Map<string, SessionRecord> {
    const known = this.#maps.get(map) ?? new Map<string, SessionRecord>();
    this.#maps.set(map, known);
    return known;
  }

  #live(map: string, key: string): SessionRecord | null {
    const record = this.#of(map).get(key) ?? null;
    if (record === null || !hasExpired(record, Date.now())) return record;
    this.#of(map).delete(key);
    return null;
  }
}
