/** The Node executables to try the probe with: the pinned one, and another of the machine if there is one. */
import { execFileSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { delimiter, join } from "node:path";

export interface Runtime {
  readonly path: string;
  readonly version: string;
}

export function runtimes(): Runtime[] {
  const candidates = [
    process.execPath,
    process.env["COPPICE_TEST_NODE"] ?? "",
    ...(process.env["PATH"] ?? "").split(delimiter).map((directory) => join(directory, "node")),
  ];
  const paths = new Set(candidates.filter((path) => path !== "" && existsSync(path)).map((path) => realpathSync(path)));
  const found = [...paths].map((path) => ({
    path,
    version: execFileSync(path, ["-p", "process.versions.node"], { encoding: "utf8" }).trim(),
  }));
  return found.filter(({ version }, at) => found.findIndex((other) => other.version === version) === at);
}
