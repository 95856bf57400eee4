/**
 * A session store on the replicator: reads through a bounded local copy ("unchanged since version v" is a
 * few bytes), writes name the version that they were made from, so that parallel requests of one session
 * merge instead of overwriting each other.
 */
import { absentBase, anyBase } from "../../state/session-record.ts";
import type { Put, Removal } from "../state/host.ts";
import type { Copy } from "./copies.ts";
import type { Answered, Operation, StoreClient } from "./store-client.ts";

/** What a session object was made from. */
export interface Base {
  readonly version: number;
  /** The text at that version; for a merged write the text that was sent. */
  readonly text: string;
  /** The stored record is not this text: the next write brings its base along. */
  readonly stale: boolean;
}

/** Nothing: it is another one than any that had its identifier before. */
export const newSession: Base = { version: absentBase, text: "", stale: false };

export interface Read {
  readonly base: Base;
  readonly expiresAtMs: number | null;
}

export class ReplicatedStore {
  readonly #client: StoreClient;
  readonly #name: string;

  constructor(client: StoreClient, name: string) {
    this.#client = client;
    this.#name = name;
  }

  async read(id: string): Promise<Read | null> {
    const copy = this.#client.copies.get(this.#name, id);
    const { answer, text } = await this.#client.call({
      kind: "read",
      store: this.#name,
      id,
      ...(copy === undefined ? {} : { version: copy.version }),
    });
    if (answer.kind === "unchanged" && copy !== undefined) {
      return { base: { ...copy, stale: false }, expiresAtMs: answer.expiresAtMs };
    }
    if (answer.kind !== "record") {
      this.#drop(id);
      return null;
    }
    this.#keep(id, { version: answer.version, text });
    return { base: { version: answer.version, text, stale: false }, expiresAtMs: answer.expiresAtMs };
  }

  /** Resolves when the write is durable, to what the next write of the same object is based on; null if the session was destroyed. */
  async write(id: string, base: Base | null, text: string, expiresAtMs: number | null): Promise<Base | null> {
    const version = base?.version ?? anyBase;
    const operation: Extract<Operation, { kind: "write" }> = { kind: "write", store: this.#name, id, base: version, expiresAtMs };
    let { answer, text: stored } =
      base?.stale === true ? await this.#writeWithBase(operation, base, text) : await this.#client.call(operation, Buffer.from(text));
    if (answer.kind === "base-wanted" && base !== null) ({ answer, text: stored } = await this.#writeWithBase(operation, base, text));
    if (answer.kind === "dropped") {
      this.#drop(id);
      return null;
    }
    if (answer.kind !== "written") throw new Error(`the session store answered ${answer.kind} to a write`);
    this.#keep(id, { version: answer.version, text: answer.merged ? stored : text });
    // After a merge the object in hand still lacks what others wrote: it is based on what it was, which is older than what is stored.
    return answer.merged ? { version: answer.version - 1, text, stale: true } : { version: answer.version, text, stale: false };
  }

  /** Compare and set, without merging. */
  async put(id: string, base: number, text: string, expiresAtMs: number | null): Promise<Put> {
    const operation: Operation = { kind: "put", store: this.#name, id, base, expiresAtMs };
    const { answer, text: stored } = await this.#client.call(operation, Buffer.from(text));
    if (answer.kind === "stale") return { isDone: false, current: this.#current(id, answer.version, stored) };
    if (answer.kind !== "written") throw new Error(`the store answered ${answer.kind} to a put`);
    this.#keep(id, { version: answer.version, text });
    return { isDone: true };
  }

  /** By the same rule; `wasThere` is false where there was nothing to remove. */
  async remove(id: string, base: number): Promise<Removal> {
    const { answer, text } = await this.#client.call({ kind: "remove", store: this.#name, id, base });
    if (answer.kind === "stale") return { isDone: false, current: this.#current(id, answer.version, text) };
    this.#drop(id);
    return { isDone: true, wasThere: answer.kind === "done" };
  }

  #current(id: string, version: number, text: string): Copy | null {
    this.#drop(id);
    if (version === absentBase) return null;
    const current = { version, text };
    this.#keep(id, current);
    return current;
  }

  /** What this process last read or wrote of the session, if it still knows. */
  lastSeen(id: string): Base | null {
    const copy = this.#client.copies.get(this.#name, id);
    return copy === undefined ? null : { ...copy, stale: false };
  }

  /** @param base what it was made from, if that is known. */
  async touch(id: string, expiresAtMs: number | null, base: Base | null = null): Promise<void> {
    const version = base === null ? {} : { version: base.version };
    await this.#client.call({ kind: "touch", store: this.#name, id, expiresAtMs, ...version });
  }

  async destroy(id: string): Promise<void> {
    this.#drop(id);
    await this.#client.call({ kind: "destroy", store: this.#name, id });
  }

  async clear(): Promise<void> {
    this.#client.copies.dropAll(this.#name);
    await this.#client.call({ kind: "clear", store: this.#name });
  }

  async count(): Promise<number> {
    const { answer } = await this.#client.call({ kind: "count", store: this.#name });
    return answer.kind === "counted" ? answer.sessions : 0;
  }

  async all(): Promise<Answered["records"]> {
    return (await this.#client.call({ kind: "all", store: this.#name })).records;
  }

  #writeWithBase(operation: Extract<Operation, { kind: "write" }>, base: Base, text: string) {
    const baseBytes = Buffer.from(base.text);
    return this.#client.call({ ...operation, baseLength: baseBytes.length }, Buffer.concat([baseBytes, Buffer.from(text)]));
  }

  #keep(id: string, copy: Copy): void {
    this.#client.copies.keep(this.#name, id, copy);
  }

  #drop(id: string): void {
    this.#client.copies.drop(this.#name, id);
  }
}
