/** express-session's own default store over a real replicator, as the probe makes it one. Once a process: a package's store becomes one replicator's. */
import { createRequire } from "node:module";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Sessions } from "../../src/inside/session/install.ts";
import type { FromInstance } from "../../src/model/control.ts";
import { ReplicatorStage } from "./stage.ts";

export interface Package {
  readonly MemoryStore: new () => Record<string, (...args: unknown[]) => void>;
}

/** What `load` gives. */
export interface LiveSession {
  left?: number;
  other?: string;
  late?: number;
  save(callback: (error: unknown) => void): void;
}

export const called = (call: (callback: (error: unknown, result?: unknown) => void) => void) =>
  new Promise<unknown>((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result)));
  });

export async function expressStage() {
  const stage = new ReplicatorStage();
  await stage.listen();
  const { client, birth } = stage.born("web-1.1");
  const sessions = new Sessions(client);
  const { MemoryStore } = createRequire(import.meta.url)("express-session") as Package; // as its documents say
  await nextTurn(); // it was looked at
  const told: FromInstance[] = [];
  sessions.begin(birth, (message) => told.push(message));
  const store = new MemoryStore();
  const ask = (name: string, ...args: unknown[]) => called((callback) => store[name]?.(...args, callback));
  return {
    stage,
    client,
    store,
    ask,
    told,
    load: async (id: string) => (await ask("load", id)) as LiveSession, // express-session's own
    save: (session: LiveSession) => called((callback) => session.save(callback)),
  };
}
