/**
 * `coppice/state`: what an application keeps beside its sessions, so that it outlives each of its processes.
 *
 * ```js
 * const { stateMap, checkpoint, onCordon } = require("coppice/state");
 * const stock = stateMap("stock");
 * await stock.update("apples", (left = 10) => left - 1);
 * ```
 *
 * Without Coppice (`node server.js`) maps are in the process's own memory, and nothing is saved or restored.
 */
import { findHost } from "./host.ts";
import { SharedMap, textOf } from "./shared-map.ts";

// All that a user sees is declared here: the package's declarations name no other file.

export interface StateMapOptions {
  /** How long a value is kept after it was last set or updated; default: until it is deleted, or the cluster is stopped. */
  readonly ttlMs?: number;
}

/**
 * Keys are texts of 1 to 1,000 bytes without control characters and halves of surrogate pairs (RangeError), values what JSON
 * can say (TypeError), 32 MiB at most. Everything rejects if the store does not answer within `sessionStoreTimeoutMs`.
 */
export interface StateMap<V> {
  /** A copy of its own: what is changed in it is changed nowhere else. */
  get(key: string): Promise<V | undefined>;
  has(key: string): Promise<boolean>;
  /** Resolves when it is kept: it then outlives every process of the cluster. */
  set(key: string, value: V): Promise<void>;
  /**
   * Reads, changes and writes as one step: if another node came between, `change` is called again with what is there now.
   * `undefined` stands for no value, both ways. Resolves to what is there afterwards.
   */
  update(key: string, change: (value: V | undefined) => V | undefined | Promise<V | undefined>): Promise<V | undefined>;
  /** Resolves to whether there was one. */
  delete(key: string): Promise<boolean>;
  clear(): Promise<void>;
  size(): Promise<number>;
  /** All at once, in the order of their keys: for maps that fit into memory. */
  entries(): Promise<[key: string, value: V][]>;
}

/**
 * A named map that all nodes share. Two calls with one name give the same map.
 *
 * @param name 1 to 64 letters, digits, `.`, `_` or `-`. @throws RangeError for another name. In a process that does not serve, every use of it rejects.
 */
export function stateMap<V = unknown>(name: string, options: StateMapOptions = {}): StateMap<V> {
  return new SharedMap<V>(findHost, checkedName(name), options);
}

export interface CheckpointHooks<V> {
  /** Tells several checkpoints of one application apart; default `default`. */
  readonly name?: string;
  /**
   * Asked once the node has no request in process any more and gets none: what the next process of this node is to
   * have. JSON, 32 MiB at most. If it fails, the node is not regenerated and serves on.
   */
  readonly save: () => V | Promise<V>;
  /** Given it before that process is taken for ready. */
  readonly restore: (state: V) => void | Promise<void>;
}

/**
 * For state that lives in one process and cannot be in a map: saved when its node is regenerated, restored in the process
 * that follows, before it gets requests. Call it before `listen`. A node with a checkpoint is regenerated in place, since
 * two processes cannot both have its state; after a crash nothing is restored.
 *
 * Resolves when it was restored (true), or there is nothing to restore (false); rejects with what `restore` threw: then
 * the node serves without it, and says so.
 */
export async function checkpoint<V>({ name = "default", save, restore }: CheckpointHooks<V>): Promise<boolean> {
  return findHost().checkpoint(
    checkedName(name),
    async () => textOf(await save(), "what save() gives"),
    async (text) => restore(JSON.parse(text) as V), // as it was saved
  );
}

/**
 * Calls back when this process gets no new request any more, since another one takes over: time to stop timers and
 * consumers of queues that would run twice. With false, when that was taken back and it serves on. Nobody waits for what the
 * hook promises; that it failed is told.
 */
export function onCordon(hook: (isCordoned: boolean) => unknown): void {
  findHost().onCordon(hook);
}

function checkedName(name: string): string {
  if (/^[\w.-]{1,64}$/.test(name)) return name;
  throw new RangeError(`the name ${JSON.stringify(name)} is not of 1 to 64 letters, digits, '.', '_' or '-'`);
}
