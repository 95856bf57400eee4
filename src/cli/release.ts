/**
 * What of the user's application is started: the working directory and the script as typed, and where their
 * links lead at this moment. Running processes and crash restarts stay there; `reload` resolves them anew.
 */
import { realpathSync, statSync } from "node:fs";
import { basename, isAbsolute, join, resolve } from "node:path";
import { CoppiceError } from "../model/errors.ts";
import type { Release } from "../model/node.ts";

export type ReleasePlace = Pick<Release, "script" | "workingDirectory" | "asTyped">;

/** The shell's own name of the working directory, links kept (`$PWD`), where it is that directory. */
export function typedDirectory(): string {
  const named = process.env["PWD"];
  const actual = process.cwd();
  if (named === undefined || !isAbsolute(named)) return actual;
  return realpathOrNull(named) === actual ? named : actual;
}

/** @throws CoppiceError COPPICE_ARGUMENT if there is no such directory or script. */
export function resolveRelease(asTyped: Release["asTyped"]): ReleasePlace {
  const workingDirectory = realpathOrNull(asTyped.workingDirectory);
  if (workingDirectory === null)
    throw new CoppiceError("COPPICE_ARGUMENT", `the working directory ${asTyped.workingDirectory} does not exist any more`);
  return { workingDirectory, script: findScript(resolve(asTyped.workingDirectory, asTyped.script)), asTyped };
}

function findScript(path: string): string {
  for (const candidate of [path, `${path}.js`, `${path}.mjs`, `${path}.cjs`]) {
    if (statSync(candidate, { throwIfNoEntry: false })?.isFile() === true) {
      // The last name may be a link of its own (node_modules/.bin): Node resolves that one itself.
      return join(realpathSync(resolve(candidate, "..")), basename(candidate));
    }
  }
  const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  const what = isDirectory ? "is a directory; name the script that starts the server" : "does not exist";
  throw new CoppiceError("COPPICE_ARGUMENT", `${path} ${what}`, { facts: { script: path } });
}

function realpathOrNull(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

/** Of the shell that a command was typed in, not of the application. */
const shellOnly = /^(?:PWD|OLDPWD|SHLVL|_|SHELL|TERM|TERM_.*|COLUMNS|LINES|SSH_.*|COPPICE_.*|PORT|npm_.*|INIT_CWD)$/;

/** The caller's environment, for a release: what a deploy changed comes along, what belongs to the shell does not. */
export function environmentOfCaller(environment: NodeJS.ProcessEnv = process.env): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined && !shellOnly.test(entry[0])),
  );
}
