/** Coppice as its users get it: `npm pack`, and installed from the tarball into an empty folder. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { root } from "../e2e/cluster.ts";

/** npm as a command, under the Node that runs this (its install scripts and checks go by the Node that they find). */
export function npm(directory: string, ...args: string[]): string {
  const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}` };
  return execFileSync("npm", args, {
    cwd: directory,
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 64 * 1024 * 1024,
  });
}

/** Makes the tarball of what is built now; returns its path. */
export function pack(into: string): string {
  npm(root, "pack", "--ignore-scripts", "--pack-destination", into);
  const tarball = readdirSync(into).find((name) => name.endsWith(".tgz"));
  if (tarball === undefined) throw new Error(`npm pack left nothing in ${into}`);
  return join(into, tarball);
}

export function emptyFolder(): string {
  return mkdtempSync(join(tmpdir(), "coppice-packed-"));
}

/** A folder as `npm init` leaves it, with these packages installed. */
export function install(folder: string, ...packages: string[]): void {
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "greenwood", version: "1.0.0", private: true }));
  npm(folder, "install", "--no-audit", "--no-fund", "--prefer-offline", ...packages);
}

export const launcherIn = (folder: string): string => join(folder, "node_modules/coppice/bin/coppice.js");
