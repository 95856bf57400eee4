/**
 * Where `coppice/state` in the application meets the probe in the same process: they may come from two copies of
 * the package, so what they have in common is a symbol and this interface, and nothing else.
 */
import { Alone } from "./alone.ts";

/** A value of a map, as the store has it. */
export interface Held {
  /** A positive integer, another one after each change. */
  readonly version: number;
  /** JSON. */
  readonly text: string;
}

/** A change of a version that is not the current one is not made. */
interface NotDone {
  readonly isDone: false;
  readonly current: Held | null;
}
export type Put = { readonly isDone: true } | NotDone;
export type Removal = { readonly isDone: true; readonly wasThere: boolean } | NotDone;

/** May promise: nobody waits for it, but its rejection is heard. */
export type CordonHook = (isCordoned: boolean) => unknown;

/** `base`: the version that must be current; 0: nothing may be there; -1: whatever is. All reject if the store cannot do it. */
export interface StateHost {
  read(map: string, key: string): Promise<Held | null>;
  put(map: string, key: string, base: number, text: string, expiresAtMs: number | null): Promise<Put>;
  remove(map: string, key: string, base: number): Promise<Removal>;
  clear(map: string): Promise<void>;
  count(map: string): Promise<number>;
  all(map: string): Promise<readonly { readonly id: string; readonly text: string }[]>;
  /** Resolves when what the process before saved was given to `restore`: to false where it saved nothing. */
  checkpoint(name: string, save: () => Promise<string>, restore: (text: string) => Promise<void>): Promise<boolean>;
  /** Called at each cordon, and when one is taken back. */
  onCordon(hook: CordonHook): void;
}

/** Its name changes with the interface: of another one nothing is believed. */
const place = Symbol.for("coppice.state-host.1");
const places = globalThis as unknown as Record<symbol, StateHost | undefined>; // under our symbol nobody else puts anything

export function offerHost(host: StateHost): void {
  places[place] = host;
}

/** Without Coppice the application runs alone, with maps in its own memory. */
export function findHost(): StateHost {
  const host = places[place];
  if (host !== undefined) return host;
  if (process.env["COPPICE_NODE"] !== undefined) throw elsewhere();
  const alone = new Alone();
  places[place] = alone;
  return alone;
}

/** A helper of the server's: maps of its own memory would be other ones than the server's, and nobody would know. */
export function elsewhere(): Error {
  const node = process.env["COPPICE_NODE"] ?? "the node";
  return new Error(
    `coppice/state is for the process that serves ${node}, and its main thread: this is another one. Let it ask the server (a message, a request), or keep in a database what both need`,
  );
}
