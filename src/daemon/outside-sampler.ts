/**
 * Indicators from outside: what /proc says of a process. Works for any program, and for one whose event
 * loop is stuck. Each reading that cannot be had is left out.
 */
import { readdirSync, readFileSync } from "node:fs";
import { childrenOf, msPerTick, openFilesMaxOf, statFieldsOf } from "../link/process-stat.ts";

/** In the kernel's words to each process (getauxval(3)), pairs of machine words, by this number: 4 KiB here, 16 or 64 KiB there. */
const auxPageSize = 6n;
const pageBytesUsual = 4_096;
export const pageBytes = pageSize();

export interface OutsideReading {
  readonly indicators: Readonly<Record<string, number>>;
  readonly limits: Readonly<Record<string, number>>;
  readonly cpuTicks: number;
}

/** What is common to a tree changes slowly, and to ask for it takes the kernel milliseconds a process. */
const commonEach = 10;
const givenBackRatio = 0.95;

/**
 * The same of a process and all that descend from it, added up: a server without a probe may be a wrapper
 * with workers. Limits are of one process, so of the descriptors only the fullest counts, by its own limit.
 * What workers have from a fork, or share, counts once.
 */
export class ProcessTree {
  readonly #pid: number;
  #of = "";
  #turn = 0;
  #rssBytes = 0;
  #countedTwiceBytes = 0;

  constructor(pid: number) {
    this.#pid = pid;
  }

  read(): OutsideReading | null {
    const pids = treeOf(this.#pid);
    const readings = pids.map((pid) => readProcess(pid, true));
    if (readings[0] === null) return null;
    const sum = readings.filter((one) => one !== null).reduce(together);
    const of = pids.join();
    const { rssBytes = 0 } = sum.indicators;
    // What was given back may have been common.
    if (of !== this.#of || this.#turn % commonEach === 0 || rssBytes < givenBackRatio * this.#rssBytes)
      this.#countedTwiceBytes = pids.length === 1 ? 0 : pids.reduce((bytes, pid) => bytes + ofOthersBytes(pid), 0);
    this.#of = of;
    this.#turn += 1;
    this.#rssBytes = rssBytes;
    return { ...sum, indicators: { ...sum.indicators, rssBytes: rssBytes - this.#countedTwiceBytes } };
  }
}

/** The first one's first. */
function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)];
}

/** How much of its memory others count as theirs, each its part. What belongs to files is no matter of age, and stays in each. */
function ofOthersBytes(pid: number): number {
  try {
    const bytesOf = (text: string, field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1]) * 1_024;
    const [status, rollup] = ["status", "smaps_rollup"].map((file) => readFileSync(`/proc/${pid}/${file}`, "latin1"));
    const all = bytesOf(status ?? "", "RssAnon") + bytesOf(status ?? "", "RssShmem");
    return Math.max(all - bytesOf(rollup ?? "", "Pss_Anon") - bytesOf(rollup ?? "", "Pss_Shmem"), 0) || 0; // not told by old kernels
  } catch {
    return 0; // it is gone, or another user's
  }
}

function together(one: OutsideReading, other: OutsideReading): OutsideReading {
  const indicators: Record<string, number> = { ...one.indicators };
  for (const [name, value] of Object.entries(other.indicators)) indicators[name] = (indicators[name] ?? 0) + value;
  const { indicators: fullest, limits } = openRatio(one) >= openRatio(other) ? one : other;
  if (fullest["openFds"] !== undefined) indicators["openFds"] = fullest["openFds"];
  return { indicators, limits, cpuTicks: one.cpuTicks + other.cpuTicks };
}

/** Below 0: nobody knows. */
function openRatio({ indicators, limits }: OutsideReading): number {
  const { openFds } = indicators;
  return openFds === undefined ? -1 : openFds / (limits["openFds"] ?? Number.POSITIVE_INFINITY);
}

/**
 * Reads pid's resident memory, descriptors, threads and CPU ticks; null if it is gone. `andEnded`: the ticks of its
 * children that have ended too, so that those of a tree do not fall when a worker is exchanged.
 */
export function readProcess(pid: number, andEnded = false): OutsideReading | null {
  const fields = statFieldsOf(pid);
  if (fields === null) return null;
  const indicators: Record<string, number> = {
    threads: Number(fields[17]),
    rssBytes: Number(fields[21]) * pageBytes,
  };
  const limits: Record<string, number> = {};
  try {
    indicators["openFds"] = readdirSync(`/proc/${pid}/fd`).length;
    const openFilesMax = openFilesMaxOf(pid);
    if (openFilesMax !== null) limits["openFds"] = openFilesMax;
  } catch {
    // Another user's process: its descriptors cannot be counted.
  }
  const cpuTicks = fields.slice(11, andEnded ? 15 : 13).reduce((sum, ticks) => sum + Number(ticks), 0);
  return { indicators, limits, cpuTicks };
}

/** Share of one core between two readings, 0..n. */
export function cpuRatio(before: OutsideReading, after: OutsideReading, elapsedMs: number): number {
  return elapsedMs <= 0 ? 0 : ((after.cpuTicks - before.cpuTicks) * msPerTick) / elapsedMs;
}

function pageSize(): number {
  try {
    const bytes = readFileSync("/proc/self/auxv");
    for (let at = 0; at + 16 <= bytes.length; at += 16) {
      if (bytes.readBigUInt64LE(at) === auxPageSize) return Number(bytes.readBigUInt64LE(at + 8));
    }
  } catch {
    // No Linux, or none that tells: nothing else is read of /proc then.
  }
  return pageBytesUsual;
}
