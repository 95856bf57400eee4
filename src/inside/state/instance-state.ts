/**
 * The probe's side of `coppice/state`: maps on the replicator, and what the application saves when its node is
 * regenerated, for the process that follows.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { InstanceBirth } from "../../model/birth.ts";
import type { FromInstance } from "../../model/control.ts";
import { messageOf } from "../../model/errors.ts";
import { anyBase } from "../../state/session-record.ts";
import { ReplicatedStore } from "../session/replicated-store.ts";
import type { StoreClient } from "../session/store-client.ts";
import { type CordonHook, elsewhere, type Held, offerHost, type Put, type Removal, type StateHost } from "./host.ts";

/** Sessions' stores have no dot in their names. */
const mapStore = (map: string) => `map.${map}`;
const checkpointStore = "checkpoint.";

const removeAgainMs = 100;

type Save = () => Promise<string>;

export class InstanceState implements StateHost {
  readonly #client: StoreClient;
  readonly #saves = new Map<string, Save>();
  readonly #cordonHooks: CordonHook[] = [];
  readonly #restoring = new Set<Promise<unknown>>();
  readonly #claim: () => void;
  #birth: InstanceBirth | null = null;
  #tell: (message: FromInstance) => void = () => {};
  #onRestored = () => {};
  #isCordoned = false;
  #hasServed = false;
  /** Of this cordon. */
  #saved: Promise<void> | null = null;
  /** What was begun last of saving and forgetting: one after the other, or a late one would undo the next. */
  #last: Promise<void> = Promise.resolve();

  /** @param claim makes this process the instance, unless another one is: in the tree of a command who asks first is it. */
  constructor(client: StoreClient, claim: () => void) {
    this.#client = client;
    this.#claim = claim;
    offerHost(this);
  }

  /** @param onRestored is called when nothing is being restored any more. */
  begin(birth: InstanceBirth, tell: (message: FromInstance) => void, onRestored: () => void): void {
    this.#birth = birth;
    this.#tell = tell;
    this.#onRestored = onRestored;
  }

  get isRestoring(): boolean {
    return this.#restoring.size > 0;
  }

  /** What was saved for this process is its own from its first request on: after a crash the next one begins without. */
  firstRequest(): void {
    this.#hasServed = true;
    this.#forget();
  }

  cordon(isCordoned: boolean): void {
    if (isCordoned === this.#isCordoned) return;
    this.#isCordoned = isCordoned;
    if (!isCordoned && this.#saved !== null) {
      this.#saved = null;
      this.#forget(); // it serves on: what it saved is old from now on
    }
    for (const hook of this.#cordonHooks) void this.#call(hook, isCordoned);
  }

  /** What it promises counts too: nobody else would take its rejection, which ends a process. */
  async #call(hook: CordonHook, isCordoned: boolean): Promise<void> {
    try {
      await hook(isCordoned);
    } catch (error) {
      this.#warn("cordon-hook-failed", `its onCordon hook failed: ${messageOf(error)}`);
    }
  }

  /** Once for each cordon, however often it is asked. Rejects if the application cannot. */
  save(): Promise<void> {
    this.#saved ??= this.#inTurn(() => this.#saveAll());
    return this.#saved;
  }

  async read(map: string, key: string): Promise<Held | null> {
    return (await this.#map(map).read(key))?.base ?? null;
  }

  async put(map: string, key: string, base: number, text: string, expiresAtMs: number | null): Promise<Put> {
    return this.#map(map).put(key, base, text, expiresAtMs);
  }

  async remove(map: string, key: string, base: number): Promise<Removal> {
    return this.#map(map).remove(key, base);
  }

  async clear(map: string): Promise<void> {
    return this.#map(map).clear();
  }

  async count(map: string): Promise<number> {
    return this.#map(map).count();
  }

  async all(map: string): Promise<readonly { readonly id: string; readonly text: string }[]> {
    return this.#map(map).all();
  }

  async checkpoint(name: string, save: Save, restore: (text: string) => Promise<void>): Promise<boolean> {
    this.#born();
    if (this.#saves.has(name)) throw new Error(`the checkpoint ${JSON.stringify(name)} is there already: give each its own name`);
    this.#saves.set(name, save);
    if (this.#saves.size === 1) this.#announce();
    const restoring = this.#restore(name, restore);
    this.#restoring.add(restoring);
    const ended = () => {
      this.#restoring.delete(restoring);
      if (this.#restoring.size === 0) this.#onRestored();
      if (this.#hasServed && this.#saved === null) this.#forget(); // set up after its first request
    };
    restoring.then(ended, ended);
    return restoring;
  }

  onCordon(hook: CordonHook): void {
    this.#cordonHooks.push(hook);
  }

  async #restore(name: string, restore: (text: string) => Promise<void>): Promise<boolean> {
    try {
      const read = await this.#store(checkpointStore).read(this.#keyOf(name));
      if (read === null) return false;
      await restore(read.base.text);
      return true;
    } catch (error) {
      this.#warn("not-restored", `its checkpoint ${JSON.stringify(name)} was not restored: ${messageOf(error)}. It serves without`);
      throw error;
    }
  }

  async #saveAll(): Promise<void> {
    const store = this.#store(checkpointStore);
    const saves = [...this.#saves].map(async ([name, save]) => {
      try {
        await store.put(this.#keyOf(name), anyBase, await save(), null);
      } catch (error) {
        throw new Error(`its checkpoint ${JSON.stringify(name)} was not saved: ${messageOf(error)}`);
      }
    });
    await Promise.all(saves);
  }

  #forget(): void {
    if (this.#saves.size === 0) return;
    const names = [...this.#saves.keys()];
    void this.#inTurn(async () => {
      await Promise.all(names.map((name) => this.#remove(name)));
    });
  }

  /** Until it is done: what stays, the process that follows a crash would be given. The replicator may hang, or still refuse what a hand-off withdrew. */
  async #remove(name: string): Promise<void> {
    for (;;) {
      try {
        await this.#store(checkpointStore).remove(this.#keyOf(name), anyBase);
        return;
      } catch {
        await pause(removeAgainMs, undefined, { ref: false });
      }
    }
  }

  #inTurn(body: () => Promise<void>): Promise<void> {
    const mine = this.#last.then(body);
    this.#last = mine.catch(() => {});
    return mine;
  }

  #map(map: string): ReplicatedStore {
    this.#born();
    return this.#store(mapStore(map));
  }

  #store(name: string): ReplicatedStore {
    return new ReplicatedStore(this.#client, name); // it keeps nothing: there may be a map for each of an application's rooms
  }

  #keyOf(name: string): string {
    return `${this.#born().node}/${name}`;
  }

  #born(): InstanceBirth {
    if (this.#birth === null) this.#claim();
    if (this.#birth === null) throw elsewhere();
    return this.#birth;
  }

  #announce(): void {
    this.#tell({ kind: "keeps-checkpoint" });
    this.#tell({
      kind: "notice",
      level: "info",
      code: "checkpoint",
      text: "its own hooks save and restore what it has in memory (coppice/state): each node is regenerated in place, since two processes cannot both have that",
    });
  }

  #warn(code: string, text: string): void {
    this.#tell({ kind: "notice", level: "warning", code, text });
  }
}
