/**
 * Properties are tried with the same values in each run that gates a change: it must not fail by chance on what it did not
 * touch. `FUZZ_SEED` names others; a file that is run by itself, without this, draws new ones each time.
 */
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env["FUZZ_SEED"] ?? 1) });
