/**
 * `npm run stalled -- [--seed 1] [--longest 1500] [--rest 1500] FILE…`: runs test files while processes of theirs stand still at random,
 * now and then all of them, as on a machine that has no time for them. What fails is a race of the test, or a promise that holds on quick
 * machines alone; or it is right, for deadlines of the product are real time. Linux.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { seededRandom } from "../src/sim/random.ts";
import { childrenOf } from "./chaos/processes.ts";

const { values, positionals: files } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string", default: "1" },
    /** Of a stand-still; milliseconds. */
    longest: { type: "string", default: "1500" },
    /** At most, between two of them; milliseconds. */
    rest: { type: "string", default: "1500" },
  },
});
/** How often all of them stand still. */
const allRatio = 0.2;

/** Null once it has ended. */
function stateOf(pid: number): string | null {
  try {
    return /^\d+ \(.*\) (\S)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1] ?? null;
  } catch {
    return null;
  }
}

/** What the tests themselves have stopped stays so; but for one that they stop while it stands still here, which goes on with the others. */
const runs = (pid: number) => !["T", "t", "Z", null].includes(stateOf(pid));

function signal(pids: readonly number[], name: "SIGSTOP" | "SIGCONT"): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // It has ended meanwhile.
    }
  }
}

const descendantsOf = (pid: number): number[] => childrenOf(pid).flatMap((child) => [child.pid, ...descendantsOf(child.pid)]);

/** Those that stand still now; nobody is left so. */
let standing: readonly number[] = [];
process.on("exit", () => signal(standing, "SIGCONT"));
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => process.exit(128 + constants.signals[name]));

async function standStill(root: ChildProcess, random: () => number): Promise<number> {
  for (let stops = 0; ; stops += 1) {
    await pause(random() * Number(values.rest));
    if (root.exitCode !== null || root.signalCode !== null || root.pid === undefined) return stops;
    const all = descendantsOf(root.pid).filter(runs);
    const one = () => all[Math.floor(random() * all.length)] ?? [];
    standing = random() < allRatio ? all : [one(), one()].flat();
    signal(standing, "SIGSTOP");
    await pause(random() * Number(values.longest));
    signal(standing, "SIGCONT");
    standing = [];
  }
}

let failed = 0;
for (const [at, file] of files.entries()) {
  const args = ["--import", "./test/preload.js", "--test", "--test-timeout=900000", file];
  const run = spawn(process.execPath, args, { stdio: "inherit" });
  const stops = await standStill(run, seededRandom(Number(values.seed) + at));
  if (run.exitCode !== 0) failed += 1;
  process.stdout.write(`${file}: ${run.exitCode === 0 ? "passed" : "failed"}, ${stops} stops\n`);
}
if (files.length === 0) process.stderr.write("which test files? npm run stalled -- test/e2e/scale.test.ts\n");
process.exitCode = failed === 0 && files.length > 0 ? 0 : 1;
