/**
 * The run-time directory of a cluster: `$COPPICE_HOME/<name>`, private (0700). One living init owns it,
 * named in its `init.json`. Taking it over from an init that died removes what that one left, but for
 * the sessions' file: sessions outlive the process tree. An orderly end removes everything. A directory
 * that is not a cluster's, as an application's of that name, is not touched.
 */
import {
  chmodSync,
  type Dirent,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { ClusterPaths } from "../model/birth.ts";
import { CoppiceError, messageOf } from "../model/errors.ts";
import { livesElsewhere } from "./elsewhere.ts";
import { socketProblem } from "./listening-sockets.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import { isAlive, pidNamespace, startTicksOf } from "./process-identity.ts";

/** Unix socket paths end here (sun_path is 108 bytes with its end mark); Node cuts longer ones silently. */
const socketPathBytesMax = 107;
/** Room for the longest name inside the directory: `/i/web-1000.1000000-99.sock`. */
const socketNameBytesMax = 28;
/** Journal and events stay below this; sessions come on top. */
const freeBytesMin = 8 * 1024 * 1024;

/** The sessions' file outlives init, and so a Coppice: its format is in its name, and one of another format is not ours. */
const sessionsFileName = "sessions-2.mdb";
/** All that a cluster's directory holds, the sessions' files of other formats too. */
const ownNames = /^(?:control|admin|store|i|bin|init\.json|(?:journal|events)\.jsonl(?:\.next)?|sessions.*\.mdb.*)$/;

/** What init says of itself, for `coppice stop` and for the next init of the same name. */
export interface InitFile {
  readonly pid: number;
  readonly startTicks: number;
  /** Where that pid says something; null: nobody knows. One of an older Coppice has none. */
  readonly pidNamespace?: string | null;
  readonly name: string;
  readonly bootId: string;
  readonly stopTimeoutMs: number;
  /** Ends it in order, however often it comes. One of an older Coppice has SIGTERM alone, and a second of these is "at once". */
  readonly stopSignal?: "SIGUSR2";
  /** Set where `coppice start` began it: the command line that does so again. */
  readonly background: { readonly args: readonly string[]; readonly directory: string } | null;
}

/** What is not init's process. */
export type Owner = Omit<InitFile, "pid" | "startTicks" | "pidNamespace">;

export function clusterPaths(home: string, name: string): ClusterPaths {
  const directory = join(home, name);
  return {
    directory,
    controlSocket: join(directory, "control", "c.sock"),
    adminSocket: join(directory, "admin", "a.sock"),
    storeSocket: join(directory, "store", "s.sock"),
    listenDirectory: join(directory, "i"),
    journalFile: join(directory, "journal.jsonl"),
    eventsFile: join(directory, "events.jsonl"),
    sessionsFile: join(directory, sessionsFileName),
    initFile: join(directory, "init.json"),
  };
}

/** The init that owns the directory, if it lives. */
export function livingInit(paths: ClusterPaths): InitFile | null {
  const file = initFileOf(paths);
  return file !== null && isAlive(file.pid, file.startTicks) ? file : null;
}

/** What the last init said of itself; null: no init was here. */
function initFileOf(paths: ClusterPaths): InitFile | null {
  try {
    const file = JSON.parse(readFileSync(paths.initFile, "utf8")) as InitFile | null; // our own file, if it names a process
    return Number.isInteger(file?.startTicks) ? file : null;
  } catch {
    return null;
  }
}

/** An init was here whose pid says nothing, as far as is known. */
function isOfOtherPids(paths: ClusterPaths): boolean {
  const file = initFileOf(paths);
  return file !== null && (file.pidNamespace ?? null) !== pidNamespace();
}

/** Names of the clusters under `home` whose init lives. */
export function runningClusters(home: string): string[] {
  if (!existsSync(home)) return [];
  return entriesOf(home)
    .filter((entry) => entry.isDirectory() && livingInit(clusterPaths(home, entry.name)) !== null)
    .map((entry) => entry.name)
    .sort();
}

function entriesOf(home: string): Dirent[] {
  try {
    return readdirSync(home, { withFileTypes: true });
  } catch (cause) {
    throw unusable(home, cause);
  }
}

/** Of a directory that others may pass through, and neither list nor write. */
export const passableMode = 0o711;

/**
 * Makes a directory and those above it that are not there, whatever the umask; returns the first that it made. Node's own recursive way
 * tries for ever where the system says of a place below an existing directory that it does not exist (procfs, automounts).
 */
export function makeDirectory(path: string, mode: number): string | undefined {
  if (existsSync(path)) return undefined;
  const above = makeDirectory(dirname(path), mode);
  try {
    mkdirSync(path, { mode });
    chmodSync(path, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; // Node's own; another was faster
    return above;
  }
  return above ?? path;
}

/**
 * Makes the directory ours. Returns what an orderly end must call. `mode`: of the directory. Those above it that must be made
 * can be passed through: who comes next may be another user's (`--user`). Nobody but we can list or write any of them.
 * @throws CoppiceError COPPICE_CLUSTER_RUNNING, COPPICE_ARGUMENT if the path is too long for sockets, or
 * COPPICE_HOME_UNUSABLE; nothing is left behind then.
 */
export function takeHome(paths: ClusterPaths, owner: Owner, mode = 0o700): () => void {
  checkLength(paths);
  let madeAbove: string | undefined;
  try {
    madeAbove = makeDirectory(dirname(paths.directory), passableMode);
    checkRoom(dirname(paths.directory));
    const made = oneAtATime(lockOf(paths), () => takeDirectory(paths, owner, mode));
    return () => giveBack(paths, owner.bootId, madeAbove ?? made);
  } catch (cause) {
    if (madeAbove !== undefined) removeEmpty(dirname(paths.directory), madeAbove);
    throw cause instanceof CoppiceError ? cause : unusable(paths.directory, cause);
  }
}

/** Returns the directory if it was made. */
function takeDirectory(paths: ClusterPaths, owner: Owner, mode: number): string | undefined {
  const living = livingInit(paths);
  if (living !== null) {
    throw new CoppiceError(
      "COPPICE_CLUSTER_RUNNING",
      `a cluster named "${owner.name}" is running already (pid ${living.pid}); stop it with "coppice stop --name ${owner.name}" or choose another --name`,
      { facts: { name: owner.name, pid: living.pid } },
    );
  }
  if (isOfOtherPids(paths) && livesElsewhere(paths, statSync(paths.initFile).mtimeMs)) {
    throw new CoppiceError(
      "COPPICE_CLUSTER_RUNNING",
      `a cluster named "${owner.name}" is running already in ${paths.directory}, where its processes cannot be seen (another container); give each a COPPICE_HOME of its own, or another --name`,
      { facts: { name: owner.name } },
    );
  }
  const made = makeDirectory(paths.directory, mode);
  try {
    if (statSync(paths.directory).uid !== process.getuid?.()) throw new Error("it belongs to another user");
    checkIsOurs(paths);
    chmodSync(paths.directory, mode);
    removeLeftovers(paths);
    for (const path of [paths.controlSocket, paths.adminSocket, paths.storeSocket]) mkdirSync(dirname(path), { mode: 0o700 });
    mkdirSync(paths.listenDirectory, { mode: 0o700 });
    checkSockets(paths.adminSocket);
    const file: InitFile = { ...owner, pid: process.pid, startTicks: startTicksOf(process.pid) ?? 0, pidNamespace: pidNamespace() };
    writeFileSync(paths.initFile, `${JSON.stringify(file)}\n`, { mode: 0o600 });
    return made;
  } catch (error) {
    if (made !== undefined) removeDirectory(paths);
    throw error;
  }
}

/** Beside the directory, which may come and go. */
function lockOf({ directory }: ClusterPaths): string {
  return `${directory}.taking`;
}

/** @throws CoppiceError COPPICE_HOME_UNUSABLE where the disk of COPPICE_HOME has too little room for a cluster. */
export function checkRoom(home: string): void {
  const { bavail, bsize } = statfsSync(home);
  if (bavail * bsize < freeBytesMin) throw unusable(home, new Error(`its disk is full: ${freeBytesMin / 1024 / 1024} MiB must be free`));
}

function checkLength(paths: ClusterPaths): void {
  const length = Buffer.byteLength(paths.directory) + socketNameBytesMax;
  if (length <= socketPathBytesMax) return;
  const room = socketPathBytesMax - socketNameBytesMax;
  throw new CoppiceError(
    "COPPICE_ARGUMENT",
    `${paths.directory} is too long for Unix sockets (${Buffer.byteLength(paths.directory)} bytes, at most ${room}); set COPPICE_HOME to a shorter directory`,
  );
}

/** Some file systems have none (of a virtual machine's host, of Windows): the monitor would begin again for ever. */
function checkSockets(path: string): void {
  const code = socketProblem(path);
  if (code !== null) throw new Error(`its file system makes no Unix socket (${code})`);
}

/** No home directory, a file system that is read-only or full, somebody else's directory. */
export function unusable(directory: string, cause: unknown): CoppiceError {
  const why = messageOf(cause);
  return new CoppiceError(
    "COPPICE_HOME_UNUSABLE",
    `${directory} cannot be used: ${why}. Coppice keeps its sockets and the sessions there; set COPPICE_HOME to a directory of this user with room, such as one on a tmpfs`,
    { cause },
  );
}

/** With COPPICE_HOME=/srv the cluster of /srv/shop would have its application's directory, and clear it. */
function checkIsOurs(paths: ClusterPaths): void {
  const other = readdirSync(paths.directory).find((entry) => !ownNames.test(entry));
  // Where an init was, it is what a newer Coppice left.
  if (other !== undefined && initFileOf(paths) === null)
    throw new Error(`${other} lies there, which is not Coppice's and would be removed; choose another --name`);
}

/** What says that it is ours goes last. */
function removeLeftovers(paths: ClusterPaths): void {
  for (const entry of readdirSync(paths.directory)) {
    const path = join(paths.directory, entry);
    if (path !== paths.initFile && !entry.startsWith(sessionsFileName)) rmSync(path, { recursive: true, force: true });
  }
  rmSync(paths.initFile, { force: true });
}

function giveBack(paths: ClusterPaths, bootId: string, firstMade: string | undefined): void {
  const remove = () => {
    // Somebody may have removed all of it meanwhile, and another cluster have made it anew.
    if ((initFileOf(paths)?.bootId ?? bootId) === bootId) removeDirectory(paths);
  };
  try {
    oneAtATime(lockOf(paths), remove);
  } catch {
    remove(); // a disk that is full has no room for the lock
  }
  if (firstMade !== undefined) removeEmpty(dirname(paths.directory), firstMade);
}

function removeDirectory({ directory }: ClusterPaths): void {
  rmSync(directory, { recursive: true, force: true });
}

/** Removes directories that `takeHome` made, up to the first of them, as far as they are empty now. */
function removeEmpty(from: string, firstMade: string): void {
  for (let above = from; above.length >= firstMade.length; above = dirname(above)) {
    try {
      rmdirSync(above);
    } catch {
      return; // another cluster lives there
    }
  }
}
