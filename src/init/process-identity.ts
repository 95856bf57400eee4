/**
 * Who a process is: its pid and when it started. A pid alone is used again by the kernel; the two
 * together are not.
 */
import { statFieldsOf } from "../link/process-stat.ts";

/** Start time in clock ticks since boot (field 22 of /proc/<pid>/stat); null if there is no such process. */
export function startTicksOf(pid: number): number | null {
  const fields = statFieldsOf(pid);
  return fields === null || fields[0] === "Z" ? null : Number(fields[19]);
}

export function isAlive(pid: number, startTicks: number): boolean {
  return startTicksOf(pid) === startTicks;
}
