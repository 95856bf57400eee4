/**
 * Loaded before each test file (`--import`). Plain JavaScript, so that nothing has its types stripped to load it: what was compiled
 * once is kept below node_modules, which spares a slow machine half a second for each file. What tests start does not inherit it.
 *
 * Properties are tried with the same values in each run that gates a change: it must not fail by chance on what it did not
 * touch. `FUZZ_SEED` names others; a file that is run by itself, without this, draws new ones each time.
 */
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/tests", import.meta.url)));
const { default: fc } = await import("fast-check");
fc.configureGlobal({ seed: Number(process.env["FUZZ_SEED"] ?? 1) });
