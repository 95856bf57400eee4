/** The version of the installed package. */
import { readFileSync } from "node:fs";

export function packageVersion(): string {
  // dist/cli and src/cli lie equally deep in the package.
  const description: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return String((description as { version?: unknown }).version); // package.json is an object
}
