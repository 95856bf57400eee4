/** Which cluster a command means: `COPPICE_HOME`, `--name`, or the only one that runs. */
import { homedir, userInfo } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { clusterPaths, livingInit, runningClusters, unusable } from "../init/home.ts";
import type { ClusterPaths } from "../model/birth.ts";
import { CoppiceError } from "../model/errors.ts";

export const clusterNamePattern = /^[a-z0-9][a-z0-9_-]{0,31}$/;

export function coppiceHome(): string {
  const given = process.env["COPPICE_HOME"];
  return given === undefined || given === "" ? join(homeOfUser(), ".coppice") : resolve(given);
}

/** A HOME that is empty, or no whole path, is none. */
function homeOfUser(): string {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : userInfo().homedir;
  } catch (cause) {
    throw unusable("~/.coppice", new Error("this user has no home directory", { cause }));
  }
}

/** The log of a cluster in the background: beside its directory, so that it outlives it. */
export function logFileOf(name: string): string {
  return join(coppiceHome(), `${name}.log`);
}

/**
 * The running cluster that is meant.
 * @throws CoppiceError COPPICE_CLUSTER_NOT_RUNNING that says which do run.
 */
export function findCluster(name: string | undefined): { readonly name: string; readonly paths: ClusterPaths } {
  const home = coppiceHome();
  const running = runningClusters(home);
  const say = running.length === 0 ? `no cluster is running (looked in ${home})` : `running are: ${running.join(", ")}`;
  if (name === undefined) {
    const [only, ...others] = running;
    if (only !== undefined && others.length === 0) return { name: only, paths: clusterPaths(home, only) };
    const advice = only === undefined ? 'start one with "coppice run <script>"' : "say which with --name";
    throw new CoppiceError("COPPICE_CLUSTER_NOT_RUNNING", `${say}; ${advice}`, { facts: { running } });
  }
  if (!clusterNamePattern.test(name)) throw badName(name);
  const paths = clusterPaths(home, name);
  if (livingInit(paths) === null) {
    throw new CoppiceError("COPPICE_CLUSTER_NOT_RUNNING", `no cluster named "${name}" is running; ${say}`, { facts: { name, running } });
  }
  return { name, paths };
}

export function badName(name: string): CoppiceError {
  return new CoppiceError(
    "COPPICE_ARGUMENT",
    `"${name}" is no name for a cluster: 1 to 32 of a-z, 0-9, "-" and "_", a letter or digit first`,
  );
}
