/**
 * What of the user's application is started: the working directory and the script as typed, and where their
 * links lead at this moment. Running processes and crash restarts stay there; `reload` resolves them anew.
 */
import { accessSync, constants, existsSync, readFileSync, realpathSync, type Stats, statSync } from "node:fs";
import { basename, delimiter, dirname, extname, isAbsolute, join, resolve } from "node:path";
import { CoppiceError, messageOf } from "../model/errors.ts";
import type { Release } from "../model/node.ts";

export type ReleasePlace = Pick<Release, "kind" | "script" | "arguments" | "workingDirectory" | "asTyped">;

/**
 * The shell's own name of the working directory, links kept (`$PWD`), where it is that directory.
 * @throws CoppiceError COPPICE_ARGUMENT if it was removed: a shell stays in one that a deploy has made anew since.
 */
export function typedDirectory(): string {
  const named = process.env["PWD"];
  const actual = currentDirectory();
  if (named === undefined || !isAbsolute(named)) return actual;
  return realpathOrNull(named) === actual ? named : actual;
}

function currentDirectory(): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new CoppiceError("COPPICE_ARGUMENT", "the working directory was removed; change to the one that is there now", { cause });
  }
}

/**
 * A script, a directory with a package.json, or a command. Read again for each release.
 * @throws CoppiceError COPPICE_ARGUMENT if it is none of these.
 */
export function resolveRelease(asTyped: Release["asTyped"]): ReleasePlace {
  const workingDirectory = realpathOrNull(asTyped.workingDirectory);
  if (workingDirectory === null)
    throw new CoppiceError("COPPICE_ARGUMENT", `the working directory ${asTyped.workingDirectory} does not exist any more`);
  const path = resolve(asTyped.workingDirectory, asTyped.script);
  if (look(path)?.isDirectory() === true) return resolvePackage(asTyped, realpathSync(path));
  const script = findScript(path);
  const place = { arguments: asTyped.arguments, workingDirectory, asTyped };
  if (script !== null) checkIsNodes(script, asTyped.script);
  if (script !== null) return { ...place, kind: isNodeScript(script) ? "script" : "command", script };
  const command = asTyped.script.includes("/") ? null : findExecutable(asTyped.script, toolDirectories(workingDirectory));
  if (command !== null) return { ...place, kind: "command", script: command };
  const what = asTyped.script.includes("/") ? "does not exist" : "does not exist, and is no command of node_modules/.bin or the PATH";
  throw new CoppiceError("COPPICE_ARGUMENT", `${path} ${what}`, { facts: { script: path } });
}

/** What `npm start` would do, with the package manager whose lock file is there; without such a script, its `main`. */
function resolvePackage(asTyped: Release["asTyped"], directory: string): ReleasePlace {
  const place = { workingDirectory: directory, asTyped };
  const { hasStart, main } = readPackage(join(directory, "package.json"));
  if (hasStart) {
    const manager = ["pnpm", "yarn"].find((name) => existsSync(join(directory, name === "pnpm" ? "pnpm-lock.yaml" : "yarn.lock"))) ?? "npm";
    const script = findExecutable(manager) ?? findExecutable("npm");
    if (script === null) throw new CoppiceError("COPPICE_ARGUMENT", `${directory} is started by ${manager}, which is not on the PATH`);
    const separator = asTyped.arguments.length > 0 && script.endsWith("npm") ? ["--"] : [];
    return { ...place, kind: "command", script, arguments: ["run", "start", ...separator, ...asTyped.arguments] };
  }
  const script = findScript(join(directory, main));
  if (script === null)
    throw new CoppiceError("COPPICE_ARGUMENT", `${directory}/package.json has no start script, and its main, ${main}, does not exist`);
  return { ...place, kind: "script", script, arguments: asTyped.arguments };
}

interface PackageFile {
  readonly main?: unknown;
  readonly scripts?: { readonly start?: unknown } | null;
}

/** As npm and Node read it: what is there of another type is not there. */
function readPackage(path: string): { readonly hasStart: boolean; readonly main: string } {
  try {
    const { scripts, main } = (JSON.parse(readFileSync(path, "utf8")) ?? {}) as PackageFile; // the user's: each is looked at
    return { hasStart: typeof scripts?.start === "string", main: typeof main === "string" ? main : "index.js" };
  } catch (cause) {
    const why = existsSync(path)
      ? "is not JSON"
      : "does not exist; name the script that starts the server, or a directory with a package.json";
    throw new CoppiceError("COPPICE_ARGUMENT", `${path} ${why}`, { cause });
  }
}

function findScript(path: string): string | null {
  for (const candidate of [path, `${path}.js`, `${path}.mjs`, `${path}.cjs`]) {
    if (look(candidate)?.isFile() === true) {
      // The last name may be a link of its own (node_modules/.bin): Node resolves that one itself.
      return join(realpathSync(resolve(candidate, "..")), basename(candidate));
    }
  }
  return null;
}

/** What Node runs itself; a file of another name is a command if it may be executed. */
function isNodeScript(path: string): boolean {
  return /\.[cm]?[jt]s$/.test(path) || !isExecutable(path);
}

/** What runs files of other languages, where they do not say so themselves. */
const interpreters: Readonly<Record<string, string>> = { jar: "java -jar", php: "php", pl: "perl", py: "python3", rb: "ruby", sh: "sh" };

function checkIsNodes(path: string, asTyped: string): void {
  const interpreter = isExecutable(path) ? undefined : interpreters[extname(path).slice(1)];
  if (interpreter === undefined) return;
  throw new CoppiceError(
    "COPPICE_ARGUMENT",
    `${path} is nothing that Node runs, and may not be executed itself; name what runs it: coppice run --port 8000 -- ${interpreter} ${asTyped}`,
    { facts: { script: path } },
  );
}

/** Where npm looks for the tools of a package: here, and in every directory above (a workspace's tools lie at its root). */
function toolDirectories(directory: string): string[] {
  const above = dirname(directory);
  return [join(directory, "node_modules", ".bin"), ...(above === directory ? [] : toolDirectories(above))];
}

/** The absolute path of a command, looked for in `first` and then in the PATH. */
export function findExecutable(name: string, first: readonly string[] = []): string | null {
  const directories = [...first, ...(process.env["PATH"] ?? "").split(delimiter)];
  return directories.map((directory) => join(directory, name)).find(isExecutable) ?? null;
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Null where nothing is. @throws CoppiceError COPPICE_ARGUMENT where that cannot be seen: links in a circle, a directory that is closed. */
export function look(path: string): Stats | null {
  try {
    return statSync(path, { throwIfNoEntry: false }) ?? null;
  } catch (cause) {
    throw new CoppiceError("COPPICE_ARGUMENT", `${path}: ${messageOf(cause)}`, { cause });
  }
}

function realpathOrNull(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

/** Of the shell that a command was typed in, or of who typed it: a deploy may be root's, or another user's than the server is. */
const callersOwn =
  /^(?:PWD|OLDPWD|SHLVL|_|SHELL|TERM|TERM_.*|COLUMNS|LINES|SSH_.*|COPPICE_.*|PORT|npm_.*|INIT_CWD|HOME|USER|LOGNAME|MAIL|SUDO_.*|XDG_(?:RUNTIME_DIR|SESSION_.*))$/;

/** The caller's environment, for a release: what a deploy changed comes along, what is the caller's own does not. */
export function environmentOfCaller(environment: NodeJS.ProcessEnv = process.env): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined && !callersOwn.test(entry[0])),
  );
}
