/** The version of the installed package, from its package.json. */
import { readFileSync } from "node:fs";

// dist/daemon and src/daemon lie equally deep in the package.
const description: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

export const version = String((description as { version?: unknown }).version); // package.json is an object
