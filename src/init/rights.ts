/**
 * `--user`: the server's instances, and the forwarders that parse what strangers send, run as another user than
 * init. Init keeps its rights for what needs them: privileged ports, starting, stopping; so do the monitor and
 * the replicator, which the server must not be able to reach but through their sockets.
 *
 * Such an instance reaches of the cluster's directory what it needs and no more: it may connect to the control
 * and the store socket and make sockets in the listen directory; the rest it can neither list nor open.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { ClusterPaths } from "../model/birth.ts";
import { CoppiceError } from "../model/errors.ts";

export interface AppUser {
  readonly uid: number;
  readonly gid: number;
  /** What a login would set: HOME, USER, LOGNAME. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * `NAME` or `UID`, each with `:GID` where the group is to be another than the user's own.
 * @throws CoppiceError COPPICE_ARGUMENT if there is no such user, or this process may not become it.
 */
export function findUser(given: string, passwd = "/etc/passwd"): AppUser {
  const match = /^([^:]+)(?::(\d+))?$/.exec(given);
  if (match === null) throw new CoppiceError("COPPICE_ARGUMENT", `--user ${given}: expected NAME or UID, or either with :GID`);
  const [, user = "", group] = match;
  const lines = existsSync(passwd) ? readFileSync(passwd, "utf8").split("\n") : [];
  const entry = lines.map((line) => line.split(":")).find(([name, , uid]) => name === user || uid === user);
  const isNumber = /^\d+$/.test(user);
  if (entry === undefined && !isNumber) throw new CoppiceError("COPPICE_ARGUMENT", `--user ${given}: ${passwd} has no user "${user}"`);
  const [name = user, , uid = user, ownGroup = user, , home = "/"] = entry ?? [];
  const found = { uid: Number(uid), gid: Number(group ?? ownGroup), environment: { HOME: home, USER: name, LOGNAME: name } };
  const own = process.getuid?.();
  if (own !== 0 && own !== found.uid)
    throw new CoppiceError("COPPICE_ARGUMENT", `--user ${given}: only root may run a server as another user; this is user ${own}`);
  return found;
}

/** Opens what an instance of that user must reach; all else stays init's user's alone. */
export function shareDirectories(paths: ClusterPaths, { uid, gid }: AppUser): void {
  for (const socket of [paths.controlSocket, paths.storeSocket]) {
    chownSync(dirname(socket), process.getuid?.() ?? 0, gid);
    chmodSync(dirname(socket), 0o710);
  }
  chownSync(paths.listenDirectory, uid, gid);
}

/**
 * What that user cannot reach of what it must would show as an instance that dies with a strange word.
 * @throws CoppiceError COPPICE_ARGUMENT that names it.
 */
export function checkReach({ uid, gid }: AppUser, nodePath: string, must: readonly string[]): void {
  const look = `
    const { accessSync, constants, statSync } = require("node:fs");
    for (const path of ${JSON.stringify(must)}) {
      try { accessSync(path, statSync(path).isDirectory() ? constants.X_OK : constants.R_OK); } catch { console.log(path); break; }
    }`;
  const { error, stdout } = spawnSync(nodePath, ["-e", look], { uid, gid, cwd: "/", encoding: "utf8", env: {} });
  const missing = error === undefined ? stdout.trim() : nodePath;
  if (missing === "") return;
  throw new CoppiceError(
    "COPPICE_ARGUMENT",
    `--user: user ${uid} cannot reach ${missing}; open the directories above it, or choose another place (COPPICE_HOME for Coppice's own)`,
  );
}
