/**
 * Who a process is: its pid and when it started. A pid alone is used again by the kernel; the two
 * together are not.
 */
import { readFileSync } from "node:fs";

/** Start time in clock ticks since boot (field 22 of /proc/<pid>/stat); null if there is no such process. */
export function startTicksOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The command in parentheses may hold spaces and parentheses itself: count from the last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z") return null;
    return Number(fields[19]);
  } catch {
    return null;
  }
}

export function isAlive(pid: number, startTicks: number): boolean {
  return startTicksOf(pid) === startTicks;
}
