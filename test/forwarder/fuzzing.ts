/** How long, and from where on, properties over real sockets are tried; a failure says the command that has it again. */
import fc from "fast-check";

export interface Fuzzing {
  readonly runs: number;
  readonly seed: number;
  /** Of a failure before: from there on. What it owes to the runs before it, its seed alone brings back. */
  readonly path?: string | undefined;
}

/** What the environment says, else the same in each run that gates a change. */
export function fuzzingOf(runs: number): Fuzzing {
  const { FUZZ_RUNS = runs, FUZZ_SEED = 1, FUZZ_PATH: path } = process.env;
  return { runs: Number(FUZZ_RUNS), seed: Number(FUZZ_SEED), path };
}

export type Command = (fuzzing: Fuzzing) => string;

/** Of a test file with one such property. */
export const testFile =
  (name: string): Command =>
  ({ runs, seed, path }) =>
    `FUZZ_RUNS=${runs} FUZZ_SEED=${seed}${path === undefined ? "" : ` FUZZ_PATH=${path}`} node --test test/forwarder/${name}`;

export async function holds<T>(property: fc.IAsyncPropertyWithHooks<T>, { runs, seed, path }: Fuzzing, command: Command): Promise<void> {
  const details = await fc.check(property, { numRuns: runs, seed, endOnFailure: true, ...(path === undefined ? {} : { path }) });
  if (!details.failed) return;
  const { counterexamplePath } = details;
  const again = [command({ runs, seed }), ...(counterexamplePath === null ? [] : [command({ runs: 1, seed, path: counterexamplePath })])];
  const text = `${fc.defaultReportMessage(details)}\nAgain, with all that came before and from there on:\n  ${again.join("\n  ")}`;
  throw new Error(text, { cause: details.errorInstance });
}
