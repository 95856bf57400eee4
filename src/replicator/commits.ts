/**
 * One transaction for all that comes in one turn of the loop, on the loop itself. A commit to the memory map takes some ten microseconds;
 * LMDB's own thread for writing costs several times as much, and on a busy machine waits for its turn.
 */
import type { RootDatabase } from "lmdb";

interface Operation {
  readonly run: () => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Commits {
  readonly #database: Pick<RootDatabase, "transactionSync">;
  #next: Operation[] = [];

  constructor(database: Pick<RootDatabase, "transactionSync">) {
    this.#database = database;
  }

  /** Resolves when what `run` wrote is committed. @throws LMDB's error; of the others that came with it none is lost for it. */
  add(run: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#next.push({ run, resolve, reject });
      if (this.#next.length === 1) setImmediate(() => this.#commit());
    });
  }

  #commit(): void {
    const operations = this.#next;
    this.#next = [];
    if (this.#wrote(operations, operations.length === 1)) return;
    for (const one of operations) this.#wrote([one], true);
  }

  /** All or none. @param last whoever waits is told of a failure. */
  #wrote(operations: readonly Operation[], last: boolean): boolean {
    try {
      this.#database.transactionSync(() => {
        for (const { run } of operations) run();
      });
    } catch (error) {
      if (last) for (const { reject } of operations) reject(error);
      return last;
    }
    for (const { resolve } of operations) resolve();
    return true;
  }
}
