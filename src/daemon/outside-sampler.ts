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

/**
 * The same of a process and all that descend from it, added up: a server without a probe may be a wrapper
 * with workers. Limits are of one process, so of the descriptors only the fullest counts, by its own limit.
 */
export function readTree(pid: number): OutsideReading | null {
  const root = readProcess(pid, true);
  if (root === null) return null;
  return childrenOf(pid)
    .map(readTree)
    .reduce<OutsideReading>((sum, child) => (child === null ? sum : together(sum, child)), root);
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
